"""Whether a run can go on from a state: what else of a process trains, and where its data cannot be gone back to."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import torch
from torch.optim import Optimizer
from torch.utils.data import DataLoader


def can_be_placed(loader: Any) -> bool:
    """Whether a pass over a loader can be gone into again: its order follows from generators that are known."""
    if isinstance(loader, (list, tuple)):
        return True
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, torch.utils.data.IterableDataset):
        return False
    batch_sampler: Any = loader.batch_sampler
    if batch_sampler is not None and type(batch_sampler) is not torch.utils.data.BatchSampler:
        return False
    # The loader of a batch sampler has none of its own.
    sampler = loader.sampler if batch_sampler is None else batch_sampler.sampler
    return not loader.persistent_workers and type(sampler) in _KNOWN_SAMPLERS


_KNOWN_SAMPLERS = (
    torch.utils.data.RandomSampler,
    torch.utils.data.SequentialSampler,
    torch.utils.data.SubsetRandomSampler,
    torch.utils.data.WeightedRandomSampler,
    torch.utils.data.DistributedSampler,
)


def unregistered(models: Sequence[torch.nn.Module], optimizers: Sequence[Optimizer], scaler: Any) -> list[str]:
    """What else of this process has state that trains: models, optimizers and scalers, by name."""
    gc.collect()
    things = [thing for thing in gc.get_objects() if issubclass(type(thing), _WITH_STATE)]
    known = {id(tensor) for model in models for tensor in [*model.parameters(), *model.buffers()]}
    others = [thing for thing in things if isinstance(thing, torch.nn.Module) and _tensors(thing) - known]
    inner = {id(module) for other in others for module in other.modules() if module is not other}
    found = [other for other in others if id(other) not in inner]
    for thing in things:
        is_scaler = isinstance(thing, torch.amp.GradScaler) and thing.is_enabled() and thing is not scaler
        if is_scaler or (isinstance(thing, Optimizer) and not any(thing is one for one in optimizers)):
            found.append(thing)
    return sorted({type(thing).__name__ for thing in found})


_WITH_STATE = (torch.nn.Module, Optimizer, torch.amp.GradScaler)


def _tensors(module: torch.nn.Module) -> set[int]:
    """The tensors of a module itself; a loss has none that change."""
    if isinstance(module, torch.nn.modules.loss._Loss):
        return set()
    parts = module.__dict__
    own = [*parts.get("_parameters", {}).values(), *parts.get("_buffers", {}).values()]
    return {id(tensor) for tensor in own if tensor is not None}
