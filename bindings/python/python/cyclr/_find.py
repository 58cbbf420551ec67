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
class Probe:
    """A short training that shows what a rate is worth.

    Attributes:
        lr: Its highest rate; it warms up over 5 % of the updates and then falls to zero.
        updates: Its updates.
        repeat: Which of the seeds it ran on, counted from 0.
        loss: The mean training loss of its last fifth; ``None`` where it diverged.
        figure: The mean of the deciding figure beside the loss there, where there is one.
        made: The updates that were made.
    """

    lr: float
    updates: int
    repeat: int
    loss: Optional[float]
    figure: Optional[float]
    made: int


@dataclass(frozen=True)
class Found:
    """What a range test found.

    Attributes:
        answer: The bounds, or why there is no reliable answer.
        probes: The short trainings that ``max_lr`` is read from, in the order in which they were made; none where a sweep of
            your own was asked for, whose answer no probe confirms.
        reading: What the sweeps say by themselves, as the paper reads them.
        curves: What each sweep measured.
        given_weights: Whether all runs started from the same weights, so that they differ in the order of the data only.
    """

    answer: Union[Bounds, NoAnswer]
    probes: Sequence[Probe] = field(repr=False)
    reading: Reading = field(repr=False)
    curves: Sequence[Curve] = field(repr=False)
    given_weights: bool

    @property
    def bounds(self) -> Optional[Bounds]:
        """The bounds, or ``None`` where there is no reliable answer."""
        return self.answer if isinstance(self.answer, Bounds) else None

    @property
    def updates(self) -> int:
        """The updates that sweeps and probes together made."""
        return sum(len(curve.lr) for curve in self.curves) + sum(probe.made for probe in self.probes)

    def suggest(
        self,
        *,
        examples: int,
        batch: int,
        updates: Optional[int] = None,
        epochs: Optional[float] = None,
        policy: str = "triangular2",
    ) -> Spec:
        """The policy of that name between the bounds, with the cycles that suit a budget (see `cyclr.suggest`).

        Raises:
            CyclrError: There is no reliable answer; the message says why and what to try.
        """
        if isinstance(self.answer, NoAnswer):
            raise _cyclr.CyclrError(str(self.answer))
        return suggest(self.answer, examples=examples, batch=batch, updates=updates, epochs=epochs, policy=policy)

    def plot(self, ax: Optional[Axes] = None) -> Axes:
        """Draws the curves and the bounds with matplotlib."""
        from cyclr._plot import plot_found

        return plot_found(self, ax)

    def __str__(self) -> str:
        return str(self.answer)


def find(
    build: Build,
    *,
    budget: Optional[int] = None,
    updates: Optional[int] = None,
    repeats: int = 3,
    seed: int = 0,
    data_seed: int = 0,
    batch: Optional[int] = None,
    sweep: Optional[Sweep] = None,
    validation_points: Optional[int] = None,
) -> Found:
    """Makes a learning-rate range test with runs of its own, as ``cyclr find`` does.

    A short exponential sweep finds where the loss is least while the rate rises; short trainings around that rate, each
    with a peak of its own, show which peak is worth most.

    Args:
        build: Makes a run; it is handed a `Run`.
        budget: The updates of the training that the bounds are for. The test costs a tenth of them, but no less than a
            readable test needs.
        updates: What sweep and probes may cost together, at least 100 updates, instead [default, without a budget: 1000].
        repeats: How often a sweep of your own is made.
        seed: That of the first run; others have those that follow.
        data_seed: Handed to ``build``.
        batch: Handed to ``build``.
        sweep: A sweep of your own, read as the paper does, instead of the test.
        validation_points: Measures the validation split this number of times in that sweep, rather than the training batches.

    Raises:
        CyclrError: The test cannot be made, because it is too short, for instance.
        TrainerError: The trainer broke a promise. Its own exceptions go through as they are.
    """
    found = _cyclr.find(
        TrainerFactory(build, data_seed, batch),
        budget=budget,
        updates=updates,
        repeats=repeats,
        seed=seed,
        sweep=sweep,
        validation_points=validation_points,
    )
    return Found(
        answer=_answer(found["answer"]),
        probes=[Probe(**probe) for probe in found["probes"]],
        reading=reading(found["reading"]),
        curves=[_curve(curve) for curve in found["curves"]],
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
        test: What the test split showed at the end, of the averaged weights in a run that averages.
        compute_seconds: What the updates took.
        averages: What the validation split showed of the averaged weights, in a run that averages.
    """

    stop_reason: Literal["completed", "diverged"]
    updates_done: int
    evaluations: list[tuple[int, Evaluation]]
    test: Optional[Evaluation]
    compute_seconds: float
    averages: list[tuple[int, Evaluation]]


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
    average: Optional[str] = None,
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
        evaluate_every: Updates from one evaluation of the validation split to the next, besides at troughs and at the end.
        test: Whether the test split is read, once, at the end.
        average: ``"troughs"`` averages the weights at all troughs so far, ``"ensemble(3)"`` the predictions of the
            models at the last 3. The average is evaluated beside the model that is trained, and it alone is tested.
    """
    outcome = _cyclr.train(
        TrainerFactory(build, data_seed, batch),
        spec,
        seed=seed,
        updates=updates,
        epochs=epochs,
        evaluate_every=evaluate_every,
        test=test,
        average=average,
    )
    return Outcome(
        stop_reason=outcome["stop_reason"],
        updates_done=outcome["updates_done"],
        evaluations=[(done, _evaluation(metrics)) for done, _, metrics in outcome["evaluations"]],
        test=None if outcome["test"] is None else _evaluation(outcome["test"]),
        compute_seconds=outcome["compute_seconds"],
        averages=[(done, _evaluation(metrics)) for done, metrics in outcome["averages"]],
    )


def _evaluation(
    metrics: list[tuple[str, float, int, Literal["higher", "lower"], Optional[int]]],
) -> Evaluation:
    return Evaluation([Metric(*metric) for metric in metrics])
