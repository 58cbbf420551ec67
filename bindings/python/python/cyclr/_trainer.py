"""What is trained: the interface between the experiments and any training code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Literal, Optional, Protocol

from cyclr._cyclr import Hyper

Direction = Literal["higher", "lower"]
Split = Literal["validation", "test"]


@dataclass(frozen=True)
class Objective:
    """The figure that decides which of two runs is better.

    Attributes:
        name: The name of its metric.
        direction: Whether more or less is better.
        unit: ``"points"`` for a fraction that people read in per cent, ``"own"`` for anything else.
    """

    name: str
    direction: Direction
    unit: Literal["points", "own"] = "own"


@dataclass(frozen=True)
class TrainerInfo:
    """What a run trains on and what it can vary.

    Attributes:
        examples: Training examples, without those set aside for validation.
        batch: Examples of an optimizer update, gradient accumulation included.
        validation: Validation examples; 0 where there are none, and then whatever decides is refused.
        test: Test examples; 0 where there are none.
        momentum: Whether the momentum of an update is obeyed.
        weight_decay: Whether its weight decay is obeyed.
        snapshots: Whether `Trainer.state` and `Trainer.restore` work.
        given_weights: Whether training starts from given weights, so that the seed decides the order of the data only.
        objective: What decides; without it, the first metric of an evaluation that is not the loss, or the loss.
        averages: Whether it is an `AveragingTrainer`.
        ensembles: Whether its `average` also takes ``ensemble``.
        data_checksum: A text that changes if the examples or the splits do. A run or comparison goes on only with the
            data that it was begun with.
    """

    examples: int
    batch: int
    validation: int = 0
    test: int = 0
    momentum: bool = False
    weight_decay: bool = False
    snapshots: bool = False
    given_weights: bool = False
    objective: Optional[Objective] = None
    averages: bool = False
    ensembles: bool = False
    data_checksum: Optional[str] = None


@dataclass(frozen=True)
class Metric:
    """One measured figure.

    Attributes:
        name: ``"loss"``, ``"accuracy"`` or your own. The first that is not the loss decides.
        value: The mean over ``count`` examples; NaN or infinite is how divergence shows.
        count: The examples.
        direction: Whether more or less is better.
        correct: Of an accuracy, the number correct.
    """

    name: str
    value: float
    count: int
    direction: Direction = "lower"
    correct: Optional[int] = None

    @classmethod
    def loss(cls, value: float, count: int) -> Metric:
        """The mean loss over ``count`` examples."""
        return cls("loss", float(value), count)

    @classmethod
    def accuracy(cls, correct: int, count: int) -> Metric:
        """The share of ``count`` examples that were classified correctly."""
        return cls("accuracy", correct / count, count, "higher", correct)


@dataclass(frozen=True)
class Evaluation:
    """What a held-out split showed; ``correct`` says of each example, in the split's fixed order, whether it was."""

    metrics: Sequence[Metric]
    correct: Optional[Sequence[bool]] = None


@dataclass(frozen=True)
class Run:
    """What a run is told before it starts.

    Attributes:
        seed: Decides the initial weights, the order of the data, and dropout.
        data_seed: Decides which examples are set aside for validation; the same for all runs that are compared.
        batch: Examples of an update, where the script is not to choose.
    """

    seed: int = 0
    data_seed: int = 0
    batch: Optional[int] = None


class Trainer(Protocol):
    """One model under training. `cyclr.torch.Trainer` is one."""

    @property
    def info(self) -> TrainerInfo:
        """What it trains on; constant for the life of a run."""
        ...

    def updates(self, hypers: Sequence[Hyper]) -> Sequence[Sequence[Metric]]:
        """Makes an optimizer update for each element and returns the metrics of each training batch before the update.

        After the first whose metrics are not all finite it stops, and returns those made so far.
        """
        ...

    def evaluate(self, split: Split) -> Evaluation:
        """Measures the model on a held-out split, leaving no trace in the training."""
        ...

    def state(self) -> bytes:
        """Everything that later updates depend on."""
        ...

    def restore(self, state: bytes) -> None:
        """Continues from a state."""
        ...


class AveragingTrainer(Trainer, Protocol):
    """A trainer that keeps a running average of its weights. `cyclr.torch.Trainer` is one."""

    def average(self, ensemble: Optional[int] = None) -> None:
        """Takes the model as it stands into the running average of the weights, which belongs to its state.

        With ``ensemble``, which only a trainer is given that says ``ensembles``, it is kept as one of the last ``ensemble``
        models, whose predictions are averaged.
        """
        ...

    def evaluate_average(self, split: Split) -> Evaluation:
        """As `Trainer.evaluate`, with the averaged weights and the norm statistics that go with them, or of the ensemble."""
        ...


Build = Callable[[Run], Trainer]
"""Makes a run: a function of yours that sets up model, data and optimizer."""


class TrainerFactory:
    """Makes runs that differ by their seed alone, as the extension asks for them."""

    def __init__(self, build: Build, data_seed: int, batch: Optional[int]) -> None:
        self._build, self._data_seed, self._batch = build, data_seed, batch

    def start(self, seed: int) -> Trainer:
        """A fresh run."""
        return self._build(Run(seed, self._data_seed, self._batch))
