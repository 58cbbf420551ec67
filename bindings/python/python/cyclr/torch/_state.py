"""Everything that later updates depend on: captured as plain tensors and numbers, and put back in place."""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Optional

import torch
from torch.optim import Optimizer

State = dict[str, Any]


def capture_random() -> State:
    """The states of the global generators of Python, NumPy (where it is imported), torch and its devices."""
    state: State = {"python": random.getstate(), "torch": torch.get_rng_state()}
    if "numpy" in sys.modules:
        import numpy as np

        state["numpy"] = np.random.get_state()
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore_random(state: State) -> None:
    """Puts the global generators back."""
    random.setstate(state["python"])
    torch.set_rng_state(state["torch"])
    if "numpy" in state:
        import numpy as np

        np.random.set_state(state["numpy"])
    if "cuda" in state:
        torch.cuda.set_rng_state_all(state["cuda"])
    if "mps" in state:
        torch.mps.set_rng_state(state["mps"])


def generators_of(loader: Any) -> list[torch.Generator]:
    """The generators that a loader and its samplers draw the order of the data from, each once."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    holders = [loader, getattr(loader, "sampler", None), batch_sampler, getattr(batch_sampler, "sampler", None)]
    found = {id(g): g for holder in holders if isinstance(g := getattr(holder, "generator", None), torch.Generator)}
    return list(found.values())


def capture_order(loader: Any) -> State:
    """What the order of the next pass over a loader depends on, besides the global generators."""
    sampler = getattr(loader, "sampler", None)
    return {
        "generators": [generator.get_state() for generator in generators_of(loader)],
        "epoch": getattr(sampler, "epoch", None),
    }


def restore_order(loader: Any, state: State) -> None:
    """Puts a loader's generators and its sampler's epoch back."""
    for generator, saved in zip(generators_of(loader), state["generators"]):
        generator.set_state(saved)
    if state["epoch"] is not None:
        loader.sampler.epoch = state["epoch"]


def capture_model(model: torch.nn.Module) -> State:
    """Parameters, buffers (also those that are not persistent), gradients, and what is in training mode."""
    return {
        "parameters": [weight.detach().clone() for weight in model.parameters()],
        "gradients": [None if weight.grad is None else weight.grad.clone() for weight in model.parameters()],
        "buffers": [None if tensor is None else tensor.clone() for _, _, tensor in _buffers(model)],
        "training": [module.training for module in model.modules()],
        "trained": [weight.requires_grad for weight in model.parameters()],
    }


@torch.no_grad()
def restore_model(model: torch.nn.Module, state: State) -> None:
    """Puts a model back, in place.

    Raises:
        ValueError: The state is of another model.
    """
    weights, buffers = list(model.parameters()), list(_buffers(model))
    shapes = [weight.shape for weight in weights]
    if shapes != [saved.shape for saved in state["parameters"]] or len(buffers) != len(state["buffers"]):
        raise ValueError("the state is of another model: the shapes of its parameters or its buffers differ")
    for weight, saved, gradient in zip(weights, state["parameters"], state["gradients"]):
        weight.copy_(saved)
        _put_gradient(weight, gradient)
    for (module, name, tensor), saved in zip(buffers, state["buffers"]):
        if tensor is not None and saved is not None and tensor.shape == saved.shape and tensor.dtype == saved.dtype:
            tensor.copy_(saved)
        else:
            module._buffers[name] = None if saved is None else saved.clone()
    for module, training in zip(model.modules(), state["training"]):
        module.training = training
    for weight, trained in zip(weights, state["trained"]):
        weight.requires_grad_(trained)


def _put_gradient(weight: torch.Tensor, gradient: Optional[torch.Tensor]) -> None:
    if gradient is None or weight.grad is None:
        weight.grad = None if gradient is None else gradient.to(weight.device, copy=True)
    else:
        weight.grad.copy_(gradient)


def _buffers(model: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, str, Optional[torch.Tensor]]]:
    for module in model.modules():
        for name, tensor in module._buffers.items():
            yield module, name, tensor


def capture_optimizer(optimizer: Optimizer) -> State:
    """Settings and state of an optimizer; parameters stand as their places.

    Some optimizers keep something beside what belongs to parameters, under keys of their own.
    """
    places = {id(weight): place for place, weight in enumerate(_weights(optimizer))}
    return {
        "groups": [
            {key: _copied(value) for key, value in group.items() if key != "params"} for group in optimizer.param_groups
        ],
        "state": {
            places[id(weight)]: _copied(state) for weight, state in optimizer.state.items() if id(weight) in places
        },
        "beside": {key: _copied(value) for key, value in optimizer.state.items() if not isinstance(key, torch.Tensor)},
        "marks": {key: optimizer.__dict__.get(key) for key in _MARKS},
    }


_MARKS = ("_opt_called", "_step_count", "_cyclr_updates")
"""What schedulers, torch's and ours, note on an optimizer about the updates that it made."""


def restore_optimizer(optimizer: Optimizer, state: State) -> None:
    """Puts an optimizer back; rates that are tensors stay the tensors they are."""
    for group, saved in zip(optimizer.param_groups, state["groups"]):
        for key in [key for key in group if key != "params" and key not in saved]:
            del group[key]
        for key, value in saved.items():
            now = group.get(key)
            if isinstance(now, torch.Tensor) and isinstance(value, torch.Tensor):
                now.copy_(value)
            else:
                group[key] = _copied(value)
    weights = list(_weights(optimizer))
    optimizer.state.clear()
    for place, values in state["state"].items():
        optimizer.state[weights[place]] = _to(_copied(values), weights[place].device)
    optimizer.state.update(_copied(state["beside"]))
    for key, mark in state["marks"].items():
        if mark is None:
            optimizer.__dict__.pop(key, None)
        else:
            optimizer.__dict__[key] = mark


def _weights(optimizer: Optimizer) -> Iterator[torch.Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]


def _copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_copied(inner) for inner in value)
    return copy.deepcopy(value)


def _to(values: Any, device: torch.device) -> Any:
    # A count of steps stays where it was captured, as some optimizers keep it on the CPU.
    if isinstance(values, dict):
        return {key: _to(inner, device) if key != "step" else inner for key, inner in values.items()}
    return values.to(device) if isinstance(values, torch.Tensor) else values


class Everything:
    """All of a training in one: model, optimizers, scaler and generators."""

    def __init__(
        self, model: torch.nn.Module, optimizers: Sequence[Optimizer], scaler: Optional[Any], loaders: Iterable[Any]
    ) -> None:
        self.model, self.optimizers, self.scaler, self.loaders = model, optimizers, scaler, list(loaders)

    def capture(self) -> State:
        """Copies of everything."""
        return {
            "model": capture_model(self.model),
            "optimizers": [capture_optimizer(optimizer) for optimizer in self.optimizers],
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "orders": [capture_order(loader) for loader in self.loaders],
            "random": capture_random(),
        }

    def restore(self, state: State) -> None:
        """Puts everything back."""
        restore_model(self.model, state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"]):
            restore_optimizer(optimizer, saved)
        if self.scaler is not None:
            self.scaler.load_state_dict(state["scaler"])
            # What an exception between unscaling and stepping left behind.
            getattr(self.scaler, "_per_optimizer_states", {}).clear()
        for loader, saved in zip(self.loaders, state["orders"]):
            restore_order(loader, saved)
        restore_random(state["random"])
