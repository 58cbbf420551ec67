"""The range test on a model in mid-training, without a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Callable, Optional, Union

import torch
from torch.optim import Optimizer

import cyclr
from cyclr._find import Found, Sweep
from cyclr.torch._distributed import find_together, rank, world_size
from cyclr.torch._state import generators_of
from cyclr.torch._trainer import Batches, Step, Trainer, seed_all


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

    A short exponential sweep finds where the loss is least while the rate rises; short trainings around that rate, each
    with a peak of its own, show which peak is worth most. All start from the model's weights as they are. Afterwards, also after an exception, everything is as before: weights,
    buffers, gradients, optimizer, scaler, the generators of Python, NumPy, torch and its devices, and those of the loader
    and its samplers. (What a data set or a step of your own keeps for itself is not seen.) It needs the memory of a
    second copy of model and optimizer.

    Under ``torch.distributed`` every process must call it; the first one decides, and all of them return its answer. What is
    raised in the middle of an update is raised in that process alone, and fails the others as it would in training.

    Args:
        model: The model.
        optimizer: Its optimizer, or several. The rate that is found is that of the first group; the others keep their
            factor to it.
        loss_fn: ``loss_fn(outputs, targets)``, a mean over the batch; not used where ``step`` is given.
        loader: Gives ``(inputs, targets)``; in random order, for repeats that differ.
        budget: The updates of the training that the bounds are for. The test costs a tenth of them, but no less than a
            readable test needs.
        updates: What sweep and probes may cost together, at least 100 updates, instead [default, without a budget: 1000].
        repeats: How often a sweep of your own is made.
        seed: The seed of the first run; the others have those that follow.
        sweep: A sweep of your own, read as the paper does, instead of the test.
        reset: Draws new weights for each run: ``reset(model)``. Without it a model that learns nothing is not noticed.
        validation: A loader of held-out data.
        validation_points: Measures on ``validation`` so many times in that sweep, rather than on the training batches.
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
    with _put_back(trainer) as start:
        factory = _Repeats(trainer, start, reset)
        find = cyclr.find if world_size() == 1 else find_together
        return find(
            factory,
            budget=budget,
            updates=updates,
            repeats=repeats,
            seed=seed,
            sweep=sweep,
            validation_points=validation_points,
        )


@contextmanager
def _put_back(trainer: Trainer) -> Iterator[dict[str, Any]]:
    """Hands out the state of a training and puts it back at the end."""
    state = trainer.everything.capture()
    # A loader with workers that persist has one iterator, which the caller may be in the middle of.
    iterator = getattr(trainer.loader, "_iterator", None)
    if iterator is not None:
        trainer.loader._iterator = None
    try:
        yield state
    finally:
        trainer.batches = Batches(trainer.loader)
        if hasattr(trainer.loader, "_iterator"):
            trainer.loader._iterator = iterator
        trainer.everything.restore(state)


class _Repeats:
    """Starts the repeats of a range test, one after the other, with the one model there is."""

    def __init__(
        self, trainer: Trainer, state: dict[str, Any], reset: Optional[Callable[[torch.nn.Module], object]]
    ) -> None:
        self._trainer, self._state, self._reset = trainer, state, reset

    def __call__(self, run: cyclr.Run) -> cyclr.Trainer:
        trainer = self._trainer
        trainer.everything.restore(self._state)
        trainer.batches = Batches(trainer.loader)
        seed_all(run.seed)
        if self._reset is not None:
            with torch.no_grad():
                self._reset(trainer.model)
        seed = run.seed * world_size() + rank()
        seed_all(seed)
        for number, generator in enumerate(generators_of(trainer.loader)):
            generator.manual_seed(seed + number)
        sampler: Any = getattr(trainer.loader, "sampler", None)
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(run.seed)
        return trainer
