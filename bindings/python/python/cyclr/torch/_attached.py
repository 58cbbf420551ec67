"""The attached training loop in PyTorch: what it counts, measures and saves."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Callable, Optional, TypeVar

import torch
from torch.optim import Optimizer

from cyclr import _attached
from cyclr._begun import Begun
from cyclr._cyclr import CyclrError
from cyclr._trainer import Evaluation, Metric, Split, TrainerInfo
from cyclr.torch._checkpoints import restoring
from cyclr.torch._counting import with_held
from cyclr.torch._distributed import rank
from cyclr.torch._evaluating import evaluating, keeping_gradients, others_evaluating
from cyclr.torch._feed import feed
from cyclr.torch._generators import Generators
from cyclr.torch._groups import Groups
from cyclr.torch._losses import Losses, read_at_once, say_several, unseen
from cyclr.torch._order import EndlessEpochs, capture_order, order_kept, restore_order
from cyclr.torch._overridden import Overridden, notice_ratios
from cyclr.torch._registered import (
    has_passes_beside,
    not_read_back,
    say_starts_over,
    unregistered,
)
from cyclr.torch._state import (
    Everything,
    all_weights,
    capture_random,
    copied,
    live,
    restore_random,
)
from cyclr.torch._steps import Steps
from cyclr.torch._together import gathered, mine, summed

T = TypeVar("T")


class Attached(_attached.Attached):
    """A loop in PyTorch that is attached.

    Attributes:
        held_out: The data of ``"validation"`` and ``"test"``, halved if there was one split for
            both.
        halved: The examples of the one split that was halved; 0 if there is none.
    """

    halved = 0

    def __init__(
        self,
        begun: Begun,
        info: TrainerInfo,
        groups: Groups,
        evaluate: Optional[Callable[[Split], Any]],
        models: Sequence[torch.nn.Module],
        optimizers: Sequence[Optimizer],
        scaler: Any,
        train: Any,
        held_out: dict[str, Any],
        accumulate: int = 1,
    ) -> None:
        # Right before the optimizer's step is early enough, and later than any scheduler.
        super().__init__(begun, info, lambda hyper: None, evaluate)
        self._groups, self._has_ratios = groups, False
        self.held_out = held_out
        self._models, self._optimizers, self._train = list(models), list(optimizers), train
        self._scaler = scaler
        self._is_told = self._is_told_several = self._is_evaluating = False
        # The splits whose loaders show that they are gone through, and those that an evaluation went through.
        self._watched: set[str] = set()
        self._measured: set[str] = set()
        self._steps = Steps(accumulate, self._optimizers)
        # What the script follows alone or has registered: schedulers are among it.
        self._known: list[Any] = []
        self._has_passes_beside: Optional[bool] = None
        # Whether the script goes through `batches` itself: other passes over the loader are its own then.
        self._calls_batches = False
        self._sampler_epochs = EndlessEpochs()
        self._generators: Optional[Generators] = None
        # The models as one: what they share is kept once.
        loaders = [] if train is None else [train]
        self._everything = Everything(torch.nn.ModuleList(self._models), self._optimizers, scaler, loaders)
        if self.loop is None:
            return
        # Of models that are not given, any may be measured.
        self._others = torch.nn.ModuleList([] if models else list(live((torch.nn.Module,))))
        self._losses = Losses(accumulate).watch()
        self._overridden = [Overridden(one) for one in self._optimizers]
        self._is_opening = False
        if train is not None and not isinstance(train, (list, tuple)):
            feed(train, self.iterated)
        for one in with_held(self._optimizers):
            one.register_step_pre_hook(self._before_step)
            one.register_step_post_hook(self._steps.note)

    @property
    def info(self) -> TrainerInfo:
        """What is trained on, and whether a run can go on from a state."""
        if self._epoch is not None and self._info.snapshots and not self._is_told:
            self._is_told = True
            self._generators = Generators()
            saved = super()._own_state()
            names = unregistered(self._models, self._everything.optimizers, self._scaler, saved, *self._known)
            told = f"no state of {', '.join(names)} is registered (lr.register, model=, scaler=)"
            lack = told if names else not_read_back(self._own_state())
            if lack is not None:
                say_starts_over(lack)
                self._info = replace(self._info, snapshots=False)
        return super().info

    def register(self, own: Any = None, *, save: Any = None, load: Any = None) -> None:
        """Adds state of the script's own to what a stopped run goes on from.

        Args:
            own: Something with ``state_dict()`` and ``load_state_dict()``, such as an average of
                the weights.
            save: Returns the state, if there is no ``own``.
            load: Takes what ``save`` returned.
        """
        if own is not None:
            self._known.append(own)
            save, load = own.state_dict, own.load_state_dict
            if isinstance(own, torch.nn.Module):
                self._models.append(own)
                self._everything.model = torch.nn.ModuleList(self._models)
                return
        with restoring():
            super().register(save=save, load=load)

    def batches(self, loader: Iterable[T]) -> Iterator[T]:
        """The batches of one pass over a loader, as of the loop without torch."""
        self._calls_batches = True
        return super().batches(loader)

    @torch.no_grad()
    def evaluate(self, split: Split) -> Evaluation:
        """Measures a split in evaluation mode, and leaves no trace in the training."""
        order = capture_order(self.held_out[split])
        model = self._everything.model if self._models else self._others
        weights = all_weights(model, self._optimizers)
        self._is_evaluating = True
        self._measured.clear()
        try:
            with evaluating(model, self._optimizers), others_evaluating(model), keeping_gradients(weights), unseen():
                evaluation = super().evaluate(split)
        finally:
            self._is_evaluating = False
            restore_order(self.held_out[split], order)
        self._check_measured(split, evaluation)
        return evaluation

    def watch_held_out(self) -> None:
        """Sees which held-out loaders an evaluation goes through."""
        for name, loader in self.held_out.items():
            if loader is not None and not isinstance(loader, (int, list, tuple)) and feed(loader, self._split_iterated):
                self._watched.add(name)

    def _split_iterated(self, loader: Any) -> None:
        if self._is_evaluating:
            self._measured.update(name for name, one in self.held_out.items() if one is loader)

    def _check_measured(self, split: Split, evaluation: Evaluation) -> None:
        """Refuses figures of other examples than those of the split."""
        if len(self._watched) == 2 and len(self._measured) == 1 and split not in self._measured:
            raise CyclrError(
                f"evaluate({split!r}) goes through the {self._measured.pop()} data alone: let it measure the split that it is "
                "given"
            )
        if self.halved > 0 and any(metric.count == self.halved for metric in evaluation.metrics):
            raise CyclrError(
                f"evaluate({split!r}) returned the count of all {self.halved} held-out examples, which were halved: return that "
                "of the examples that it measured, or none"
            )

    def whole_iterated(self, loader: Any) -> None:
        """Refuses an evaluation of a loader that was halved: what decides would be what is reported."""
        if self._is_evaluating:
            raise CyclrError(
                "evaluate(split) goes through the whole of the held-out data, which were halved: let it go through "
                "held_out[split] of what attach() returns"
            )

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        assert self.loop is not None
        if not self._is_in_batches:
            self.loop.hear_or_exit()
        hyper = self.loop.hyper
        if not self._has_ratios:
            # Until now the script may have set them.
            self._groups.learn()
            self._has_ratios = True
        for one in self._overridden:
            one.notice(hyper)
        if not self._steps:
            notice_ratios(self._overridden)
        self._groups.set(hyper)
        for one in self._overridden:
            one.leave()

    def _made(self, loss: Any, correct: Any) -> None:
        if loss is None:
            loss = self._losses.mean()
            self._notice_several()
        elif isinstance(loss, torch.Tensor):
            loss = loss.detach().clone() if loss.device.type != "cpu" else loss.item()
        if loss is None:
            raise CyclrError("no backward() was seen since the last lr.step(): give the loss, as in lr.step(loss=loss)")
        if not self._steps:
            loss = self._without_step(loss)
            if loss is None:
                return
        self._losses.clear()
        self._steps.end(self._batches)
        self._count(loss, correct)

    def _notice_several(self) -> None:
        assert self.loop is not None
        # Before the first update, a script may try something out; and it may draw batches that are not seen.
        are_several = 0 < self._batches < len(self._losses) and not self._losses.are_divided
        if self._is_told_several or self.loop.updates_done == 0 or not are_several:
            return
        self._is_told_several = True
        say_several("cyclr", len(self._losses), self._batches, "give the one that counts, as in lr.step(loss=loss)")

    def _without_step(self, loss: Any) -> Any:
        """The loss to count though no optimizer made a step, as training has diverged; ``None`` as a rule."""
        if not self._losses.has_scaled_step:
            # The update is still being made: a micro-batch is a part of it.
            return None if bool(torch.isfinite(torch.as_tensor(loss))) else loss
        assert self.loop is not None
        loss = self.loop.skipped(loss)
        self._steps.tried(self._batches)
        if loss is None:
            self._losses.clear()
            self._batches = self._seen = self._idle_passes = 0
        return loss

    def iterated(self, loader: Any) -> Optional[Iterator[Any]]:
        """What a loop gets that iterates the training loader itself; ``None`` for a pass of the loader's own.

        Under `epochs` it is `batches`. A loop without them goes through one pass that never ends,
        so that it can be gone back into; what the script does between epochs does not run. A pass
        that begins within another one, or in an evaluation, is the script's own.
        """
        if self._is_opening:
            return None
        return self._given(loader, self._is_in_batches)

    def _given(self, loader: Any, is_within_pass: bool) -> Iterator[Any]:
        is_under_epochs = self._epoch is not None and not self._is_endless
        if self._is_evaluating:
            with order_kept(loader):
                yield from self._open(loader)
        # The iterator may have taken the place of the one before, which has ended by now.
        elif (is_within_pass and self._is_in_batches) or (is_under_epochs and self._calls_batches):
            yield from self._open(loader)
        else:
            yield from super().batches(loader) if is_under_epochs else self._endlessly(loader)

    def _endlessly(self, loader: Any) -> Iterator[Any]:
        if not self._is_endless and rank() == 0:
            print(
                "cyclr: the script stays in its first pass over train=..., and what it does between epochs does not run; "
                "a loop that needs it iterates lr.epochs(n)",
                file=sys.stderr,
            )
        self._is_endless = True
        with self._sampler_epochs.of(loader) as tell:
            for epoch in self.epochs(0):
                tell(epoch)
                yield from super().batches(loader)
                if self._exits.is_left:
                    return

    def _done(self) -> int:
        # A micro-batch makes no update by itself.
        return super()._done() + self._losses.seen

    def _open(self, loader: Any) -> Any:
        self._is_opening = True
        try:
            return iter(loader)
        finally:
            self._is_opening = False

    def _begin_pass(self, loader: Any) -> Any:
        if self._info.snapshots and self._epoch is not None and loader is not self._train:
            raise CyclrError("lr.batches() is given another loader than attach(train=...): give both the same")
        return super()._begin_pass(loader)

    def _read(self, figures: Any) -> list[list[Metric]]:
        return summed(read_at_once(figures))

    def _own_state(self) -> dict[str, Any]:
        is_within_pass = self._is_within_pass({"given": self._place.given, "epoch": self._epoch or 0})
        # Between passes none is under way as a rule; within one, the first look tells.
        lingers = not is_within_pass and has_passes_beside(self._train)
        if is_within_pass and self._has_passes_beside is None:
            self._has_passes_beside = has_passes_beside(self._train)
        # Such scripts begin these anew if they go on in mid-pass.
        ratios = list(self._groups.factors.items()) if self._has_ratios else None
        begins_anew = self._steps.are_uneven or self._steps.are_late or self._has_passes_beside
        return {
            **super()._own_state(),
            "everything": self._everything.capture(),
            "begins_anew": begins_anew,
            "passes_beside": lingers,
            "ratios": ratios,
            "first_epoch": self._sampler_epochs.first,
            "drawn": self._generators.drawn() if self._generators is not None else {},
        }

    def _set_own_state(self, saved: dict[str, Any]) -> None:
        # States of earlier versions do not tell.
        if saved.get("begins_anew") and self._is_within_pass(saved["place"]):
            raise CyclrError(
                "the script goes through another DataLoader beside train=..., draws batches ahead of its updates, or not all "
                "its optimizers make a step in each update: it cannot go on in the middle of a pass over the training data; start this run "
                "anew"
            )
        if saved.get("passes_beside"):
            raise CyclrError(
                "the script keeps an iterator of another DataLoader beside train=..., whose place is not known: it cannot go on "
                "from here; start this run anew"
            )
        self._set_ratios(saved)
        self._sampler_epochs.go_on(saved.get("first_epoch", self._sampler_epochs.first))
        self._everything.restore(saved["everything"])
        for one in self._overridden:
            one.forget()
        super()._set_own_state(saved)
        self._check_generators(saved.get("drawn", {}))

    def _check_generators(self, drawn: dict[str, str]) -> None:
        names = self._generators.lacking(drawn) if self._generators is not None else []
        if names:
            raise CyclrError(
                f"the script drew from a {' and a '.join(names)} of its own, of which no state is registered (lr.register): it "
                "cannot go on from this state; start this run anew"
            )

    def _load(self, states: list[Any]) -> None:
        with restoring():
            super()._load(states)

    def _copied(self, value: Any) -> Any:
        return copied(value)

    def _set_ratios(self, saved: dict[str, Any]) -> None:
        """Takes the factors of a state. One from before the first update has none yet, and earlier versions do not tell."""
        if saved.get("ratios") is not None:
            self._groups.factors = {tuple(place): factor for place, factor in saved["ratios"]}
        elif "ratios" not in saved and not self._has_ratios:
            self._groups.learn()
        self._has_ratios = saved.get("ratios", []) is not None

    def _random(self) -> Any:
        return capture_random()

    def _set_random(self, state: Any) -> None:
        restore_random(state)

    def _start_of(self, loader: Any) -> Any:
        return {"order": capture_order(loader), "random": capture_random()}

    def _go_to_start(self, loader: Any, start: Any) -> None:
        restore_order(loader, start["order"])
        restore_random(start["random"])

    def _packed(self, state: dict[str, Any]) -> bytes:
        file = io.BytesIO()
        torch.save(gathered(state), file)
        return file.getvalue()

    def _unpacked(self, state: bytes) -> dict[str, Any]:
        saved: dict[str, Any] = mine(torch.load(io.BytesIO(state), map_location="cpu", weights_only=True))
        return saved
