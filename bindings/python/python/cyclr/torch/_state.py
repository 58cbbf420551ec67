"""Everything that later updates depend on: captured as plain tensors and numbers, and put back in place."""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Callable, Optional

import torch
from torch.nn.parameter import UninitializedParameter
from torch.optim import Optimizer

import cyclr
from cyclr._begun import random_state, set_random_state
from cyclr.torch._attributes import MARKS, Attributes, capture_attributes, is_of_torch, put_attributes, put_in_place
from cyclr.torch._counting import with_held
from cyclr.torch._order import State, capture_order, restore_order


def capture_random() -> State:
    """The states of the global generators of Python, NumPy (where it is imported), torch and its devices."""
    state: State = {**random_state(), "torch": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore_random(state: State) -> None:
    """Puts the global generators back."""
    set_random_state(state)
    torch.set_rng_state(state["torch"])
    if "cuda" in state:
        torch.cuda.set_rng_state_all(state["cuda"])
    if "mps" in state:
        torch.mps.set_rng_state(state["mps"])


def capture_model(model: torch.nn.Module) -> State:
    """The parameters and buffers of each module (also those that are not persistent), their gradients, its numbers and mode.

    Raises:
        CyclrError: A parameter has no shape yet.
    """
    seen: dict[int, Any] = {}
    return {path: _capture_module(path, module, seen) for path, module in model.named_modules()}


def _capture_module(path: str, module: torch.nn.Module, seen: dict[int, Any]) -> State:
    parameters = {}
    for name, weight in module._parameters.items():
        if weight is not None and id(weight) not in seen:
            # Of weights that are tied only the first place is captured.
            seen[id(weight)] = parameters[name] = _capture_weight(f"{path}.{name}", weight)
    return {
        "parameters": parameters,
        "buffers": {name: None if tensor is None else tensor.clone() for name, tensor in module._buffers.items()},
        "passing": sorted(module._non_persistent_buffers_set),
        "attributes": capture_attributes(module),
        "extra": copied(module.get_extra_state()) if _has_extra(module) else None,
        "training": module.training,
    }


def _capture_weight(name: str, weight: torch.Tensor) -> State:
    if isinstance(weight, UninitializedParameter):
        raise cyclr.CyclrError(
            f"the parameter {name} has no shape yet: call the model on a batch first, as lazy modules need it"
        )
    return {
        "value": weight.detach().clone(),
        "gradient": None if weight.grad is None else weight.grad.clone(),
        "is_trained": weight.requires_grad,
    }


def _has_extra(module: torch.nn.Module) -> bool:
    """Whether a module has state beside parameters and buffers, as torch lets it say."""
    return type(module).get_extra_state is not torch.nn.Module.get_extra_state


@torch.no_grad()
def restore_model(model: torch.nn.Module, state: State) -> None:
    """Puts a model back, in place; buffers that were registered since are removed, and those that went come back.

    Raises:
        ValueError: The state is of another model.
    """
    modules, known = dict(model.named_modules()), set()
    for path, saved in state.items():
        if path not in modules:
            raise ValueError(f"the state is of another model: it has a module {path!r}, and this one has none")
        _check_parameters(path, modules[path], saved["parameters"])
        known |= {id(modules[path]._parameters[name]) for name in saved["parameters"]}
    new = [name for name, weight in model.named_parameters() if id(weight) not in known]
    if new:
        raise ValueError(f"the state is of another model: it has no parameter {', '.join(new)}")
    for path, saved in state.items():
        module = modules[path]
        for name, values in saved["parameters"].items():
            _put_parameter(module._parameters[name], values)
        _put_buffers(module, saved)
        first = next(module.parameters(), None)
        # States of earlier versions have neither.
        put_attributes(module, saved.get("attributes", {}), None if first is None else first.device)
        if _has_extra(module) and "extra" in saved:
            module.set_extra_state(copied(saved["extra"]))
        module.training = saved["training"]


def _check_parameters(path: str, module: torch.nn.Module, saved: State) -> None:
    for name, values in saved.items():
        weight, shape = dict(module._parameters.items()).get(name), tuple(values["value"].shape)
        found = "has none" if weight is None else f"has one of {tuple(weight.shape)}"
        if weight is None or weight.shape != shape:
            raise ValueError(
                f"the state is of another model: its parameter {path}.{name} has the shape {shape}, and this {found}"
            )


def _put_parameter(weight: Any, saved: State) -> None:
    weight.copy_(saved["value"])
    weight.requires_grad_(saved["is_trained"])
    gradient = saved["gradient"]
    if gradient is None or weight.grad is None:
        weight.grad = None if gradient is None else gradient.to(weight.device, copy=True)
    else:
        weight.grad.copy_(gradient)


def _put_buffers(module: torch.nn.Module, saved: State) -> None:
    first = next(module.parameters(), None)
    # Scripted modules have no dict.
    held = dict(module._buffers.items())
    for name in [name for name in held if name not in saved["buffers"]]:
        delattr(module, name)
    for name, value in saved["buffers"].items():
        now = held.get(name)
        if now is not None and value is not None and put_in_place(now, value):
            continue
        device = now.device if now is not None else None if first is None else first.device
        if name not in held:
            module.register_buffer(name, None, persistent=name not in saved["passing"])
        module._buffers[name] = None if value is None else value.to(device, copy=True)


class Structure:
    """What a model's modules hold, as the very objects, so that what a forward pass adds or takes away can be undone."""

    def __init__(self, model: torch.nn.Module) -> None:
        # What scripted modules hold does not change.
        changing = [module for module in model.modules() if not isinstance(module, torch.jit.ScriptModule)]
        self._held = [(module, [dict(held) for held in _dicts(module)]) for module in changing]
        self._passing = [(module, set(module._non_persistent_buffers_set)) for module in model.modules()]
        self._attributes = [Attributes(module) for module in model.modules()]
        self._storages = [(weight, weight.data) for weight in model.parameters()]

    def restore(self) -> None:
        """Puts the objects back where they were."""
        for module, held in self._held:
            for now, before in zip(_dicts(module), held):
                now.clear()
                now.update(before)
        for module, names in self._passing:
            module._non_persistent_buffers_set = set(names)
        for attributes in self._attributes:
            attributes.restore()
        for weight, data in self._storages:
            if (weight.shape, weight.dtype, weight.device) != (data.shape, data.dtype, data.device):
                weight.data = data


def _dicts(module: torch.nn.Module) -> list[dict[str, Any]]:
    return [module._parameters, module._buffers, module._modules]


def capture_optimizer(optimizer: Optimizer) -> State:
    """Settings and state of an optimizer; parameters stand as their places.

    Some optimizers keep something beside what belongs to parameters, under keys of their own.
    """
    places = {id(weight): place for place, weight in enumerate(weights_of(optimizer))}
    return {
        "sizes": [len(group["params"]) for group in optimizer.param_groups],
        "groups": [
            {key: copied(value) for key, value in group.items() if key != "params"} for group in optimizer.param_groups
        ],
        "state": {
            places[id(weight)]: copied(state) for weight, state in optimizer.state.items() if id(weight) in places
        },
        "beside": {key: copied(value) for key, value in optimizer.state.items() if not isinstance(key, torch.Tensor)},
        "marks": {key: optimizer.__dict__.get(key) for key in MARKS},
        "numbers": {} if is_of_torch(optimizer) else capture_attributes(optimizer),
    }


def restore_optimizer(optimizer: Optimizer, state: State) -> None:
    """Puts an optimizer back; rates that are tensors stay the tensors they are.

    Groups and parameters that were added since go.

    Raises:
        ValueError: The state is of another optimizer: one with more groups or parameters.
    """
    sizes, here = state["sizes"], [len(group["params"]) for group in optimizer.param_groups]
    if len(here) < len(sizes) or any(ours < theirs for ours, theirs in zip(here, sizes)):
        raise ValueError(
            f"the state is of an optimizer with groups of {sizes} parameters, and {type(optimizer).__name__} has "
            f"groups of {here}: give the optimizer that it was made with"
        )
    del optimizer.param_groups[len(sizes) :]
    for group, size in zip(optimizer.param_groups, sizes):
        del group["params"][size:]
    for group, saved in zip(optimizer.param_groups, state["groups"]):
        for key in [key for key in group if key != "params" and key not in saved]:
            del group[key]
        for key, value in saved.items():
            now = group.get(key)
            if isinstance(now, torch.Tensor) and isinstance(value, torch.Tensor):
                now.copy_(value)
            else:
                group[key] = copied(value)
    weights = [(weight, _counts_on_device(group)) for group in optimizer.param_groups for weight in group["params"]]
    optimizer.state.clear()
    for place, values in state["state"].items():
        weight, counts_too = weights[place]
        optimizer.state[weight] = _to(copied(values), weight.device, counts_too)
    optimizer.state.update(copied(state["beside"]))
    # States of earlier versions have none.
    first = next(weights_of(optimizer), None)
    with torch.no_grad():
        put_attributes(optimizer, state.get("numbers", {}), None if first is None else first.device)
    for key, mark in state["marks"].items():
        if mark is None:
            optimizer.__dict__.pop(key, None)
        else:
            optimizer.__dict__[key] = mark


def all_weights(model: torch.nn.Module, optimizers: Iterable[Optimizer]) -> list[torch.Tensor]:
    """The parameters of a model, and what else optimizers train, each once."""
    weights = [*model.parameters(), *(weight for optimizer in optimizers for weight in weights_of(optimizer))]
    return list({id(weight): weight for weight in weights}.values())


def weights_of(optimizer: Optimizer) -> Iterator[torch.Tensor]:
    """The weights that an optimizer trains."""
    for group in optimizer.param_groups:
        yield from group["params"]


def copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    if type(value) in (list, tuple):
        return type(value)(copied(inner) for inner in value)
    return copy.deepcopy(value)


def _counts_on_device(group: dict[str, Any]) -> bool:
    """Whether a group's count of steps is where its weights are; else it is on the CPU."""
    return bool(group.get("fused") or group.get("capturable"))


def _to(values: Any, device: torch.device, counts_too: bool) -> Any:
    if isinstance(values, dict):
        stays = () if counts_too else ("step",)
        return {key: inner if key in stays else _to(inner, device, counts_too) for key, inner in values.items()}
    return values.to(device) if isinstance(values, torch.Tensor) else values


def live(kinds: tuple[type, ...]) -> Iterator[Any]:
    """All objects of these kinds in this process."""
    return (thing for thing in gc.get_objects() if issubclass(type(thing), kinds))


class Everything:
    """All of a training in one: model, optimizers and what else they train, scaler and generators."""

    def __init__(
        self, model: torch.nn.Module, optimizers: Sequence[Optimizer], scaler: Optional[Any], loaders: Iterable[Any]
    ) -> None:
        self.model, self.scaler, self.loaders = model, scaler, list(loaders)
        self.optimizers = list(with_held(optimizers))

    def capture(self) -> State:
        """Copies of everything."""
        return {
            "model": capture_model(self.model),
            "optimizers": [capture_optimizer(optimizer) for optimizer in self.optimizers],
            "beside": [_capture_weight("of the optimizer", weight) for weight in self._beside()],
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "orders": [capture_order(loader) for loader in self.loaders],
            "random": capture_random(),
        }

    def restore(self, state: State) -> None:
        """Puts everything back, each part by itself, and raises afterwards what went wrong.

        Raises:
            ValueError: The state is of another training.
        """
        if len(state["optimizers"]) != len(self.optimizers) or len(state["orders"]) != len(self.loaders):
            raise ValueError(
                f"the state is of another training, with {len(state['optimizers'])} optimizers and {len(state['orders'])} "
                f"loaders: here are {len(self.optimizers)} and {len(self.loaders)}"
            )
        parts = [partial(restore_model, self.model, state["model"])]
        parts += [partial(restore_optimizer, *pair) for pair in zip(self.optimizers, state["optimizers"])]
        # States of earlier versions have none.
        parts.append(partial(self._restore_beside, state.get("beside", [])))
        if self.scaler is not None:
            parts.append(partial(self._restore_scaler, state["scaler"]))
        parts += [partial(restore_order, *pair) for pair in zip(self.loaders, state["orders"])]
        parts.append(partial(restore_random, state["random"]))
        each(parts)

    def _beside(self) -> list[torch.Tensor]:
        """The weights that the optimizers train and the model does not hold, each once."""
        known = {id(weight) for weight in self.model.parameters()}
        return [weight for weight in all_weights(self.model, self.optimizers) if id(weight) not in known]

    @torch.no_grad()
    def _restore_beside(self, state: list[State]) -> None:
        weights = self._beside()
        if [weight.shape for weight in weights] != [saved["value"].shape for saved in state]:
            raise ValueError(
                f"the state is of another training: {len(state)} of its weights are the optimizers' and not the model's, and "
                f"here {len(weights)} are, or they have other shapes"
            )
        for weight, saved in zip(weights, state):
            _put_parameter(weight, saved)

    def _restore_scaler(self, state: State) -> None:
        assert self.scaler is not None
        self.scaler.load_state_dict(state)
        # What an exception between unscaling and stepping left behind.
        getattr(self.scaler, "_per_optimizer_states", {}).clear()


def each(parts: Iterable[Callable[[], object]]) -> None:
    """Calls all parts, also after one that fails, and then raises the first failure; the message has those of all."""
    failures: list[Exception] = []
    for part in parts:
        try:
            part()
        except Exception as error:
            failures.append(error)
    if len(failures) > 1:
        raise ValueError("not everything was restored: " + "; ".join(map(str, failures))) from failures[0]
    if failures:
        raise failures[0]
