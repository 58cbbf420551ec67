"""A training that is measured, and is afterwards as before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Optional

import torch
from torch.optim import Optimizer

from cyclr.torch._attributes import Attributes, is_of_torch
from cyclr.torch._state import live, weights_of


@contextmanager
def evaluating(model: torch.nn.Module, optimizers: Iterable[Optimizer]) -> Iterator[None]:
    """A model, and optimizers that have the methods, in the mode of evaluation; afterwards as before, to the bit.

    Buffers and attributes, which a forward pass may change, are put back too.
    """
    modules = list(model.modules())
    modes = [(module, module.training) for module in modules]
    kept = [Attributes(module) for module in modules]
    switched = [*with_modes(optimizers), *(module for module in modules if module.training and _has_own_modes(module))]
    # There and back, what they make of the weights is rounded.
    weights = {id(weight): weight for one in switched for weight in _weights_of(one)}.values()
    saved = [(weight, weight.detach().clone(), weight.requires_grad) for weight in weights]
    try:
        model.eval()
        for one in switched:
            one.eval()
        yield
    finally:
        for one in switched:
            one.train()
        with torch.no_grad():
            for weight, value, is_trained in saved:
                weight.copy_(value)
                weight.requires_grad_(is_trained)
        for attributes in kept:
            attributes.restore()
        for module, training in modes:
            module.training = training


def _has_own_modes(module: torch.nn.Module) -> bool:
    """Whether a module does more than to note its mode, such as one that merges weights."""
    kind = type(module)
    return not is_of_torch(module) and (kind.train, kind.eval) != (torch.nn.Module.train, torch.nn.Module.eval)


def _weights_of(switched: Any) -> Iterator[torch.Tensor]:
    return switched.parameters() if isinstance(switched, torch.nn.Module) else weights_of(switched)


@contextmanager
def others_evaluating(model: torch.nn.Module) -> Iterator[None]:
    """All modules of this process that the model does not hold, such as an average of it, in the mode of evaluation."""
    known = {id(module) for module in model.modules()}
    modules = [one for one in live((torch.nn.Module,)) if id(one) not in known and getattr(one, "training", False)]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module in modules:
            module.training = True


@contextmanager
def keeping_gradients(weights: Iterable[torch.Tensor]) -> Iterator[None]:
    """The gradients of weights afterwards as before, whatever is propagated meanwhile, where there are none."""
    kept = [(weight, weight.grad, _copied_part(weight.grad)) for weight in weights]
    for weight, _, _ in kept:
        weight.grad = None
    try:
        yield
    finally:
        for weight, gradient, part in kept:
            weight.grad = gradient
            if gradient is not None and part is not None:
                gradient.copy_(part)


def _copied_part(gradient: Optional[torch.Tensor]) -> Optional[torch.Tensor]:
    """A copy of a gradient that is a part of a larger tensor, which may be written to by another way, as DDP does."""
    if gradient is None or gradient.layout is not torch.strided:
        return None
    is_part = gradient.untyped_storage().nbytes() > gradient.numel() * gradient.element_size()
    return gradient.clone() if is_part else None


def with_modes(optimizers: Iterable[Optimizer]) -> Iterator[Any]:
    """The optimizers that train at other weights than they are to be measured at, and so have ``train()`` and ``eval()``."""
    for optimizer in optimizers:
        if callable(getattr(optimizer, "train", None)) and callable(getattr(optimizer, "eval", None)):
            yield optimizer
