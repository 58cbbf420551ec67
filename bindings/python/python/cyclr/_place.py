"""The place in the passes over the training data, to which a run that goes on from a state returns."""

from __future__ import annotations

from typing import Any, Optional

from cyclr._cyclr import CyclrError

Exit = list[Any]
"""Where a script leaves a pass: the epoch of an endless pass, the batches given, whether the last was used."""
VARIES: Exit = []


class Place:
    """The place in a pass: what its order depended on when it began, and the batches that were given."""

    def __init__(self, loader: Any = None) -> None:
        self.began: Any = None
        self.given = 0
        self.length: float = _length(loader)
        # What was done before the last batch was given.
        self.done = 0


def _length(loader: Any) -> float:
    try:
        return len(loader)
    except TypeError:
        # A DataLoader has the method, also over a data set without a length.
        return float("inf")


class Exits:
    """Where a script leaves its passes before their end, as by ``break``.

    If it is restored in mid-pass, it counts the batches from 0 again, and would leave that pass
    later than the straight run did. So the pass is ended for it where the passes before were left.

    Attributes:
        seen: Where passes were left, ``VARIES`` if at several places, and ``None`` if they were not.
        failure: Why the run cannot go on exactly, once that is known.
        is_left: Whether the present pass was ended for the script.
    """

    def __init__(self) -> None:
        self.seen: Optional[Exit] = None
        self.failure: Optional[CyclrError] = None
        self.is_left = False
        self._is_within_pass = self._was_within_pass = False

    def restore(self, seen: Optional[Exit], given: int) -> None:
        """Goes on from a state, before which passes were left as ``seen`` says.

        Raises:
            CyclrError: It is not known where the pass will be left.
        """
        if seen == VARIES and given > 0:
            raise CyclrError(
                "the script leaves its passes over the training data at different places, so that it cannot go on in the middle of one: "
                "start this run anew"
            )
        self.seen = seen

    def begin(self, is_within_pass: bool, is_restored: bool) -> None:
        """A pass begins, from its start or from within it."""
        self._is_within_pass = is_within_pass
        if is_restored:
            self._was_within_pass = is_within_pass

    def ends(self, here: Exit) -> bool:
        """Whether the pass is to be ended for the script here."""
        self.is_left = self._is_within_pass and here == self.seen
        return self.is_left

    def leave(self, here: Exit) -> None:
        """The script has left a pass."""
        if self._was_within_pass and self.seen is None:
            self.failure = CyclrError(
                "the script leaves its passes over the training data before their end, and was restored in the middle of the first, when "
                "that was not known: it cannot go on exactly; start this run anew"
            )
        self.seen = here if self.seen in (None, here) else VARIES

    def stay(self) -> None:
        """The script went through a pass to its end."""
        self.seen = self.seen and VARIES
