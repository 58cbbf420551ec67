"""What the updates of a loop are made of: the steps of its optimizers, and its batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from torch.optim import Optimizer

from cyclr._cyclr import CyclrError
from cyclr.torch._counting import has_skipped, with_held


class Steps:
    """The steps of the update that is being made, compared with those of the updates before.

    Attributes:
        accumulate: The batches of an update; ``None`` if they are not counted.
        are_uneven: Whether not all optimizers make a step in each update. A script that goes on
            in mid-pass counts its batches from there, and so makes such steps at other places.
        are_late: Whether the script had drawn more batches before its first step than an update has,
            as one that fetches the next batch during an update. If the batches of an update are not
            known, they are those of the second one; until then it may have.
    """

    def __init__(self, accumulate: Optional[int], optimizers: Sequence[Optimizer] = ()) -> None:
        self.accumulate = accumulate
        self._optimizers = [{id(one) for one in with_held([optimizer])} for optimizer in optimizers]
        self._made: set[int] = set()
        self._first: Optional[tuple[set[int], int]] = None
        self._is_checked = False
        self.are_uneven = self.are_late = False
        self._tried: Optional[int] = None

    def __bool__(self) -> bool:
        return bool(self._made)

    def note(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """A step of an optimizer, as its hook tells it; one that AMP's scaler skips is none."""
        if not has_skipped(optimizer):
            self._made.add(id(optimizer))

    def tried(self, batches: int) -> None:
        """A step was made, or skipped by AMP's scaler, ``batches`` batches after the one before."""
        if self._tried is None:
            self._tried = batches
            self.are_late = batches > (1 if self.accumulate is None else self.accumulate)

    def end(self, batches: int) -> None:
        """An update ends, which took ``batches`` batches.

        Raises:
            CyclrError: The first two updates took as many, and another number was declared.
        """
        self.tried(batches)
        made, self._made = self._made, set()
        if self._first is None:
            self._first = made, batches
            self.are_uneven = any(made.isdisjoint(one) for one in self._optimizers)
            return
        self.are_uneven = self.are_uneven or made != self._first[0]
        if not self._is_checked:
            self._is_checked = True
            if self.accumulate is None:
                self.are_late = self._tried is not None and batches < self._tried
            self._check(batches)

    def _check(self, batches: int) -> None:
        assert self._first is not None
        # A loop may draw batches that are not seen.
        if self.accumulate is None or batches != self._first[1] or batches in (0, self.accumulate):
            return
        raise CyclrError(
            f"each update takes {batches} batches of train=..., and attach() says {self.accumulate}: give "
            f"accumulate={batches}, by which the updates of an epoch are counted"
        )
