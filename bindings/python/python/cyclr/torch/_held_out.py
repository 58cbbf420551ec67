"""The held-out data of a script: two splits, or one that is halved."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset

from cyclr._cyclr import CyclrError
from cyclr.torch._trainer import _held_out


def splits(validation: Any, test: Any, data_seed: int, say: bool) -> tuple[dict[str, Any], dict[str, int]]:
    """The data of both splits and their examples. One split, or the same for both, is halved by ``data_seed``.

    Raises:
        CyclrError: The splits share examples, or the one that there is cannot be halved.
    """
    given = {"validation": validation, "test": test}
    if test is None and validation is None:
        return given, {"validation": 0, "test": 0}
    counts = {name: data if isinstance(data, int) else _held_out(name, data) for name, data in given.items()}
    if isinstance(validation, int) or isinstance(test, int):
        return given, counts
    if validation is not None and test is not None and not _is_same(validation, test):
        _check_apart(validation, test)
        return given, counts
    whole = validation if validation is not None else test
    halves = _halved(whole, data_seed)
    counts = {name: _held_out(name, half) for name, half in halves.items()}
    if say:
        say_halved(counts)
    return halves, counts


def halves_of(data: Any, data_seed: int) -> tuple[Any, Any]:
    """The two halves of a data set, each in its own order; which examples are in which follows from ``data_seed``."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(data_seed)).tolist()
    middle = (len(order) + 1) // 2
    # Data sets of Hugging Face have their own way, which keeps them what they are.
    part = data.select if hasattr(data, "select") else lambda places: Subset(data, places)
    return part(sorted(order[:middle])), part(sorted(order[middle:]))


def say_halved(counts: dict[str, int]) -> None:
    """Says that there was one split."""
    told = " and ".join(f"{count} are {name}" for name, count in counts.items())
    print(f"cyclr: there is one held-out split of {sum(counts.values())} examples: {told}", file=sys.stderr)


def _halved(loader: Any, data_seed: int) -> dict[str, Any]:
    if isinstance(loader, DataLoader) and hasattr(loader.dataset, "__len__") and loader.batch_size is not None:
        halves = halves_of(loader.dataset, data_seed)
        return {name: _with(loader, half) for name, half in zip(("validation", "test"), halves)}
    if isinstance(loader, Sequence) and len(loader) > 1:
        return {"validation": loader[::2], "test": loader[1::2]}
    raise CyclrError(
        f"the held-out {type(loader).__name__} cannot be halved: give validation=... and test=..., or a DataLoader over a "
        "data set with a length"
    )


def _with(loader: DataLoader[Any], data: Any) -> DataLoader[Any]:
    """A loader like another, of other data and in their order."""
    return DataLoader(
        data,
        batch_size=loader.batch_size,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
    )


def _is_same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    data = getattr(one, "dataset", one), getattr(other, "dataset", other)
    if data[0] is data[1] and getattr(one, "sampler", None).__class__ is getattr(other, "sampler", None).__class__:
        return True
    tensors = [getattr(each, "tensors", None) for each in data]
    if tensors[0] is None or tensors[1] is None or len(tensors[0]) != len(tensors[1]):
        return False
    return all(a.data_ptr() == b.data_ptr() and a.shape == b.shape for a, b in zip(*tensors))


def _check_apart(validation: Any, test: Any) -> None:
    data = getattr(validation, "dataset", None), getattr(test, "dataset", None)
    if not (isinstance(data[0], Subset) and isinstance(data[1], Subset) and data[0].dataset is data[1].dataset):
        return
    shared = set(data[0].indices) & set(data[1].indices)
    if shared:
        raise CyclrError(
            f"validation and test share {len(shared)} examples: what decides must not be tested on; give each its own, "
            "or validation=... alone, which is halved"
        )
