"""Schedulers that count optimizer updates.

All of them count optimizer updates: call ``step()`` after ``optimizer.step()``, as with torch.
Under gradient accumulation it may be called after every micro-batch as well, since a call without
an update of the optimizer since the last one does nothing. (In a loop that trains nothing, without
gradients and updates, each call counts, as torch has it.) Updates of an optimizer that another one
holds count as that one's. If the weights change and no update is counted, or if training goes on
past the end of the run, where the last value is held, a warning says so once.

Accelerate calls the ``step()`` of a prepared scheduler once for each process. Torch's schedulers
run that many times as fast then; these do not, and lengths are optimizer updates whatever the number
of processes.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Optional

from torch.optim import Optimizer, lr_scheduler

import cyclr
from cyclr._past import warn_past_end


class CountsUpdates(lr_scheduler.LRScheduler):
    """``step()`` that tells calls after an update of the optimizer from calls without one.

    Of torch's private names it uses those alone that are there in every version from 2.3 on.
    """

    _told: tuple[str, ...] = ()
    """What has been warned of."""
    _moves: Optional[Moves] = None

    def step(self, epoch: Optional[int] = None) -> None:
        """Sets the rates of the next update; does nothing where the optimizer made no update since the last call.

        Args:
            epoch: Deprecated in torch: the update to go to.
        """
        made = 1 if self._step_count == 0 or epoch is not None else self._made()
        if made > 0:
            self._skip(made - 1)
            super().step(epoch)
            self._seen = updates_of(self.optimizer)
            self._check_end()

    def _skip(self, updates: int) -> None:
        """Goes over updates that were made since the last call beside the one that is counted anyway."""

    def _end(self) -> Optional[int]:
        """The updates of the run, where it has an end."""
        return None

    def _made(self) -> int:
        """Updates to count in this call: those since the last one, or 1 where nothing is being trained."""
        count = updates_of(self.optimizer)
        if count > self._seen:
            self._moves = None
            return count - self._seen
        if not _has_gradients(self.optimizer):
            return 1 if count == 0 and not self.optimizer._cyclr_trains else 0  # type: ignore[attr-defined]
        return self._made_unseen(count)

    def _made_unseen(self, count: int) -> int:
        """Updates that the optimizer does not know of, as it shows by weights that change from one call to the next.

        The first call alone shows nothing, and so is counted by the second.
        """
        if self._moves is None:
            self._moves = Moves()
        if not self._moves.seen([self.optimizer]):
            return 0
        is_first = self._warn_once(
            "uncounted",
            f"the weights change, but {type(self.optimizer).__name__}.step() is not called, by which updates are counted: "
            + (
                "each call of the scheduler's step() counts as one"
                if count == 0
                else "the learning rate stays as it is"
            )
            + "; is it the optimizer that trains?",
        )
        return 0 if count > 0 else 2 if is_first else 1

    def _check_end(self) -> None:
        end = self._end()
        if end is not None and self.last_epoch > end and "end" not in self._told:
            self._told += ("end",)
            warn_past_end(self.last_epoch - 1, end, [float(rate) for rate in self.get_last_lr()])

    def _warn_once(self, what: str, told: str) -> bool:
        if what in self._told:
            return False
        self._told += (what,)
        warnings.warn(told, UserWarning, stacklevel=5)
        return True

    def _keep_late_groups(self, rates: list[Any]) -> list[Any]:
        """The rates of all groups, of which those that were added after the beginning keep theirs."""
        late = self.optimizer.param_groups[len(rates) :]
        if late:
            self._warn_once(
                "groups",
                f"{len(late)} groups were added to the optimizer after its scheduler was made, which has no bounds for "
                f"them: they keep their rates ({', '.join(format(float(group['lr']), 'g') for group in late)})",
            )
        return rates + [group["lr"] for group in late]

    def _update_lr(self, epoch: Optional[int] = None) -> None:
        # What torch's newer SequentialLR calls when it comes to this scheduler.
        super()._update_lr(epoch)
        self._seen = updates_of(self.optimizer)

    def state_dict(self) -> dict[str, Any]:
        """The state of the scheduler; that of the optimizer is its own."""
        state = super().state_dict()
        return {key: value for key, value in state.items() if key not in _NOT_STATE}

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_seen", "_moves")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._seen = updates_of(self.optimizer)

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            told = "get_lr() is for torch to call: get_last_lr() has the rates"
            warnings.warn(told, UserWarning, stacklevel=3)


_NOT_STATE = ("_seen", "_moves", "_told", "_shape", "_schedules", "anneal_func")


def another_length(theirs: int, ours: int, argument: str) -> cyclr.CyclrError:
    """What a state of a run of another length is refused with."""
    return cyclr.CyclrError(
        f"the state is of a run of {theirs} updates, and this schedule is of one of {ours}: make it with "
        f"{argument}={theirs} to keep the curve; to stretch it, load the optimizer's state first, and instead of the "
        f"scheduler's give last_epoch=..., one less than the updates that were made"
    )


class Moves:
    """Tells whether weights changed between two looks."""

    def __init__(self) -> None:
        self._before: Optional[list[int]] = None

    def seen(self, optimizers: Iterable[Optimizer]) -> bool:
        """Whether a weight of the optimizers changed since the last look."""
        now = [
            weight._version
            for optimizer in optimizers
            for group in optimizer.param_groups
            for weight in group["params"]
            if not weight.is_inference()
        ]
        changed = self._before is not None and now != self._before
        self._before = now
        return changed


def updates_of(optimizer: Optimizer) -> int:
    """The updates that an optimizer, or one that it holds and leaves them to, made since this was first asked."""
    return max(_counted(one) for one in with_held([optimizer]))


def with_held(optimizers: Iterable[Optimizer]) -> Iterator[Optimizer]:
    """Optimizers, each with those that it holds, as one does that makes its update in two stages."""
    for optimizer in optimizers:
        yield optimizer
        yield from (held for held in vars(optimizer).values() if isinstance(held, Optimizer) and held is not optimizer)


def _counted(optimizer: Optimizer) -> int:
    if not hasattr(optimizer, "_cyclr_updates"):
        optimizer._cyclr_updates = 0  # type: ignore[attr-defined]
        optimizer.register_step_pre_hook(_begin)
        optimizer.register_step_post_hook(_count)
        _notice_gradients(optimizer)
    return int(optimizer._cyclr_updates)  # type: ignore[attr-defined]


def _notice_gradients(optimizer: Optimizer) -> None:
    """Notes whether there were gradients that ``zero_grad()`` took away, maybe before the scheduler could see them."""
    zero_grad = optimizer.zero_grad
    optimizer._cyclr_trains = False  # type: ignore[attr-defined]

    @functools.wraps(zero_grad)
    def noticed(*args: Any, **kwargs: Any) -> None:
        if _has_gradients(optimizer):
            optimizer._cyclr_trains = True  # type: ignore[attr-defined]
        zero_grad(*args, **kwargs)

    optimizer.zero_grad = noticed  # type: ignore[method-assign]


@contextmanager
def steps_of(optimizers: Iterable[Optimizer]) -> Iterator[list[Optimizer]]:
    """Those that make a step meanwhile, without those whose step AMP's scaler skips."""
    made: list[Optimizer] = []

    def note(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if not has_skipped(optimizer):
            made.append(optimizer)

    hooks = [optimizer.register_step_post_hook(note) for optimizer in with_held(optimizers)]
    try:
        yield made
    finally:
        for hook in hooks:
            hook.remove()


def has_skipped(optimizer: Optimizer) -> bool:
    """Whether AMP's scaler lets a fused optimizer, whose step is being made, skip it."""
    found = getattr(optimizer, "found_inf", None)
    return found is not None and bool(found)


def _has_gradients(optimizer: Optimizer) -> bool:
    return any(weight.grad is not None for group in optimizer.param_groups for weight in group["params"])


def _begin(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
    optimizer._cyclr_in_step = True  # type: ignore[attr-defined]


def _count(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
    # A step() that calls that of its base class runs the hooks of both, one in the other: they are one update.
    if optimizer._cyclr_in_step:  # type: ignore[attr-defined]
        optimizer._cyclr_in_step = False  # type: ignore[attr-defined]
        optimizer._cyclr_updates += not has_skipped(optimizer)  # type: ignore[attr-defined]
