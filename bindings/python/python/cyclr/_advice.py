"""How long a cycle should be, how many there should be, and what replaces a stepped schedule (arXiv 1506.01186)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from cyclr import _cyclr
from cyclr._cyclr import Spec
from cyclr._range import Bounds


@dataclass(frozen=True)
class Length:
    """How long a run is: ``updates``, or ``epochs`` of ``examples`` in batches of ``batch``."""

    updates: Optional[int]
    epochs: Optional[float]
    examples: Optional[int]
    batch: Optional[int]


@dataclass(frozen=True)
class Cycles:
    """Cycles that suit a budget.

    Attributes:
        step: Updates of half a cycle.
        cycles: Their number.
        updates: Those of the whole run, at most the budget; it ends at the end of a cycle.
        step_epochs: ``step`` in epochs.
        short: Whether a step is below the 2 epochs that the paper recommends as the least.
    """

    step: int
    cycles: int
    updates: int
    step_epochs: float
    short: bool


def cycles(*, examples: int, batch: int, updates: Optional[int] = None, epochs: Optional[float] = None) -> Cycles:
    """The step size and the number of cycles for a budget."""
    return Cycles(**_cyclr.cycles(Length(updates, epochs, examples, batch)))


def base_from_max(max_lr: float, cycles: int) -> tuple[float, float]:
    """The range in which ``base_lr`` should lie, where only ``max_lr`` is known (Smith: a third or a fourth of it)."""
    return _cyclr.base_from_max(max_lr, cycles)


def cyclical(
    stepped: Union[Spec, str],
    *,
    examples: int,
    batch: int,
    updates: Optional[int] = None,
    epochs: Optional[float] = None,
    ratio: float = 5.0,
) -> Spec:
    """The cyclical equivalent of a stepped schedule: each rate becomes ``triangular2`` up to ``ratio`` times it."""
    return _cyclr.cyclical(stepped, Length(updates, epochs, examples, batch), ratio)


def suggest(
    bounds: Bounds,
    *,
    examples: int,
    batch: int,
    updates: Optional[int] = None,
    epochs: Optional[float] = None,
    policy: str = "triangular2",
) -> Spec:
    """The policy of that name between the bounds of a range test, with the cycles that suit the budget.

    ``policy`` is ``triangular2``, or one without cycles, whose peak is then ``max_lr``: ``linear``, ``cosine``,
    ``one_cycle``, ``rex`` and others that the error for a wrong name lists. A rate that does not fall to the end is
    lower: ``triangular`` peaks at ``max_lr / 1.4``, and ``fixed`` stays at ``max_lr / 4``.
    """
    run = Length(updates, epochs, examples, batch)
    return _cyclr.suggest(policy, bounds.base_lr.value, bounds.max_lr.value, run)
