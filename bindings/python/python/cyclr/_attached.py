"""The attached training loop: what it counts, measures and saves."""

from __future__ import annotations

import atexit
import copy
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Callable, Optional, TypeVar

from cyclr._begun import Begun, random_state, set_random_state
from cyclr._cyclr import CyclrError, Hyper
from cyclr._loop import Figures, Loop, examples_in, say_if_ended_early
from cyclr._measured import evaluation_of
from cyclr._place import Exit, Exits, Place
from cyclr._trainer import Evaluation, Metric, Split, TrainerInfo

T = TypeVar("T")


class Attached:
    """A loop that is attached. Alone, `epochs` counts, `batches` hands batches on, and `step` moves the schedule."""

    def __init__(
        self,
        begun: Begun,
        info: TrainerInfo,
        set_hyper: Callable[[Hyper], None],
        evaluate: Optional[Callable[[Split], Any]],
    ) -> None:
        begun.is_attached = True
        self._info, self._set, self._evaluate = info, set_hyper, evaluate
        self.alone: Any = None
        self._registered: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
        self._epoch: Optional[int] = None
        self._epoch_began: Any = None
        # What was registered, as it was at the head of the epoch, and the passes that ended in it.
        self._registered_began: list[Any] = []
        self._passes = 0
        # What a state holds that the script has yet to register.
        self._unclaimed: list[Any] = []
        # Whether a state that was restored is of another epoch, or of the place before one.
        self._goes_back = False
        self._place = Place()
        self._is_in_batches = False
        # Whether the epochs go on within one pass of the script's.
        self._is_endless = False
        self._exits = Exits()
        self._restored: Optional[bytes] = None
        # Batches and examples since the last update.
        self._batches = self._seen = 0
        self._idle_passes = 0
        self.loop: Optional[Loop] = None
        if begun.requests is not None:
            begun.requests.answer_by(self)
            self.loop = Loop(begun.requests, self._read)
            atexit.register(say_if_ended_early, self.loop)

    @property
    def info(self) -> TrainerInfo:
        """What is trained on. A place in the data can be gone back to where `epochs` is in use, with `batches`."""
        return replace(self._info, snapshots=self._info.snapshots and self._epoch is not None)

    def register(self, *, save: Callable[[], Any], load: Callable[[Any], None]) -> None:
        """Adds state of the script's own, such as an average of the weights, to what a stopped run goes on from."""
        self._registered.append((save, load))
        if self._unclaimed:
            load(self._unclaimed.pop(0))

    def epochs(self, count: int) -> Iterator[int]:
        """The epochs of the loop, from 0: ``count`` alone, and under cyclr as many as it takes."""
        if self.loop is None:
            for epoch in range(count):
                yield epoch
                if self.alone is not None:
                    self.alone.after_epoch()
            return
        self._epoch = 0
        while True:
            self._epoch_began, self._passes = None, 0
            self._hear()
            self._begin_epoch()
            yield self._epoch
            # A pass that was left early for an epoch that was restored is none.
            if self._restored is None:
                self._epoch += 1

    def batches(self, loader: Iterable[T]) -> Iterator[T]:
        """The batches of one pass over a loader. Requests are answered between them, when the body is through."""
        if self.loop is None:
            yield from loader
            return
        while True:
            self._hear()
            if self._goes_back:
                return
            yield from self._pass(loader)
            # A state of this epoch that was restored in mid-pass starts it anew, at its own place.
            if self._restored is None or self._goes_back:
                return

    def step(self, *, loss: Any = None, correct: Any = None) -> None:
        """Counts an update; call it after the optimizer's. With torch, a call without one since the last call counts none.

        Args:
            loss: The mean loss of the update's batch before the update.
            correct: How many examples of the batch were classified correctly.
        """
        if self.loop is None:
            if self.alone is not None:
                self.alone.after_update()
            return
        self._made(loss, correct)

    @property
    def is_driven(self) -> bool:
        """Whether a cyclr drives this script."""
        return self.loop is not None

    def updates(self, hypers: Any) -> list[list[Metric]]:
        """Updates are made by the loop; only none at all are asked for here."""
        if hypers:
            raise CyclrError("updates are made by the loop")
        return []

    def evaluate(self, split: Split) -> Evaluation:
        """Measures a split, with the generators as they were afterwards."""
        if self._evaluate is None:
            raise CyclrError("there is no evaluate=... to measure with")
        generators = self._random()
        try:
            result = self._evaluate(split)
        finally:
            self._set_random(generators)
        return evaluation_of(result, self.info.objective, getattr(self.info, split))

    def state(self) -> bytes:
        """All that later updates depend on."""
        if self._restored is not None:
            return self._restored
        place = {
            "epoch": self._epoch,
            "epoch_began": self._epoch_began,
            "registered": self._registered_began if self._epoch_began is not None else None,
            "passes": self._passes,
            "given": self._place.given,
            "began": self._place.began,
            "left": self._exits.seen,
        }
        return self._packed({"place": place, "random": self._random(), **self._own_state()})

    def restore(self, state: bytes) -> None:
        """Goes on from a state; the place in the data is gone to when the next pass begins."""
        can_go_back = self._is_in_batches or self._epoch is not None
        if self.loop is not None and self.loop.updates_done > 0 and not can_go_back:
            raise CyclrError(
                "a state is restored before the first update, or under `batches`: iterate lr.batches(loader), "
                "or start another process"
            )
        saved = self._unpacked(state)
        place = saved["place"]
        # States of earlier versions do not tell.
        if place.get("passes"):
            raise CyclrError(
                "the script goes through the training data several times in an epoch, or makes updates outside of a pass, and "
                "the state is of a later pass than the first: it cannot go on from there; start this run anew"
            )
        self._exits.restore(place.get("left"), place["given"])
        self._set_own_state(saved)
        self._restored = state
        self._place = Place()
        is_here = place["epoch"] == self._epoch and place["epoch_began"] is not None and self._passes == 0
        self._goes_back = self._epoch is not None and not is_here
        self._epoch = place["epoch"]

    def _begin_epoch(self) -> None:
        """Notes what the head of the epoch may draw from or change, or puts back what was noted."""
        if self._restored is not None:
            self._return_to_epoch(self._unpacked(self._restored))
        self._goes_back = False
        self._epoch_began = self._random()
        if self.info.snapshots:
            self._registered_began = self._copied([save() for save, _ in self._registered])

    def _return_to_epoch(self, saved: dict[str, Any]) -> None:
        # What followed the pass in the script may have changed it.
        self._set_own_state(saved)
        place = saved["place"]
        if place["epoch_began"] is None:
            # The state is of this very place, between two epochs.
            self._set_random(saved["random"])
            self._restored = None
            return
        # States of earlier versions do not tell.
        self._load(place.get("registered") or [])
        self._set_random(place["epoch_began"])

    def _pass(self, loader: Iterable[T]) -> Iterator[T]:
        iterator, epoch_began = self._begin_pass(loader), self._epoch_began
        self._is_in_batches = True
        try:
            for batch in iterator:
                self._place.given += 1
                if self._exits.ends(self._here(is_used=False)):
                    return
                self._batches += 1
                self._seen += examples_in(batch)
                self._place.done = self._done()
                yield batch
                if self._exits.ends(self._here(is_used=True)):
                    return
                # What follows a pass in the script belongs to it: the next pass hears then.
                if self._epoch is None or self._place.given < self._place.length:
                    self._hear()
                if self._restored is not None:
                    return
            self._check_idle()
            self._exits.stay()
        except GeneratorExit:
            self._exits.leave(self._here(is_used=self._done() != self._place.done))
            raise
        finally:
            self._is_in_batches = False
            if self._restored is None:
                self._place = Place()
                # A script may hold a pass that it left until the next epoch.
                self._passes += self._epoch_began is epoch_began

    def _is_within_pass(self, place: dict[str, Any]) -> bool:
        return place["given"] > 0 or (self._is_endless and place["epoch"] > 0)

    def _here(self, is_used: bool) -> Exit:
        return [self._epoch if self._is_endless else None, self._place.given, is_used]

    def _done(self) -> int:
        """What has been done with the batches: a number that grows."""
        assert self.loop is not None
        return self.loop.updates_done

    def _check_idle(self) -> None:
        """Refuses to go on for good where nothing is trained; the first pass may be the rest of one."""
        self._idle_passes += 1
        if self._idle_passes > 1:
            raise CyclrError(
                "a whole pass over the training batches made no update: call lr.step() after optimizer.step() of an optimizer "
                "that attach() has, and iterate another loader where nothing is trained"
            )

    def _begin_pass(self, loader: Iterable[T]) -> Iterator[T]:
        """The batches of a pass, from its start or from where a state that was restored is."""
        saved = None if self._restored is None else self._unpacked(self._restored)
        self._restored = None
        self._place = Place(loader)
        if saved is not None or not self._is_endless:
            self._exits.begin(saved is not None and self._is_within_pass(saved["place"]), saved is not None)
        if saved is not None and saved["place"]["began"] is not None:
            self._go_to_start(loader, saved["place"]["began"])
            self._place.given = saved["place"]["given"]
        elif saved is not None:
            self._set_random(saved["random"])
        self._place.began = self._start_of(loader)
        iterator = self._open(loader)
        for _ in range(self._place.given):
            next(iterator)
        if saved is not None and self._place.given > 0:
            # The head of the epoch, and what gives the batches, may have changed it.
            self._set_own_state(saved)
            self._set_random(saved["random"])
        return iterator

    def _open(self, loader: Iterable[T]) -> Iterator[T]:
        return iter(loader)

    def _hear(self) -> None:
        """Answers requests until there is an update to make, and sets its rate; ends the process if there is none."""
        assert self.loop is not None
        if self._exits.failure is not None:
            raise self._exits.failure
        self.loop.hear_or_exit()
        self._set(self.loop.hyper)

    def _made(self, loss: Any, correct: Any) -> None:
        assert self.loop is not None
        if loss is None:
            raise CyclrError("there is no loss: give it, as in lr.step(loss=loss)")
        self._count(loss, correct)

    def _count(self, loss: Any, correct: Any) -> None:
        assert self.loop is not None
        self._check_update(self.loop)
        self.loop.made(Figures(loss, self._seen or self.info.batch, correct))
        self._batches = self._seen = self._idle_passes = 0
        if self._is_in_batches:
            if self.loop.has_update:
                self._set(self.loop.hyper)
            return
        self._hear()

    def _check_update(self, loop: Loop) -> None:
        if not loop.has_update:
            raise CyclrError(
                "lr.step() comes before any rate was set: iterate lr.batches(loader) or lr.epochs(n), and call lr.step() "
                "once for each update"
            )
        if self._unclaimed:
            raise CyclrError(
                f"{len(self._unclaimed)} calls of lr.register() are missing that were made when the state was saved: call "
                "lr.register() before the epochs begin, or start this run anew"
            )
        if not self._is_in_batches and not self._is_endless and self.info.snapshots:
            raise CyclrError("lr.epochs() goes with lr.batches(loader): iterate the training batches by it")

    def _read(self, figures: Any) -> list[list[Metric]]:
        return [one.metrics() for one in figures]

    def _own_state(self) -> dict[str, Any]:
        return {"registered": [save() for save, _ in self._registered]}

    def _set_own_state(self, saved: dict[str, Any]) -> None:
        held, here = len(saved["registered"]), len(self._registered)
        if held < here:
            raise CyclrError(
                f"the state holds what {held} calls of lr.register() saved, and here are {here}: call lr.register() before the "
                "epochs begin, or start this run anew"
            )
        self._load(saved["registered"])

    def _load(self, states: list[Any]) -> None:
        for (_, load), state in zip(self._registered, states):
            load(state)
        self._unclaimed = states[len(self._registered) :]

    def _copied(self, value: Any) -> Any:
        return copy.deepcopy(value)

    def _random(self) -> Any:
        return random_state()

    def _set_random(self, state: Any) -> None:
        set_random_state(state)

    def _start_of(self, loader: Any) -> Any:
        """What the order of a pass that begins now depends on."""
        return self._random()

    def _go_to_start(self, loader: Any, start: Any) -> None:
        self._set_random(start)

    def _packed(self, state: dict[str, Any]) -> bytes:
        return pickle.dumps(state)

    def _unpacked(self, state: bytes) -> dict[str, Any]:
        return pickle.loads(state)  # type: ignore[no-any-return]
