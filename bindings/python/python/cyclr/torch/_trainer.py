"""A training in PyTorch as a `cyclr.Trainer`."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Callable, Optional, Union

import torch
from torch.optim import Optimizer

import cyclr
from cyclr._cyclr import Hyper, Spec
from cyclr._find import Outcome
from cyclr._trainer import Build, Evaluation, Metric, Split, TrainerInfo
from cyclr.torch._distributed import agreed, world_size
from cyclr.torch._figures import Figures, Sums, metrics_of
from cyclr.torch._groups import Groups
from cyclr.torch._state import (
    Everything,
    State,
    capture_order,
    capture_random,
    restore_order,
    restore_random,
)

Step = Callable[[Any], Figures]


class Trainer:
    """A model, an optimizer and data, trained one optimizer update at a time.

    Args:
        model: The model.
        optimizer: Its optimizer, or several that are stepped together. A rate multiplies the factors of their groups:
            their rates relative to that of the very first.
        loss_fn: ``loss_fn(outputs, targets)``, a mean over the batch; not used where ``step`` is given.
        loader: Gives the training batches, ``(inputs, targets)``, pass after pass: a `DataLoader` or anything like it
            that can be iterated again and again.
        validation: A loader of held-out data that decides; in a fixed order.
        test: A loader of held-out data that is read once; in a fixed order.
        step: An update of your own, instead of ``loss_fn``: it is given a batch (a list of them where ``accumulate`` is
            above 1), does all of the update with the rates that the optimizer has, and returns the figures of the batch
            before the update: ``{"loss": 0.7}``, and ``{"correct": 93, "count": 100}`` beside it for an accuracy; or, for
            figures of other names, a list of `cyclr.Metric`.
        evaluate: A measurement of your own: it is given ``"validation"`` or ``"test"`` and returns what ``step`` does.
        scaler: A `torch.amp.GradScaler`.
        autocast: A context for the forward pass, such as ``torch.autocast("cuda", torch.bfloat16)``.
        accumulate: Batches of an update.
        clip: The largest norm of the gradients.
        device: Where batches are sent; that of the first parameter where it is not given.
        given_weights: Whether the weights were given, so that seeds decide the order of the data only.
        examples: Training examples, where the loader does not tell.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: Union[Optimizer, Sequence[Optimizer]],
        loss_fn: Optional[Callable[[Any, Any], torch.Tensor]],
        loader: Any,
        *,
        validation: Any = None,
        test: Any = None,
        step: Optional[Step] = None,
        evaluate: Optional[Callable[[Split], Figures]] = None,
        scaler: Optional[Any] = None,
        autocast: Optional[AbstractContextManager[Any]] = None,
        accumulate: int = 1,
        clip: Optional[float] = None,
        device: Union[torch.device, str, None] = None,
        given_weights: bool = False,
        examples: Optional[int] = None,
    ) -> None:
        if loss_fn is None and step is None:
            raise ValueError("there is neither a loss_fn nor a step: give one of them")
        if hasattr(loader, "__next__"):
            raise TypeError("loader is an iterator, which can be gone through once: give the loader itself")
        optimizers = [optimizer] if isinstance(optimizer, Optimizer) else list(optimizer)
        if step is None and any(isinstance(one, torch.optim.LBFGS) for one in optimizers):
            raise cyclr.CyclrError(
                "LBFGS measures the loss several times in an update: give step=..., which calls its step(closure)"
            )
        if accumulate < 1:
            raise ValueError(f"accumulate = {accumulate}: it must be at least 1")
        self.model, self.loss_fn, self.loader = model, loss_fn, loader
        self.optimizers = optimizers
        self.held_out = {"validation": validation, "test": test}
        self.own_step, self.own_evaluate = step, evaluate
        self.scaler, self.autocast = scaler, autocast or contextlib.nullcontext()
        self.accumulate, self.clip = accumulate, clip
        first = next(model.parameters(), None)
        self.device = device if device is not None else torch.device("cpu") if first is None else first.device
        self.groups = Groups(self.optimizers)
        self.batches = Batches(loader)
        self.everything = Everything(model, self.optimizers, scaler, [loader])
        self._info = self._found_info(examples, given_weights)

    @property
    def info(self) -> TrainerInfo:
        """What is trained on and what can be varied."""
        return self._info

    def updates(self, hypers: Sequence[Hyper]) -> list[list[Metric]]:
        """Makes an optimizer update for each element; stops after the first whose figures are not all finite."""
        made: list[list[Metric]] = []
        if not self.model.training:
            self.model.train()
        for hyper in hypers:
            self.groups.set(hyper)
            batches = [next(self.batches) for _ in range(self.accumulate)]
            if self.own_step is None:
                figures: Figures = self._step(batches)
            else:
                figures = self.own_step(batches if self.accumulate > 1 else batches[0])
            made.append(agreed(metrics_of(figures, self.info.batch // world_size())))
            if not all(math.isfinite(metric.value) for metric in made[-1]):
                break
        return made

    @torch.no_grad()
    def evaluate(self, split: Split) -> Evaluation:
        """Measures the model on held-out data and leaves no trace in the training."""
        loader = self.held_out[split]
        state, order = capture_random(), capture_order(loader)
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            if self.own_evaluate is not None:
                figures = self.own_evaluate(split)
                return Evaluation(metrics_of(figures, 1))
            return self._measured(loader)
        finally:
            for module, training in modes:
                module.training = training
            restore_order(loader, order)
            restore_random(state)

    def state(self) -> bytes:
        """Everything that later updates depend on, the place in the data included."""
        file = io.BytesIO()
        torch.save({"everything": self.everything.capture(), "batches": self.batches.state()}, file)
        return file.getvalue()

    def restore(self, state: bytes) -> None:
        """Continues from a state of the same script."""
        saved = torch.load(io.BytesIO(state), map_location="cpu", weights_only=False)
        # The batches first: going to the place in the data draws from the generators.
        self.batches.restore(saved["batches"])
        self.everything.restore(saved["everything"])

    def _step(self, batches: list[Any]) -> dict[str, Any]:
        """One update, as most scripts make it."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        sums = Sums()
        for inputs, targets in batches:
            inputs, targets = _moved(inputs, self.device), _moved(targets, self.device)
            with self.autocast:
                outputs = self.model(inputs)
                loss = self.loss_fn(outputs, targets)  # type: ignore[misc]
            sums.add(loss, outputs, targets)
            if len(batches) > 1:
                loss = loss / len(batches)
            (loss if self.scaler is None else self.scaler.scale(loss)).backward()
        figures = sums.figures()
        if math.isfinite(figures["loss"]):
            self._apply()
        return figures

    def _apply(self) -> None:
        if self.clip is not None:
            if self.scaler is not None:
                for optimizer in self.optimizers:
                    self.scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        for optimizer in self.optimizers:
            if self.scaler is None:
                optimizer.step()
            else:
                self.scaler.step(optimizer)
        if self.scaler is not None:
            self.scaler.update()

    def _measured(self, loader: Any) -> Evaluation:
        sums = Sums(each=True)
        for inputs, targets in loader:
            inputs, targets = _moved(inputs, self.device), _moved(targets, self.device)
            with self.autocast:
                outputs = self.model(inputs)
                loss = self.loss_fn(outputs, targets)  # type: ignore[misc]
            sums.add(loss, outputs, targets)
        figures = sums.figures()
        return Evaluation(metrics_of(figures, figures["count"]), sums.each)

    def _found_info(self, examples: Optional[int], given_weights: bool) -> TrainerInfo:
        world = world_size()
        size = _batch_size(self.loader)
        if examples is None:
            examples = _given(self.loader, size) * world
        count = {name: _held_out(name, loader) for name, loader in self.held_out.items()}
        can_measure = self.loss_fn is not None or self.own_evaluate is not None
        return TrainerInfo(
            examples=examples,
            batch=size * self.accumulate * world,
            validation=count["validation"] if can_measure else 0,
            test=count["test"] if can_measure else 0,
            momentum=self.groups.have_momentum,
            weight_decay=self.groups.have_weight_decay,
            snapshots=True,
            given_weights=given_weights,
        )


def serve(
    build: Build,
    *,
    policy: Optional[Union[Spec, str]] = None,
    updates: Optional[int] = None,
    epochs: Optional[float] = None,
    seed: int = 0,
) -> Optional[Outcome]:
    """As `cyclr.serve`, with torch's and Python's generators seeded before ``build`` is called.

    Example:
        A script that trains by itself, and under ``cyclr compare -- python train.py``::

            def build(run):
                model = Net()
                optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
                return cyclr.torch.Trainer(model, optimizer, loss_fn, train_loader, validation=val_loader)

            cyclr.torch.serve(build, policy="triangular2(base=0.01, max=0.1, step=2ep)", epochs=8)
    """
    return cyclr.serve(seeded(build), policy=policy, updates=updates, epochs=epochs, seed=seed)


def seeded(build: Build) -> Build:
    """``build`` after the global generators of torch, NumPy and Python are seeded by the run's seed."""

    def built(run: cyclr.Run) -> cyclr.Trainer:
        seed_all(run.seed)
        return build(run)

    return built


def seed_all(seed: int) -> None:
    """Seeds the global generators of torch, NumPy (where it is there) and Python."""
    import random

    random.seed(seed)
    torch.manual_seed(seed)
    with contextlib.suppress(ImportError):
        import numpy as np

        np.random.seed(seed % 2**32)


class Batches:
    """The batches of a loader, pass after pass, with a place that can be gone back to."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self._iterator: Optional[Iterator[Any]] = None
        self._began: Optional[State] = None
        self._given = 0

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> Any:
        if self._iterator is None:
            self._begin()
        try:
            batch = next(self._iterator)  # type: ignore[arg-type]
        except StopIteration:
            self._begin()
            batch = next(self._iterator, None)  # type: ignore[arg-type]
            if batch is None:
                raise ValueError("the loader gives no batch") from None
        self._given += 1
        return batch

    def _begin(self) -> None:
        self._began = {"order": capture_order(self.loader), "random": capture_random()}
        self._iterator, self._given = iter(self.loader), 0

    def state(self) -> State:
        return {"began": self._began, "given": self._given}

    def restore(self, state: State) -> None:
        self._iterator, self._began, self._given = None, None, 0
        if state["began"] is None:
            return
        restore_order(self.loader, state["began"]["order"])
        restore_random(state["began"]["random"])
        for _ in range(state["given"]):
            next(self)
        if state["given"] == 0:
            self._begin()


def _batch_size(loader: Any) -> int:
    """Examples of a batch; 1 where the loader does not tell."""
    if isinstance(loader, Sequence) and loader:
        return len(loader[0][1])
    return getattr(loader, "batch_size", None) or 1


def _given(loader: Any, size: int) -> int:
    """Examples that a pass over the loader gives."""
    sampler = getattr(loader, "sampler", None)
    try:
        if getattr(loader, "batch_size", None) is None or getattr(loader, "drop_last", False):
            return len(loader) * size
        return len(sampler) if hasattr(sampler, "__len__") else len(loader) * size  # type: ignore[arg-type]
    except TypeError:
        raise ValueError("the loader does not tell how many examples it gives: say examples=...") from None


def _held_out(name: str, loader: Any) -> int:
    """Examples of a held-out split."""
    if loader is None:
        return 0
    data = getattr(loader, "dataset", None)
    try:
        return len(data) if hasattr(data, "__len__") else len(loader)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(
            f"the {name} loader does not tell how many examples it gives: its data set needs a __len__"
        ) from None


def _moved(value: Any, device: Union[torch.device, str]) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, dict):
        return {key: _moved(inner, device) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_moved(inner, device) for inner in value)
    return value
