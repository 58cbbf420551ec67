"""What may be said of the final figures of several runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Optional

from cyclr import _cyclr


@dataclass(frozen=True)
class Summary:
    """A sample in short.

    Attributes:
        n: The number of values.
        mean: Their mean.
        sd: Their standard deviation (n - 1); ``None`` for one value.
        interval: The 95 % t-interval of the mean; ``None`` for one value.
    """

    n: int
    mean: float
    sd: Optional[float]
    interval: Optional[tuple[float, float]]


@dataclass(frozen=True)
class Judged:
    """One arm beside the reference.

    Attributes:
        verdict: ``"better"``, ``"worse"``, ``"equivalent"`` or ``"undecided"``.
        obstacle: What stood in the way, where it is undecided.
        difference: The paired differences, arm less reference, with their own 95 % interval;
            ``None`` for the interval if they do not vary.
        p: Of the paired t-test, after Holm over all arms.
        tost_p: Of the test for equivalence, after Holm over all arms.
        within_margin: Whether the difference is shown to be smaller than the margin.
    """

    verdict: Literal["better", "worse", "equivalent", "undecided"]
    obstacle: Optional[str]
    difference: Summary
    p: float
    tost_p: float
    within_margin: bool


def summary(values: Sequence[float]) -> Summary:
    """Size, mean, standard deviation and 95 % interval of a sample."""
    return Summary(**_cyclr.summary(list(values)))


def judge(
    reference: Sequence[float],
    arms: Mapping[str, Sequence[float]],
    *,
    margin: float,
    better: Literal["higher", "lower"] = "higher",
) -> dict[str, Judged]:
    """Compares each arm with the reference, value by value on the same seeds.

    Args:
        reference: A figure of the reference for each seed.
        arms: The same for each arm, in the same order of seeds.
        margin: Differences smaller than this do not matter, in the unit of the values.
        better: Whether more or less of the figure is better.
    """
    found = _cyclr.judge(list(reference), [list(arm) for arm in arms.values()], margin, better)
    return {name: Judged(**{**each, "difference": Summary(**each["difference"])}) for name, each in zip(arms, found)}
