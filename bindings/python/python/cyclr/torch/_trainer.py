"""A training in PyTorch as a `cyclr.Trainer`."""

from __future__ import annotations

import contextlib
import io
import math
import pickle
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Callable, Optional, Union

import torch
from torch.optim import Optimizer
from torch.utils.data import DataLoader

import cyclr
from cyclr._cyclr import Hyper, Spec
from cyclr._find import Outcome
from cyclr._loop import MOST_SKIPPED
from cyclr._requests import is_driven
from cyclr._trainer import Build, Evaluation, Metric, Split, TrainerInfo
from cyclr.torch._attributes import is_of_torch
from cyclr.torch._average import Average, norms_of, one_pass
from cyclr.torch._batches import Batches, Forward
from cyclr.torch._checksum import checksum_of
from cyclr.torch._counting import steps_of
from cyclr.torch._distributed import agreed, rank, world_size
from cyclr.torch._ensemble import Ensemble, can_average
from cyclr.torch._evaluating import evaluating, keeping_gradients, with_modes
from cyclr.torch._examples import batch_size, given, held_out_count
from cyclr.torch._figures import Figures, Sums, metrics_of
from cyclr.torch._groups import Groups
from cyclr.torch._held_out import check_apart
from cyclr.torch._order import capture_order, restore_order
from cyclr.torch._registered import say_starts_over, unregistered, without_order, without_place
from cyclr.torch._seeds import seed_all
from cyclr.torch._state import (
    Everything,
    all_weights,
    capture_random,
    restore_random,
)
from cyclr.torch._together import serve_together

Step = Callable[[Any], Figures]


