"""A training loop that makes the updates which are asked for, one after another, and tells their figures."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

from cyclr._cyclr import CyclrError, Hyper
from cyclr._requests import Requests
from cyclr._trainer import Metric


@dataclass
class Figures:
    """What an update showed of its own training batch; values may still be on their way from a device.

    Attributes:
        loss: The mean over the batch.
        count: The examples.
        correct: How many of them were classified correctly.
    """

    loss: Any
    count: int
    correct: Any = None

    def metrics(self) -> list[Metric]:
        """The figures as metrics; reads what is on a device."""
        metrics = [Metric.loss(float(self.loss), self.count)]
        if self.correct is not None:
            metrics.append(Metric.accuracy(int(self.correct), self.count))
        return metrics


MANY_EPOCHS = 1_000_000
"""More than any training has. It is finite: scripts make their schedulers by it."""
MOST_SKIPPED = 100
"""After this many steps in a row that AMP's scaler skipped, no scale helps: the gradients are not finite."""

Read = Callable[[Sequence[Figures]], list[list[Metric]]]


def read_each(figures: Sequence[Figures]) -> list[list[Metric]]:
    """The metrics of some updates."""
    return [one.metrics() for one in figures]


class Loop:
    """The updates that are asked for, and what has been made of them."""

    def __init__(self, requests: Requests, read: Read = read_each) -> None:
        self.requests, self._read = requests, read
        self.updates_done = 0
        self.has_ended = False
        self._asked: list[Hyper] = []
        self._made: list[Figures] = []
        self._skipped = 0

    @property
    def has_update(self) -> bool:
        """Whether an update that was asked for is still to be made."""
        return len(self._made) < len(self._asked)

    @property
    def hyper(self) -> Hyper:
        """What the next update uses."""
        return self._asked[len(self._made)]

    def hear(self) -> bool:
        """Answers requests until there is an update to make; false at the end of the run."""
        if self.has_ended or self.has_update:
            return not self.has_ended
        self._answer()
        asked = self.requests.until_updates()
        self.has_ended = asked is None
        self._asked, self._made = asked or [], []
        return not self.has_ended

    def hear_or_exit(self) -> None:
        """As `hear`; the end of the run is the end of the process."""
        if not self.hear():
            sys.stdout.flush()
            raise SystemExit(0)

    def skipped(self, loss: Any) -> Any:
        """What is to be counted for a step that AMP's scaler skipped: nothing, unless training has diverged.

        Returns:
            ``None`` if the next batches make the update; else the loss to count, which is not finite.
        """
        self._skipped += 1
        if not math.isfinite(float(loss)):
            return float(loss)
        return math.nan if self._skipped >= MOST_SKIPPED else None

    def made(self, figures: Figures) -> None:
        """Counts an update that was made."""
        self._skipped = 0
        self._made.append(figures)
        self.updates_done += 1
        if isinstance(figures.loss, float) and not math.isfinite(figures.loss):
            # Nothing that comes after it means anything.
            del self._asked[len(self._made) :]

    def _answer(self) -> None:
        if not self._made:
            return
        told = []
        for metrics in self._read(self._made):
            told.append(metrics)
            if not all(math.isfinite(metric.value) for metric in metrics):
                break
        self.requests.answer_updates(told)


def ended_early(loop: Loop, advice: str) -> Optional[CyclrError]:
    """The error for a loop that ended though updates were still to be made."""
    if loop.has_ended or not loop.has_update:
        return None
    asked = loop.updates_done + len(loop._asked) - len(loop._made)
    total = loop.requests.updates
    wanted = f"at least {asked}" if total is None else max(total, asked)
    return CyclrError(f"the loop ended after {loop.updates_done} updates, and cyclr asks for {wanted}: {advice}")


def say_if_ended_early(loop: Loop) -> None:
    """Says on stderr that a loop came to its end before it was to; an exception speaks for itself."""
    error = ended_early(loop, _LONGER)
    if error is not None and getattr(sys, "last_value", None) is None:
        print(f"cyclr: {error}", file=sys.stderr)


_LONGER = "iterate lr.epochs(n), which goes on as long as it takes, or raise the script's own number of epochs"


def examples_in(batch: Any) -> int:
    """Examples of a batch: those of its last part that has a length; 0 if none has."""
    if hasattr(batch, "shape"):
        return int(batch.shape[0]) if len(batch.shape) else 1
    parts = list(batch.values()) if hasattr(batch, "values") else batch
    if isinstance(parts, (tuple, list)):
        for part in reversed(parts):
            if hasattr(part, "shape") and len(part.shape):
                return int(part.shape[0])
            if isinstance(part, (tuple, list)):
                return len(part)
    return 0
