"""What becomes of a schedule whose run goes on past its end."""

from __future__ import annotations

import warnings
from typing import Optional, Union

import cyclr
from cyclr._cyclr import Hyper, Spec

FOREVER = 2**53
"""A horizon for policies that do not depend on one."""


class Continued:
    """A schedule for training that may go on past the end of its run.

    A policy that does not depend on the run's length goes on. Any other holds its last rate, with
    a warning.
    """

    def __init__(
        self, spec: Union[Spec, str], *, updates: Optional[int], examples: Optional[int], batch: Optional[int]
    ) -> None:
        self.schedule = cyclr.Schedule(spec, updates=updates, examples=examples, batch=batch)
        self._endless = _endless(self.schedule, examples, batch)
        self._is_told = False

    def at(self, update: int) -> Hyper:
        """What update ``update``, counted from 0, uses."""
        if self._endless is not None:
            return self._endless.at(update)
        hyper = self.schedule.at(update)
        if update >= self.schedule.updates and not self._is_told:
            self._is_told = True
            warn_past_end(update, self.schedule.updates, [hyper.lr])
        return hyper

    def begin(self, updates_done: int, advice: str, is_new_run: bool = False) -> None:
        """Refuses to begin where a policy of this length cannot go on.

        Args:
            updates_done: The updates that the optimizer has made.
            advice: What to do instead.
            is_new_run: Whether the caller begins a run of the schedule's whole length.
        """
        updates = self.schedule.updates
        if self._endless is None and (updates_done >= updates or (is_new_run and updates_done > 0)):
            raise cyclr.CyclrError(
                f"the optimizer has made {updates_done} updates, and the schedule {str(self.schedule.spec)!r} is one of a "
                f"run of {updates} updates from the first: {advice}"
            )


def warn_past_end(update: int, updates: int, rates: list[float]) -> None:
    """Says that a rate stays what it is."""
    shown = ", ".join(f"{rate:g}" for rate in rates)
    told = (
        f"update {update} is past the end of a schedule of {updates} updates, and the learning rate stays at {shown}: "
        "make the schedule with the updates of the whole training"
    )
    warnings.warn(told, UserWarning, stacklevel=4)


def _endless(schedule: cyclr.Schedule, examples: Optional[int], batch: Optional[int]) -> Optional[cyclr.Schedule]:
    """The same policy without an end, or ``None`` where its rates depend on the length of the run."""
    try:
        endless = cyclr.Schedule(schedule.spec, updates=FOREVER, examples=examples, batch=batch)
    except cyclr.CyclrError:
        # It fits no run of that length: an exponential that grows, for instance.
        return None
    return endless if endless.agrees_with(schedule) else None
