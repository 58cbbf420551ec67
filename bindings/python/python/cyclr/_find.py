"""The range test and the run, over any `Trainer`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

from cyclr import _cyclr
from cyclr._advice import suggest
from cyclr._cyclr import Spec
from cyclr._range import Bounds, Curve, NoAnswer, Reading, _answer, reading
from cyclr._trainer import Build, Evaluation, Metric, TrainerFactory

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Sweep:
    """A sweep of your own: the rate goes from ``start`` to ``end`` in ``updates`` updates of each repeat."""

    start: float
    end: float
    updates: int
    shape: Literal["linear", "exponential"] = "linear"


@dataclass(frozen=True)
class Found:
    """What a range test found.

    Attributes:
        answer: The bounds, or why there is no reliable answer.
        reading: What the repeats say, one by one.
        curves: What each repeat measured.
        scale: What the exponential sweep says that came first, to find the scale; each bound that more of its repeats
            show is read from it. ``None`` where a sweep was given.
        scale_curves: What each of its repeats measured.
        given_weights: Whether all repeats started from the same weights, so that intervals cover the order of the data
            and not other initial weights.
    """

    answer: Union[Bounds, NoAnswer]
    reading: Reading = field(repr=False)
    curves: Sequence[Curve] = field(repr=False)
    scale: Optional[Reading] = field(repr=False)
    scale_curves: Sequence[Curve] = field(repr=False)
    given_weights: bool

    @property
    def bounds(self) -> Optional[Bounds]:
        """The bounds, or ``None`` where there is no reliable answer."""
        return self.answer if isinstance(self.answer, Bounds) else None

    @property
    def read_curves(self) -> Sequence[Curve]:
        """The curves that ``max_lr`` is read from: those of the exponential sweep where more repeats of it show one."""
        return self.curves if self.answer == self.reading.answer else self.scale_curves

    @property
    def updates(self) -> int:
        """The updates that all sweeps together made."""
        return sum(len(curve.lr) for curve in [*self.curves, *self.scale_curves])

    def suggest(
        self,
        *,
        examples: int,
        batch: int,
        updates: Optional[int] = None,
        epochs: Optional[float] = None,
    ) -> Spec:
        """``triangular2`` between the bounds, with the cycles that suit a budget.

        Raises:
            CyclrError: There is no reliable answer; the message says why and what to try.
        """
        if isinstance(self.answer, NoAnswer):
            raise _cyclr.CyclrError(str(self.answer))
        return suggest(self.answer, examples=examples, batch=batch, updates=updates, epochs=epochs)

    def plot(self, ax: Optional[Axes] = None) -> Axes:
        """Draws the curves and the bounds with matplotlib."""
        from cyclr._plot import plot_found

        return plot_found(self, ax)

    def __str__(self) -> str:
        return str(self.answer)


def find(
    build: Build,
    *,
    updates: int = 3000,
    repeats: int = 3,
    seed: int = 0,
    data_seed: int = 0,
    batch: Optional[int] = None,
    sweep: Optional[Sweep] = None,
    validation_points: Optional[int] = None,
) -> Found:
    """Makes a learning-rate range test with runs of its own, and reads the bounds as ``cyclr find`` does.

    A short exponential sweep over eight decades finds the scale, a linear one reads the bounds; each is repeated from
    other seeds.

    Args:
        build: Makes a run; it is handed a `Run`.
        updates: Those of all sweeps together.
        repeats: How often each sweep is made.
        seed: That of the first repeat; the others have those that follow.
        data_seed: Handed to ``build``.
        batch: Handed to ``build``.
        sweep: The sweep, where it is not to be found out; ``updates`` is then not used.
        validation_points: Measures the validation split so many times in a sweep, rather than the training batches.

    Raises:
        CyclrError: The sweeps cannot be made, because they are too short, for instance.
        TrainerError: The trainer broke a promise. Its own exceptions go through as they are.
    """
    found = _cyclr.find(
        TrainerFactory(build, data_seed, batch),
        repeats=repeats,
        updates=updates,
        seed=seed,
        sweep=sweep,
        validation_points=validation_points,
    )
    return Found(
        answer=_answer(found["answer"]["bounds"], found["answer"]["no_answer"]),
        reading=reading(found["reading"]),
        curves=[_curve(curve) for curve in found["curves"]],
        scale=reading(found["scale"]) if found["scale"] else None,
        scale_curves=[_curve(curve) for curve in found["scale_curves"]],
        given_weights=found["given_weights"],
    )


def _curve(measured: dict[str, Any]) -> Curve:
    columns = {name: measured[name] for name in ("loss", "figure")}
    present = {name: None if None in values else values for name, values in columns.items()}
    return Curve(**{**measured, **present})


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Attributes:
        stop_reason: ``"completed"`` or ``"diverged"``.
        updates_done: The updates made.
        evaluations: What the validation split showed, each with the updates made before it.
        test: What the test split showed at the end.
        compute_seconds: What the updates took.
    """

    stop_reason: Literal["completed", "diverged"]
    updates_done: int
    evaluations: list[tuple[int, Evaluation]]
    test: Optional[Evaluation]
    compute_seconds: float


def train(
    build: Build,
    spec: Union[Spec, str],
    *,
    updates: Optional[int] = None,
    epochs: Optional[float] = None,
    seed: int = 0,
    data_seed: int = 0,
    batch: Optional[int] = None,
    evaluate_every: Optional[int] = None,
    test: bool = True,
) -> Outcome:
    """Trains one run under a spec; a cyclical one ends at its last trough within the budget.

    Args:
        build: Makes the run; it is handed a `Run`.
        spec: The policy.
        updates: The budget in optimizer updates.
        epochs: The budget in passes over the data, instead.
        seed: That of the run.
        data_seed: Handed to ``build``.
        batch: Handed to ``build``.
        evaluate_every: Evaluates on the validation split after so many updates, besides at troughs and at the end.
        test: Whether the test split is read, once, at the end.
    """
    outcome = _cyclr.train(
        TrainerFactory(build, data_seed, batch),
        spec,
        seed=seed,
        updates=updates,
        epochs=epochs,
        evaluate_every=evaluate_every,
        test=test,
    )
    return Outcome(
        stop_reason=outcome["stop_reason"],
        updates_done=outcome["updates_done"],
        evaluations=[(done, _evaluation(metrics)) for done, _, metrics in outcome["evaluations"]],
        test=None if outcome["test"] is None else _evaluation(outcome["test"]),
        compute_seconds=outcome["compute_seconds"],
    )


def _evaluation(
    metrics: list[tuple[str, float, int, Literal["higher", "lower"], Optional[int]]],
) -> Evaluation:
    return Evaluation([Metric(*metric) for metric in metrics])