class Trainer:
    """A model, an optimizer and data, trained one optimizer update at a time.

    Args:
        model: The model.
        optimizer: Its optimizer, or several that are stepped together. A rate multiplies the
            factors of their groups: their rates relative to that of the very first. One with
            ``train()`` and ``eval()``, as schedule-free ones have, is switched for evaluation.
        loss_fn: ``loss_fn(outputs, targets)``, a mean over the batch; of outputs with ``logits``
            it is given those. If it is a module, its state belongs to the training. Not used where
            ``step`` is given. With ``None`` the loss is the one
            that the model's output holds (``outputs.loss``), as with models of Hugging Face.
        loader: Gives the training batches, pass after pass: a `DataLoader` or anything like it
            that can be iterated again and again. A batch is a pair ``(inputs, targets)``, or a
            mapping of the model's arguments, whose entry ``labels`` are the targets (which the
            model gets too if there is no ``loss_fn``).
        validation: A loader of held-out data that decides; in a fixed order.
        test: A loader of held-out data that is read once; in a fixed order.
        step: An update of your own, instead of ``loss_fn``: it is given a batch (a list of them where ``accumulate`` is
            above 1), does all of the update with the rates that the optimizer has, and returns the figures of the batch
            before the update: ``{"loss": 0.7}``, and ``{"correct": 93, "count": 100}`` beside it for an accuracy; or, for
            figures of other names, a list of `cyclr.Metric`.
        evaluate: A measurement of your own: it is given ``"validation"`` or ``"test"`` and returns what ``step`` does.
        scaler: A `torch.amp.GradScaler`. Steps that it skips are no updates.
        autocast: A context for the forward pass, such as ``torch.autocast("cuda", torch.bfloat16)``.
        accumulate: Batches of an update.
        clip: The largest norm of the gradients.
        device: Where batches are sent; that of the first parameter where it is not given.
        given_weights: Whether the weights were given, so that seeds decide the order of the data only.
        examples: Training examples, where the loader does not tell.
        data_checksum: A text that changes if the data do, such as a checksum of their files. A run or
            comparison goes on only with the data that it was begun with. Under the command line, if
            it is not given, that of the integers (as labels are) in a `TensorDataset`.
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
        data_checksum: Optional[str] = None,
    ) -> None:
        if hasattr(loader, "__next__"):
            raise TypeError("loader is an iterator, which can be gone through once: give the loader itself")
        optimizers = [optimizer] if isinstance(optimizer, Optimizer) else list(optimizer)
        if step is None and any(isinstance(one, torch.optim.LBFGS) for one in optimizers):
            raise cyclr.CyclrError(
                "LBFGS measures the loss several times in an update: give step=..., which calls its step(closure)"
            )
        if accumulate < 1:
            raise ValueError(f"accumulate = {accumulate}: it must be at least 1")
        self.model, self.loader = model, loader
        self.optimizers = optimizers
        self.held_out = {"validation": validation, "test": test}
        self.own_step, self.own_evaluate = step, evaluate
        self.scaler = scaler
        self.accumulate, self.clip = accumulate, clip
        first = next(model.parameters(), None)
        self.device = device if device is not None else torch.device("cpu") if first is None else first.device
        self.forward = Forward(model, loss_fn, autocast or contextlib.nullcontext(), self.device)
        self.groups = Groups(self.optimizers)
        self.batches = Batches(loader)
        # A loss may train, too; torch's own have nothing that changes.
        has_state = isinstance(loss_fn, torch.nn.Module) and not is_of_torch(loss_fn)
        trained = torch.nn.ModuleList([model, loss_fn]) if has_state else model  # type: ignore[list-item]
        self.everything = Everything(trained, self.optimizers, scaler, [loader])
        self._average = Average(model)
        self._ensemble = Ensemble(model)
        self._info = replace(self._found_info(examples, given_weights), data_checksum=data_checksum)

    @property
    def info(self) -> TrainerInfo:
        """What is trained on and what can be varied."""
        return self._info

    def updates(self, hypers: Sequence[Hyper]) -> list[list[Metric]]:
        """Makes an optimizer update for each element; stops after the first whose figures are not all finite."""
        made: list[list[Metric]] = []
        if not self.model.training:
            self.model.train()
        for optimizer in with_modes(self.optimizers):
            optimizer.train()
        for hyper in hypers:
            self.groups.set(hyper)
            made.append(self._update())
            if not _are_finite(made[-1]):
                break
        return made

    @torch.no_grad()
    def evaluate(self, split: Split) -> Evaluation:
        """Measures the model on held-out data and leaves no trace in the training."""
        loader = self.held_out[split]
        state, order = capture_random(), capture_order(loader)
        # Examples are compared one by one with an earlier evaluation: a loader that shuffles gives the same order each time.
        torch.default_generator.manual_seed(0)
        try:
            with evaluating(self.model, self.optimizers):
                if self.own_evaluate is not None:
                    with keeping_gradients(all_weights(self.model, self.optimizers)):
                        figures = self.own_evaluate(split)
                    return Evaluation(metrics_of(figures, 1))
                return self._measured(loader)
        finally:
            restore_order(loader, order)
            restore_random(state)

    def average(self, ensemble: Optional[int] = None) -> None:
        """Takes the weights as they stand into their running average, or keeps the model as one of the last ones.

        Raises:
            CyclrError: The run averages in the other way already.
        """
        if self._average.taken if ensemble is not None else self._ensemble:
            raise cyclr.CyclrError("a run averages weights or predictions, not both")
        with evaluating(self.model, self.optimizers):
            if ensemble is None:
                self._average.take()
            else:
                self._ensemble.take(ensemble)

    @torch.no_grad()
    def evaluate_average(self, split: Split) -> Evaluation:
        """Measures the model with the averaged weights, or the ensemble, and leaves no trace in the training.

        With averaged weights, norm statistics are those of one pass over the training loader. An ensemble is measured
        by the mean of the probabilities that its models give to each class.

        Raises:
            CyclrError: Nothing was averaged.
        """
        if self._ensemble:
            with self._ensemble.in_place(self.forward):
                return self.evaluate(split)
        if self._average.taken == 0:
            raise cyclr.CyclrError("no weights have been averaged yet")
        state, order = capture_random(), capture_order(self.loader)
        try:
            with evaluating(self.model, self.optimizers), self._average.in_place(self._see_training_data):
                return self.evaluate(split)
        finally:
            restore_order(self.loader, order)
            restore_random(state)

    def state(self) -> bytes:
        """Everything that later updates depend on, the place in the data and the average included."""
        file = io.BytesIO()
        state = {"everything": self.everything.capture(), "batches": self.batches.state()}
        averages = {"average": self._average.state(), "ensemble": self._ensemble.state()}
        torch.save({**state, **averages}, file)
        return file.getvalue()

    def restore(self, state: bytes) -> None:
        """Continues from a state of the same script.

        Raises:
            CyclrError: The state holds what ``torch.load(weights_only=True)`` does not read.
        """
        try:
            saved = torch.load(io.BytesIO(state), map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise cyclr.CyclrError(
                "the state is damaged, or the optimizer keeps objects that torch does not read from a file; if you trust it, "
                f"name their classes with torch.serialization.add_safe_globals: {error}"
            ) from error
        # The batches first: going to the place in the data draws from the generators.
        self.batches.restore(saved["batches"])
        self.everything.restore(saved["everything"])
        self._average.restore(saved["average"])
        # States of earlier versions have none.
        self._ensemble.restore(saved.get("ensemble", []))

    def _see_training_data(self) -> None:
        for batch in one_pass(self.loader):
            self.forward(batch)

    def check_apart(self) -> None:
        """Refuses splits that share examples with each other or with the training data.

        Raises:
            CyclrError: They do.
        """
        say, held_out = rank() == 0, self.held_out
        for name, data in held_out.items():
            check_apart("train", self.loader, name, data, say)
        check_apart("validation", held_out["validation"], "test", held_out["test"], say)

    def lack(self) -> Optional[str]:
        """What a state would lack, in a process that makes this one run; ``None`` if nothing."""
        lack = without_place(self.loader) if isinstance(self.loader, DataLoader) else without_order(self.loader)
        if lack is not None:
            return lack
        if self.own_step is None and self.own_evaluate is None:
            return None
        names = unregistered([self.everything.model], self.optimizers, self.scaler)
        if not names:
            return None
        return f"the state of {', '.join(names)} is not known here (cyclr.torch.attach takes any by lr.register)"

    def _update(self) -> list[Metric]:
        """An update; a step that AMP's scaler skips is none, and the next batches follow."""
        for _ in range(MOST_SKIPPED):
            with steps_of(self.optimizers) as made:
                metrics = self._attempt()
            if self.scaler is None or made or not _are_finite(metrics):
                return metrics
        return [Metric.loss(math.nan, self.info.batch)]

    def _attempt(self) -> list[Metric]:
        batches = [next(self.batches) for _ in range(self.accumulate)]
        if self.own_step is None:
            figures: Figures = self._step(batches)
        else:
            figures = self.own_step(batches if self.accumulate > 1 else batches[0])
        return agreed(metrics_of(figures, self.info.batch // world_size()))

    def _step(self, batches: list[Any]) -> dict[str, Any]:
        """One update, as most scripts make it."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        sums = Sums()
        for batch in batches:
            loss, outputs, targets = self.forward(batch)
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
        for batch in loader:
            sums.add(*self.forward(batch))
        figures = sums.figures()
        return Evaluation(metrics_of(figures, figures["count"]), sums.each)

    def _found_info(self, examples: Optional[int], given_weights: bool) -> TrainerInfo:
        world = world_size()
        size = batch_size(self.loader, examples and examples // world)
        if examples is None:
            examples = given(self.loader, size) * world
        count = {name: held_out_count(name, loader) for name, loader in self.held_out.items()}
        can_forward = self.own_step is None or self.forward.loss_fn is not None
        can_measure = can_forward or self.own_evaluate is not None
        return TrainerInfo(
            examples=examples,
            batch=size * self.accumulate * world,
            validation=count["validation"] if can_measure else 0,
            test=count["test"] if can_measure else 0,
            momentum=self.groups.have_momentum,
            weight_decay=self.groups.have_weight_decay,
            snapshots=True,
            given_weights=given_weights,
            # Norm statistics need a forward pass that is known; each process would have its own.
            averages=world == 1 and (can_forward or not norms_of(self.model)),
            ensembles=world == 1 and self.own_evaluate is None and can_average(self.forward.loss_fn),
        )


def _are_finite(metrics: list[Metric]) -> bool:
    return all(math.isfinite(metric.value) for metric in metrics)


def serve(
    build: Build,
    *,
    policy: Optional[Union[Spec, str]] = None,
    updates: Optional[int] = None,
    epochs: Optional[float] = None,
    seed: int = 0,
    defer_sigterm: bool = False,
) -> Optional[Outcome]:
    """As `cyclr.serve`, with torch's and Python's generators seeded before ``build`` is called.

    Of processes that train together each calls it, after ``init_process_group``: the first hears
    cyclr, and all do what it says.

    Example:
        A script that trains by itself, and under ``cyclr compare -- python train.py``::

            def build(run):
                model = Net()
                optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
                return cyclr.torch.Trainer(model, optimizer, loss_fn, train_loader, validation=val_loader)

            cyclr.torch.serve(build, policy="triangular2(base=0.01, max=0.1, step=2ep)", epochs=8)
    """
    if is_driven():
        build = _checked(build)
    if is_driven() and world_size() > 1:
        serve_together(seeded(build), defer_sigterm)
        return None
    return cyclr.serve(
        seeded(build), policy=policy, updates=updates, epochs=epochs, seed=seed, defer_sigterm=defer_sigterm
    )


def _checked(build: Build) -> Build:
    """``build``, whose data are apart, and whose training offers no states if something is missing from them."""

    def built(run: cyclr.Run) -> cyclr.Trainer:
        trainer = build(run)
        if isinstance(trainer, Trainer):
            trainer.check_apart()
            if trainer.info.data_checksum is None:
                checksum = checksum_of(trainer.loader, trainer.held_out)
                trainer._info = replace(trainer.info, data_checksum=checksum)
            if (lack := trainer.lack()) is not None:
                trainer._info = replace(trainer.info, snapshots=False)
                say_starts_over(lack)
        return trainer

    return built


def seeded(build: Build) -> Build:
    """``build`` after the global generators of torch, NumPy and Python are seeded by the run's seed."""

    def built(run: cyclr.Run) -> cyclr.Trainer:
        seed_all(run.seed)
        return build(run)

    return built
