"""Whether a run can go on from a state: what else of a process trains, and where its data cannot be gone back to."""

from __future__ import annotations

import gc
import io
import pickle
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Optional

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Subset
from torch.utils.data.dataloader import _BaseDataLoaderIter

from cyclr.torch._distributed import rank
from cyclr.torch._order import generators_of, sampler_of
from cyclr.torch._state import live, weights_of


def without_place(loader: Any, accumulate: int = 1) -> Optional[str]:
    """What of a loader keeps a pass over it from being gone into again; ``None`` if its order follows from known generators.

    Args:
        loader: The loader of the training batches.
        accumulate: The batches of an update. If a pass ends in the middle of an update, a script that goes on
            in mid-pass counts its batches from there, and so ends the pass at another place.

    Raises:
        ValueError: An update has no batch.
    """
    if accumulate < 1:
        raise ValueError(f"accumulate = {accumulate}: it must be at least 1")
    if loader is None:
        return "there is no train=... to go back into"
    if isinstance(loader, (list, tuple)):
        return _ends_within_update(len(loader), accumulate)
    if not isinstance(loader, DataLoader):
        return f"the order of {type(loader).__name__} is not known"
    if isinstance(loader.dataset, torch.utils.data.IterableDataset):
        return "the place in an IterableDataset is not known"
    if loader.persistent_workers:
        return "the random numbers of persistent workers cannot be saved"
    if loader.num_workers == 0 and (name := _own_generator(loader.dataset)) is not None:
        return f"the random numbers of the data set's `{name}` cannot be saved"
    batch_sampler: Any = loader.batch_sampler
    if batch_sampler is not None and type(batch_sampler) is not torch.utils.data.BatchSampler:
        return f"the order of {type(batch_sampler).__name__} is not known"
    sampler = sampler_of(loader)
    if type(sampler) not in _KNOWN_SAMPLERS:
        return f"the order of {type(sampler).__name__} is not known"
    return _ends_within_update(len(loader), accumulate)


def _ends_within_update(batches: int, accumulate: int) -> Optional[str]:
    return (
        f"a pass of {batches} batches ends in the middle of an update of {accumulate}" if batches % accumulate else None
    )


def _own_generator(data: Any) -> Optional[str]:
    """The attribute in which a data set has a random generator of its own. Workers have copies, the same for each pass."""
    while isinstance(data, Subset):
        data = data.dataset
    kinds: list[type] = [Random, torch.Generator]
    if "numpy" in sys.modules:
        import numpy as np

        kinds += [np.random.Generator, np.random.RandomState]
    return next((name for name, value in _attributes(data).items() if isinstance(value, tuple(kinds))), None)


def _attributes(thing: Any) -> dict[str, Any]:
    return getattr(thing, "__dict__", {})


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


def unregistered(
    models: Sequence[torch.nn.Module], optimizers: Sequence[Optimizer], scaler: Any, saved: Any = None, *known: Any
) -> list[str]:
    """What else of this process has state that trains, by name.

    That is models, optimizers, scalers, schedulers that move momentum, and copies of the weights (such
    as an average of them in a dict).

    Args:
        models: The models whose state is known.
        optimizers: The same of the optimizers.
        scaler: The same of AMP's scaler.
        saved: What else is saved, by functions of the script's own.
        known: Schedulers and optimizers whose state is known.
    """
    gc.collect()
    things = list(live((*_WITH_STATE, torch.Tensor)))
    ours = {id(tensor) for model in models for tensor in [*model.parameters(), *model.buffers()]}
    modules = [thing for thing in things if isinstance(thing, torch.nn.Module)]
    others = {id(module) for module in modules if _tensors(module) - ours}
    # By the name of the outermost: an average may be a module that holds a copy, and nothing else.
    holders = [module for module in modules if any(id(part) in others for part in module.modules())]
    inner = {id(part) for holder in holders for part in holder.modules() if part is not holder}
    found = [holder for holder in holders if id(holder) not in inner]
    for thing in things:
        is_scaler = isinstance(thing, torch.amp.GradScaler) and thing.is_enabled() and thing is not scaler
        plain = thing.optimizer if is_of_accelerate(thing) and hasattr(thing, "optimizer") else thing
        is_optimizer = isinstance(thing, Optimizer) and not any(one is plain for one in (*optimizers, *known))
        if is_scaler or is_optimizer or _moves_momentum(thing, optimizers, known):
            found.append(thing)
    names = {type(thing).__name__ for thing in found}
    if _are_copied(things, models, optimizers, saved):
        names.add("a copy of the weights")
    return sorted(names)


