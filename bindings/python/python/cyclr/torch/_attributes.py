"""What modules and optimizers keep in attributes: numbers, tensors, and lists, tuples, dicts and deques of them."""

from __future__ import annotations

import numbers
from collections import deque
from collections.abc import Iterator
from typing import Any, Optional

import torch

from cyclr.torch._order import State

MARKS = ("_opt_called", "_step_count", "_cyclr_updates", "_cyclr_trains")
"""What schedulers, torch's and ours, note on an optimizer about the updates that it made."""
_OTHERS = {*vars(torch.nn.Module()), "_flat_weights", "param_groups", "state", "defaults", "_cyclr_in_step", *MARKS}
"""What modules or optimizers have that is captured by itself, or never changes."""
_NUMBERS = (bool, int, float)
_SEVERAL = (list, tuple, dict, deque)


def is_of_torch(thing: Any) -> bool:
    """Whether an object is of a class of torch itself."""
    return type(thing).__module__.split(".")[0] == "torch"


def capture_attributes(thing: Any) -> State:
    """Copies of what a module or an optimizer keeps; torch's own keep numbers without an underscore, and tensors."""
    is_kept = _is_kept_by_torch if is_of_torch(thing) else _may_be_kept
    return {name: _copied(value) for name, value in vars(thing).items() if value is not None and is_kept(name, value)}


def put_attributes(thing: Any, state: State, device: Optional[torch.device]) -> None:
    """Puts them back; a tensor that has no place yet comes to ``device``."""
    held = {_memory(tensor) for tensor in _held(thing)} - {None}
    for name, saved in state.items():
        vars(thing)[name] = _put(vars(thing).get(name), saved, device, held)


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """The tensors of a list, tuple, dict or deque, and of those within."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, _SEVERAL):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(inner)


class Attributes:
    """The attributes and buffers of a module as they are, as objects and as values, so that what changes them can be undone."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module
        self._objects = {name: value for name, value in vars(module).items() if _may_be_kept(name, value)}
        self._values = capture_attributes(module)
        self._buffers = dict(module._buffers.items())
        self._contents = [(one, one.clone()) for one in self._buffers.values() if one is not None]

    @torch.no_grad()
    def restore(self) -> None:
        """Puts them back; those that came later go."""
        now = vars(self._module)
        for name in [name for name, value in now.items() if _may_be_kept(name, value)]:
            if name not in self._objects:
                del now[name]
        now.update({name: one for name, one in self._objects.items() if _may_be_kept(name, now.get(name))})
        put_attributes(self._module, {name: one for name, one in self._values.items() if name in now}, None)
        for name, buffer in self._buffers.items():
            # Modules that are compiled have no dict.
            self._module._buffers[name] = buffer
        for buffer, contents in self._contents:
            if buffer.shape != contents.shape:
                buffer.resize_(contents.shape)
            if not _same(buffer, contents):
                buffer.copy_(contents)


def _is_kept_by_torch(name: str, value: Any) -> bool:
    return type(value) is torch.Tensor or (type(value) in _NUMBERS and name not in _OTHERS and not name.startswith("_"))


def _may_be_kept(name: str, value: Any) -> bool:
    return name not in _OTHERS and (value is None or _is_kept(value))


def _is_kept(value: Any) -> bool:
    return type(value) in (*_NUMBERS, torch.Tensor) or _is_of_numpy(value) or _is_plain(value)


def _is_plain(value: Any) -> bool:
    """Whether it is a container of numbers, texts and tensors alone, which a state can hold."""
    if type(value) not in _SEVERAL:
        return False
    inner = [*value.keys(), *value.values()] if isinstance(value, dict) else value
    return all(one is None or type(one) is str or _is_kept(one) for one in inner)


def _is_of_numpy(value: Any) -> bool:
    return type(value).__module__ == "numpy" and isinstance(value, numbers.Real)


def _copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {_copied(key): _copied(inner) for key, inner in value.items()}
    if isinstance(value, _SEVERAL):
        copies = [_copied(inner) for inner in value]
        return tuple(copies) if isinstance(value, tuple) else copies
    return value.item() if _is_of_numpy(value) else value


def _put(now: Any, saved: Any, device: Optional[torch.device], held: set[Optional[int]]) -> Any:
    """The object that is to hold a value: the one that holds it now, if it can."""
    if _same(now, saved):
        return now
    if isinstance(saved, torch.Tensor):
        if isinstance(now, torch.Tensor):
            # What shares its memory with a weight is put back as the weight.
            if _memory(now) not in held and put_in_place(now, saved):
                return now
            device = now.device
        return saved.to(device, copy=True)
    if isinstance(saved, (list, tuple)):
        return _put_several(now, saved, device, held)
    if isinstance(saved, dict):
        values = {key: _put(_in(now, key), inner, device, held) for key, inner in saved.items()}
        if not isinstance(now, dict):
            return values
        now.clear()
        now.update(values)
        return now
    return type(now)(saved) if _is_of_numpy(now) else saved


def _put_several(now: Any, saved: Any, device: Optional[torch.device], held: set[Optional[int]]) -> Any:
    places = list(now) if isinstance(now, (list, tuple, deque)) else []
    places += [None] * (len(saved) - len(places))
    values = [_put(place, inner, device, held) for place, inner in zip(places, saved)]
    if not isinstance(now, (list, deque)):
        return tuple(values) if isinstance(saved, tuple) else values
    now.clear()
    now.extend(values)
    return now


def _in(now: Any, key: Any) -> Any:
    return now.get(key) if isinstance(now, dict) else None


def _same(now: Any, saved: Any) -> bool:
    if isinstance(saved, torch.Tensor):
        is_alike = isinstance(now, torch.Tensor) and (now.shape, now.dtype) == (saved.shape, saved.dtype)
        return is_alike and now.layout is torch.strided and torch.equal(now, saved.to(now.device))
    if isinstance(saved, dict):
        return isinstance(now, dict) and [*now] == [*saved] and all(_same(now[key], saved[key]) for key in saved)
    if isinstance(saved, (list, tuple)):
        is_one = isinstance(now, (list, tuple, deque)) and len(now) == len(saved)
        return is_one and all(_same(one, inner) for one, inner in zip(now, saved))
    # As a bool is a number, and not a number is no other.
    return type(now) is type(saved) and (now == saved or (now != now and saved != saved))


def put_in_place(now: torch.Tensor, value: torch.Tensor) -> bool:
    """Puts a value into a tensor, as others may hold it; false if it has no place there, as in one that is expanded."""
    if now.shape != value.shape or now.dtype != value.dtype:
        return False
    if now.layout is torch.strided and any(step == 0 and size > 1 for step, size in zip(now.stride(), now.shape)):
        return torch.equal(now, value.to(now.device))
    now.copy_(value)
    return True


def _held(thing: Any) -> Iterator[torch.Tensor]:
    """The weights and buffers that an attribute of a module or an optimizer may be another name of."""
    held: list[Any]
    if isinstance(thing, torch.nn.Module):
        held = [*thing._parameters.values(), *thing._buffers.values()]
    else:
        held = [weight for group in thing.param_groups for weight in group["params"]]
    yield from (one for one in held if type(one) in (torch.Tensor, torch.nn.Parameter))


def _memory(tensor: torch.Tensor) -> Optional[int]:
    return tensor.untyped_storage().data_ptr() if tensor.layout is torch.strided else None
