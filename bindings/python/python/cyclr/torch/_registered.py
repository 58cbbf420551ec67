"""Whether a run can go on from a state: what else of a process trains, and where its data cannot be gone back to."""

from __future__ import annotations

import gc
import io
import pickle
import re
import sys
from collections.abc import Sequence
from typing import Any, Optional

import torch
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from cyclr.torch._distributed import rank


def without_place(loader: Any) -> Optional[str]:
    """What of a loader keeps a pass over it from being gone into again; ``None`` if its order follows from known generators."""
    if loader is None:
        return "there is no train=... to go back into"
    if isinstance(loader, (list, tuple)):
        return None
    if not isinstance(loader, DataLoader):
        return f"the order of {type(loader).__name__} is not known"
    if isinstance(loader.dataset, torch.utils.data.IterableDataset):
        return "the place in an IterableDataset is not known"
    if loader.persistent_workers:
        return "the random numbers of persistent workers cannot be saved"
    batch_sampler: Any = loader.batch_sampler
    if batch_sampler is not None and type(batch_sampler) is not torch.utils.data.BatchSampler:
        return f"the order of {type(batch_sampler).__name__} is not known"
    # The loader of a batch sampler has none of its own.
    sampler = loader.sampler if batch_sampler is None else batch_sampler.sampler
    return None if type(sampler) in _KNOWN_SAMPLERS else f"the order of {type(sampler).__name__} is not known"


_KNOWN_SAMPLERS = (
    torch.utils.data.RandomSampler,
    torch.utils.data.SequentialSampler,
    torch.utils.data.SubsetRandomSampler,
    torch.utils.data.WeightedRandomSampler,
    torch.utils.data.DistributedSampler,
)


def not_read_back(state: dict[str, Any]) -> Optional[str]:
    """What a state holds that is not read back, as reading it could run code; ``None`` if nothing."""
    file = io.BytesIO()
    torch.save(state, file)
    try:
        torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        what = found.group(1) if found else "an object that is none"
        return (
            f"states are read with weights_only=True, and what is registered holds {what}, which is no tensor, number, "
            "text, list or dict (hand those over, or name the class to torch.serialization.add_safe_globals)"
        )
    return None


def say_starts_over(why: str) -> None:
    """Says, once for all processes, why a run cannot go on from a state."""
    if rank() == 0:
        print(f"cyclr: {why}: a run that is stopped starts over", file=sys.stderr)


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