def is_of_accelerate(thing: Any) -> bool:
    """Whether an object is of a class of Accelerate's, whose optimizers wrap one and keep nothing."""
    return type(thing).__module__.split(".")[0] == "accelerate"


def without_order(loader: Any) -> Optional[str]:
    """What of a loader of the script's own keeps its order from being gone back to; ``None`` if nothing is seen."""
    name = _own_generator(loader)
    if name is None or any(getattr(loader, name) is known for known in generators_of(loader)):
        return None
    return f"the random numbers of the loader's `{name}` cannot be saved"


def has_passes_beside(train: Any) -> bool:
    """Whether another pass than the one over ``train`` is under way."""
    ours = getattr(train, "_index_sampler", None)
    passes = [one for one in live((_BaseDataLoaderIter,)) if not one._persistent_workers]
    of_train = [one for one in passes if one._index_sampler is ours]
    return len(of_train) > 1 or len(passes) > len(of_train)


_WITH_STATE = (torch.nn.Module, Optimizer, torch.amp.GradScaler, LRScheduler)


def _moves_momentum(thing: Any, optimizers: Sequence[Optimizer], known: Sequence[Any]) -> bool:
    """Whether a scheduler that nobody saves moves the momentum of an optimizer, which its rates alone do not show."""
    if not isinstance(thing, LRScheduler) or not getattr(thing, "cycle_momentum", False):
        return False
    # Those that go on one after another are saved by the one that has them.
    saved = [part for one in known for part in (one, *getattr(one, "_schedulers", ()))]
    return any(thing.optimizer is one for one in optimizers) and not any(thing is one for one in saved)


def _are_copied(
    things: Sequence[Any], models: Sequence[torch.nn.Module], optimizers: Sequence[Optimizer], saved: Any
) -> bool:
    """Whether there are tensors that nothing known holds in the shapes of all weights of a model or an optimizer, or one as long as them."""
    parts = [list(model.parameters()) for model in models] + [list(weights_of(one)) for one in optimizers]
    weights = [weight for part in parts for weight in part]
    if any(isinstance(weight, torch.nn.parameter.UninitializedParameter) for weight in weights):
        return False
    known = [weights, [weight.grad for weight in weights], *(one.state for one in optimizers)]
    known += [_own_tensors(thing) for thing in things if isinstance(thing, torch.nn.Module)]
    storages = {tensor.data_ptr() for tensor in _all_tensors(known) if type(tensor) in _PLAIN}
    # A script's function may hand over copies of what it keeps.
    loose = Counter(one.shape for one in things if _is_loose(one) and one.data_ptr() not in storages)
    loose.subtract(one.shape for one in _all_tensors(saved))
    parts = [part for part in parts if any(weight.ndim > 1 for weight in part)]
    wanted = [Counter(weight.shape for weight in part) for part in parts]
    # As torch.nn.utils.parameters_to_vector makes it.
    wanted += [Counter([torch.Size([sum(weight.numel() for weight in part)])]) for part in parts]
    return any(all(loose[shape] >= count for shape, count in one.items()) for one in wanted)


_PLAIN = (torch.Tensor, torch.nn.Parameter)


def _is_loose(thing: Any) -> bool:
    is_plain = type(thing) is torch.Tensor and thing.layout is torch.strided
    return is_plain and thing.is_leaf and thing.is_floating_point()


def _all_tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _all_tensors(inner)


def _tensors(module: torch.nn.Module) -> set[int]:
    """The tensors of a module itself that may change; torch's weights of classes in a loss do not."""
    own = {id(tensor) for tensor in _own_tensors(module)}
    if isinstance(module, torch.nn.modules.loss._Loss):
        own -= {id(module._buffers.get(name)) for name in ("weight", "pos_weight")}
    return own


def _own_tensors(module: torch.nn.Module) -> list[torch.Tensor]:
    parts = module.__dict__
    own = [*parts.get("_parameters", {}).values(), *parts.get("_buffers", {}).values()]
    return [tensor for tensor in own if tensor is not None]
