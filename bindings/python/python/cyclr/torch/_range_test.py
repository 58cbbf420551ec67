"""The range test on a model in mid-training, without a trace."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Callable, Optional, Union

import torch
from torch.optim import Optimizer

import cyclr
from cyclr._find import Found, Sweep
from cyclr.torch._batches import Batches
from cyclr.torch._distributed import find_together, rank, world_size
from cyclr.torch._order import counts_epochs, generators_of
from cyclr.torch._seeds import seed_all
from cyclr.torch._signals import Deferred
from cyclr.torch._state import Structure, each
from cyclr.torch._trainer import Step, Trainer


def range_test(
    model: torch.nn.Module,
    optimizer: Union[Optimizer, Sequence[Optimizer]],
    loss_fn: Optional[Callable[[Any, Any], torch.Tensor]],
    loader: Any,
    *,
    budget: Optional[int] = None,
    updates: Optional[int] = None,
    repeats: int = 3,
    seed: int = 0,
    sweep: Optional[Sweep] = None,
    reset: Optional[Callable[[torch.nn.Module], object]] = None,
    validation: Any = None,
    validation_points: Optional[int] = None,
    step: Optional[Step] = None,
    scaler: Optional[Any] = None,
    autocast: Optional[AbstractContextManager[Any]] = None,
    accumulate: int = 1,
    clip: Optional[float] = None,
    device: Union[torch.device, str, None] = None,
    examples: Optional[int] = None,
) -> Found:
    """Finds the bounds of a cyclical policy for a model, as ``cyclr find`` does.

    A short exponential sweep finds where the loss is least while the rate rises; short trainings
    around that rate, each with a peak of its own, show which peak is worth most. All start from the
    model's weights as they are. Afterwards, also after an exception, everything is as before: weights,
    buffers (those that the first forward pass registers go again), gradients, a loss that is a module,
    optimizer and all that it trains, scaler, the generators of Python, NumPy, torch and its devices, and those of the loader and its samplers; further
    interrupts wait meanwhile. (What a data set or a step of your own keeps for itself is not seen.) It
    needs the memory of a second copy of model and optimizer.

    Under ``torch.distributed`` every process must call it; the first one decides, and all of them return its answer. What is
    raised in the middle of an update is raised in that process alone, and fails the others as it would in training.

    Args:
        model: The model.
        optimizer: Its optimizer, or several. The rate that is found is that of the first group; the others keep their
            factor to it.
        loss_fn: ``loss_fn(outputs, targets)``, a mean over the batch; of outputs with ``logits``
            it is given those. Not used where ``step`` is given. With ``None`` the loss is the one
            that the model's output holds.
        loader: Gives batches, as for `Trainer`; in random order (``shuffle=True``), for repeats that differ.
            Repeats that are one and the same are refused.
        budget: The updates of the training that the bounds are for. The test costs a tenth of them, but
            no less than a readable test needs.
        updates: What sweep and probes may cost together, at least 100 updates, instead [default,
            without a budget: 1000].
        repeats: How often a sweep of your own is made.
        seed: The seed of the first run; the others have those that follow.
        sweep: A sweep of your own, read as the paper does, instead of the test.
        reset: Draws new weights for each run: ``reset(model)``. Without it a model that learns nothing is
            not noticed.
        validation: A loader of held-out data.
        validation_points: Measures on ``validation`` this number of times in that sweep, rather than on the training batches.
        step: An update of your own, as in `Trainer`.
        scaler: A `torch.amp.GradScaler`.
        autocast: A context for the forward pass.
        accumulate: Batches of an update.
        clip: The largest norm of the gradients.
        device: Where batches are sent; that of the first parameter where it is not given.
        examples: Training examples, where the loader does not tell.

    Returns:
        The answer (bounds with intervals, or why there is none and what to try), sweep and probes, and a figure by ``plot()``.

    Raises:
        CyclrError: The test cannot be made, because it is too short, for instance.
    """
    trainer = Trainer(
        model,
        optimizer,
        loss_fn,
        loader,
        validation=validation,
        step=step,
        scaler=scaler,
        autocast=autocast,
        accumulate=accumulate,
        clip=clip,
        device=device,
        given_weights=reset is None,
        examples=examples,
    )
    find = cyclr.find if world_size() == 1 else find_together
    settings: dict[str, Any] = {
        "budget": budget,
        "updates": updates,
        "seed": seed,
        "sweep": sweep,
        "validation_points": validation_points,
    }
    return _without_trace(trainer, lambda start: find(_Repeats(trainer, start, reset), repeats=repeats, **settings))


def _without_trace(trainer: Trainer, test: Callable[[_Start], Found]) -> Found:
    """What a test returns, after which everything is as before, whatever is raised and however often it is interrupted."""
    signals = Deferred()
    try:
        signals.begin()
        start = _Start(trainer)
        # The outer one is reached even if an interrupt comes as the inner one begins; after that they wait.
        try:
            try:
                return test(start)
            finally:
                signals.defer()
        finally:
            start.put_back()
    finally:
        signals.end()


class _Start:
    """A training as a range test finds it."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._gradients = torch.is_grad_enabled()
        self._structure = Structure(trainer.everything.model)
        self._state = trainer.everything.capture()
        # A loader with workers that persist has one iterator, which the caller may be in the middle of.
        self._iterator = getattr(trainer.loader, "_iterator", None)

    def restore(self) -> None:
        """Puts the training back for a repeat."""
        trainer = self._trainer
        torch.set_grad_enabled(self._gradients)
        each([self._structure.restore, lambda: trainer.everything.restore(self._state)])
        trainer.batches = Batches(trainer.loader)
        if self._iterator is not None and trainer.loader._iterator is self._iterator:
            trainer.loader._iterator = None

    def put_back(self) -> None:
        """Puts everything back for good."""
        try:
            self.restore()
        finally:
            if hasattr(self._trainer.loader, "_iterator"):
                self._trainer.loader._iterator = self._iterator


class _Repeats:
    """Starts the repeats of a range test, one after the other, with the one model there is."""

    def __init__(self, trainer: Trainer, start: _Start, reset: Optional[Callable[[torch.nn.Module], object]]) -> None:
        self._trainer, self._start, self._reset = trainer, start, reset

    def __call__(self, run: cyclr.Run) -> cyclr.Trainer:
        trainer = self._trainer
        self._start.restore()
        seed_all(run.seed)
        if self._reset is not None:
            with torch.no_grad():
                self._reset(trainer.model)
        seed = run.seed * world_size() + rank()
        seed_all(seed)
        for number, generator in enumerate(generators_of(trainer.loader)):
            generator.manual_seed(seed + number)
        sampler = counts_epochs(trainer.loader)
        if sampler is not None:
            sampler.set_epoch(run.seed)
        return trainer
