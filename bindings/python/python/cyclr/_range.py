"""What range tests showed, and the bounds that are read from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union

from cyclr import _cyclr


@dataclass(frozen=True)
class Estimate:
    """A rate with its interval.

    Attributes:
        value: The rate.
        low: The interval's lower end.
        high: Its upper end.
        interval: What the interval is: its level, and what it covers.
    """

    value: float
    low: float
    high: float
    interval: str

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}] ({self.interval})"


@dataclass(frozen=True)
class Bounds:
    """The two bounds of a cyclical policy.

    Attributes:
        base_lr: The lower bound: from probes a fixed fraction of ``max_lr``, from sweeps where the figure starts to leave
            its first plateau.
        max_lr: The upper bound: from probes the centre of the peaks that end nearly as well as the best, from sweeps where
            the figure slows, turns ragged or falls.
        held_by: The lowest rate at which a run diverged, where ``max_lr`` is held below it rather than read.
        fixed_lr: From probes the rate of a training that never lowers it.
    """

    base_lr: Estimate
    max_lr: Estimate
    held_by: Optional[float]
    fixed_lr: Optional[float]

    def __str__(self) -> str:
        return f"base_lr = {self.base_lr}, max_lr = {self.max_lr}"


@dataclass(frozen=True)
class NoAnswer:
    """There is no reliable answer.

    Attributes:
        kind: ``too_few_points``, ``nothing_learnt``, ``starts_too_high``, ``ends_before_slowing``,
            ``repeats_disagree``, ``diverges_at_once``, ``constant``, ``best_at_first``, ``smoothed``,
            ``not_repeats``; of probes ``hardly_learns``, ``no_better_than_untrained``, ``breaks_at_once``,
            ``probes_diverged``.
        reason: Why, with the values seen.
        advice: What to try.
    """

    kind: str
    reason: str
    advice: str

    def __str__(self) -> str:
        return f"no reliable answer: {self.reason}; {self.advice}"


@dataclass(frozen=True)
class Suggestions:
    """What single-number rules of other tools suggest from one sweep. None of them is the answer here.

    Attributes:
        minimum_tenth: A tenth of the rate at the smallest averaged loss (fastai's ``minimum``).
        steepest: Where the averaged loss falls steepest (fastai's ``steep``, torch-lr-finder's suggestion).
        valley: Half way along the longest valley (fastai's default).
        slide: Fastai's ``slide``.
    """

    minimum_tenth: float
    steepest: float
    valley: float
    slide: float


@dataclass(frozen=True)
class Curve:
    """One sweep, as it was measured; each list has an element for every update.

    Attributes:
        lr: The rates, strictly rising.
        loss: The mean training losses, where there are any.
        figure: The deciding figures beside the loss (accuracy, as a rule), where there are any.
        count: The examples measured.
        direction: Whether more or less of ``figure`` is better.
        diverged: The rate at which the sweep stopped because training diverged, if it did.
    """

    lr: list[float]
    loss: Optional[list[float]] = None
    figure: Optional[list[float]] = None
    count: Optional[list[int]] = None
    direction: Literal["higher", "lower"] = "higher"
    diverged: Optional[float] = None


@dataclass(frozen=True)
class Reading:
    """What the repeats of a range test say.

    Attributes:
        answer: The bounds, or why there is no reliable answer.
        repeats: ``(base_lr, max_lr)`` of each repeat by itself; ``None`` where it cannot be read.
        largest_stable: The largest rate at which every repeat was stable.
        suggestions: What other tools' rules suggest from each repeat.
    """

    answer: Union[Bounds, NoAnswer]
    repeats: list[Optional[tuple[float, float]]]
    largest_stable: Optional[float]
    suggestions: list[Optional[Suggestions]]


def read_bounds(curves: Sequence[Curve]) -> Reading:
    """Reads the bounds of a cyclical policy from the repeats of one range test, by the rule of ``cyclr find``.

    Raises:
        CyclrError: A curve is not a sweep: its rates do not rise, or a figure is finite again after one that is not.
    """
    return reading(_cyclr.read_bounds(list(curves)))


def reading(found: dict[str, Any]) -> Reading:
    """A reading from what the extension returns."""
    return Reading(
        answer=_answer(found["answer"]),
        repeats=found["repeats"],
        largest_stable=found["largest_stable"],
        suggestions=[one and Suggestions(**one) for one in found["suggestions"]],
    )


def _answer(answer: dict[str, Any]) -> Union[Bounds, NoAnswer]:
    bounds = answer["bounds"]
    if bounds is None:
        return NoAnswer(**answer["no_answer"])
    return Bounds(
        base_lr=Estimate(*bounds["base_lr"]),
        max_lr=Estimate(*bounds["max_lr"]),
        held_by=bounds["held_by"],
        fixed_lr=bounds["fixed_lr"],
    )
