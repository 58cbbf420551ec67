"""The held-out data of a script: two splits, or one that is halved."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Optional

import torch
from torch.utils.data import DataLoader, DistributedSampler, IterableDataset, Subset

from cyclr._cyclr import CyclrError
from cyclr.torch._examples import drawn, held_out_count, loader_size, source_and_places
from cyclr.torch._order import sampler_of


def splits(train: Any, validation: Any, test: Any, data_seed: int, say: bool) -> tuple[dict[str, Any], dict[str, int]]:
    """The data of both splits and their examples. One split, or the same for both, is halved by ``data_seed``.

    Raises:
        CyclrError: The splits share examples, or training examples are in one, or the one that
            there is cannot be halved.
    """
    given = {"validation": validation, "test": test}
    for name, data in given.items():
        check_apart("train", train, name, data, say)
    if test is None and validation is None:
        return given, {"validation": 0, "test": 0}
    counts = {name: data if isinstance(data, int) else held_out_count(name, data) for name, data in given.items()}
    if isinstance(validation, int) or isinstance(test, int):
        return given, counts
    if validation is not None and test is not None and not _is_same(validation, test):
        check_apart("validation", validation, "test", test, say)
        return given, counts
    whole = validation if validation is not None else test
    halves = _halved(whole, data_seed)
    counts = {name: held_out_count(name, half) for name, half in halves.items()}
    if say:
        say_halved(counts)
    return halves, counts


def halves_of(data: Any, data_seed: int) -> tuple[Any, Any]:
    """The two halves of a data set, each in its own order; which examples are in which follows from ``data_seed``."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(data_seed)).tolist()
    middle = (len(order) + 1) // 2
    return _part(data, sorted(order[:middle])), _part(data, sorted(order[middle:]))


def _part(data: Any, places: Sequence[int]) -> Any:
    # Data sets of Hugging Face have their own way, which keeps them what they are.
    is_theirs = hasattr(data, "select") and not isinstance(data, torch.Tensor)
    return data.select(places) if is_theirs else Subset(data, places)


def say_halved(counts: dict[str, int]) -> None:
    """Says that there was one split."""
    told = " and ".join(f"{count} are {name}" for name, count in counts.items())
    print(f"cyclr: there is one held-out split of {sum(counts.values())} examples: {told}", file=sys.stderr)


def _halved(loader: Any, data_seed: int) -> dict[str, Any]:
    places = drawn(loader)
    if places is not None:
        data = loader.dataset if len(places) == len(loader.dataset) else _part(loader.dataset, places)
        return {name: _with(loader, half) for name, half in zip(_SPLITS, halves_of(data, data_seed))}
    if isinstance(loader, Sequence) and len(loader) > 1:
        return {"validation": loader[::2], "test": loader[1::2]}
    raise CyclrError(
        f"the held-out {type(loader).__name__} cannot be halved: give validation=... and test=..., or a DataLoader over a "
        "data set with a length, without a sampler of your own"
    )


_SPLITS = ("validation", "test")


def _with(loader: DataLoader[Any], data: Any) -> DataLoader[Any]:
    """A loader like another, of other data and in their order."""
    sampler = sampler_of(loader)
    if isinstance(sampler, DistributedSampler):
        # What each process measures is summed up by the script.
        ranks = sampler.num_replicas, sampler.rank
        sampler = DistributedSampler(data, *ranks, shuffle=False, drop_last=sampler.drop_last)
    else:
        sampler = None
    return DataLoader(
        data,
        batch_size=loader_size(loader),
        sampler=sampler,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        worker_init_fn=loader.worker_init_fn,
        pin_memory=loader.pin_memory,
    )


def check_apart(name: str, one: Any, other_name: str, other: Any, say: bool) -> None:
    """Refuses data that share examples, as far as it can be seen without reading them.

    Raises:
        CyclrError: They share examples, or are the same data.
    """
    if one is None or other is None or isinstance(other, int):
        return
    if _is_same(one, other):
        raise CyclrError(f"{name} and {other_name} are the same data: {_ADVICE[name]}")
    shared = _shared(one, other)
    if shared is None and say:
        print(
            f"cyclr: {name} and {other_name} draw from one data set, by a sampler that does not say which examples: they must "
            "share none",
            file=sys.stderr,
        )
    if shared:
        raise CyclrError(f"{name} and {other_name} share {shared} examples: {_ADVICE[name]}")


_ADVICE = {
    "train": "what decides or is reported must not be trained on; hold examples out",
    "validation": "what decides must not be tested on; give each its own examples, or leave test=... out",
}


def _is_same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    (data, places), (other_data, others) = source_and_places(one), source_and_places(other)
    if not _is_same_data(data, other_data):
        return False
    if _has_sampler(one) or _has_sampler(other):
        return places is not None and others is not None and set(places) == set(others)
    return True


def _has_sampler(loader: Any) -> bool:
    """Whether a loader chooses among the examples of its data set."""
    if isinstance(loader, Subset):
        return True
    return isinstance(loader, DataLoader) and not isinstance(loader.dataset, IterableDataset)


def _is_same_data(one: Any, other: Any) -> bool:
    if one is other:
        return True
    tensors = [getattr(each, "tensors", None) for each in (one, other)]
    if tensors[0] is None or tensors[1] is None or len(tensors[0]) != len(tensors[1]):
        return False
    return all(a.data_ptr() == b.data_ptr() and a.shape == b.shape for a, b in zip(*tensors))


def _shared(one: Any, other: Any) -> Optional[int]:
    """How many examples two loaders share; ``None`` if that cannot be seen."""
    (data, places), (other_data, others) = source_and_places(one), source_and_places(other)
    if not _is_same_data(data, other_data):
        return 0
    return None if places is None or others is None else len(set(places) & set(others))
