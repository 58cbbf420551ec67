"""Schedulers that count optimizer updates."""

from __future__ import annotations

import warnings
from typing import Any, Optional

import torch
from torch.optim import lr_scheduler


class CountsUpdates(lr_scheduler.LRScheduler):
    """``step()`` that tells calls after an update of the optimizer from calls without one.

    Of torch's private names it uses those alone that are there in every version from 2.3 on.
    """

    def _is_first(self) -> bool:
        """Whether this is the step by which torch sets the first rates."""
        return self._step_count == 0

    def _made(self) -> int:
        """Updates to count in this call: those since the last one, or 1 where nothing is being trained."""
        count = _updates_of(self.optimizer)
        return count - self._seen if count > 0 or _has_gradients(self.optimizer) else 1

    def step(self, epoch: Optional[int] = None) -> None:
        """Sets the rates of the next update; does nothing where the optimizer made no update since the last call.

        Args:
            epoch: Deprecated in torch: the update to go to.
        """
        if self._is_first() or epoch is not None or self._made() > 0:
            super().step(epoch)
            self._seen = _updates_of(self.optimizer)

    def _update_lr(self, epoch: Optional[int] = None) -> None:
        # What torch's newer SequentialLR calls when it comes to this scheduler.
        super()._update_lr(epoch)
        self._seen = _updates_of(self.optimizer)

    def state_dict(self) -> dict[str, Any]:
        """The state of the scheduler; that of the optimizer is its own."""
        state = super().state_dict()
        return {key: value for key, value in state.items() if key not in _NOT_STATE}

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_seen"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._seen = _updates_of(self.optimizer)

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            told = "get_lr() is for torch to call: get_last_lr() has the rates"
            warnings.warn(told, UserWarning, stacklevel=3)


_NOT_STATE = ("_seen", "_shape", "_schedules", "anneal_func")


def _updates_of(optimizer: torch.optim.Optimizer) -> int:
    """The updates that an optimizer made since this was first asked."""
    if not hasattr(optimizer, "_cyclr_updates"):
        optimizer._cyclr_updates = 0  # type: ignore[attr-defined]
        optimizer.register_step_post_hook(_count)
    return int(optimizer._cyclr_updates)  # type: ignore[attr-defined]


def _has_gradients(optimizer: torch.optim.Optimizer) -> bool:
    return any(weight.grad is not None for group in optimizer.param_groups for weight in group["params"])


def _count(optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
    optimizer._cyclr_updates += 1  # type: ignore[attr-defined]
