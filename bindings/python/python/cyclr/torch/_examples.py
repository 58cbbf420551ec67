"""How many examples a loader gives, and which of its data set."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from typing import Any, Optional

from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
)

from cyclr._cyclr import CyclrError
from cyclr._loop import examples_in
from cyclr.torch._order import capture_order, restore_order, sampler_of
from cyclr.torch._state import capture_random, restore_random

# After this many seconds of counting a message says what is waited for; more examples no held-out split has.
SAY_AFTER, MOST_EXAMPLES = 5.0, 10**8


def loader_size(loader: Any) -> int:
    """Examples of a batch; 1 if the loader does not tell."""
    return _told_size(loader) or 1


def batch_size(loader: Any, examples: Optional[int]) -> int:
    """Examples of a batch, of a loader whose examples in a pass are given, if they are known; 1 if nothing is.

    Raises:
        CyclrError: Its examples are known, and not how many batches they make.
    """
    size = _told_size(loader)
    if size is not None or examples is None or loader is None:
        return size or 1
    try:
        return max(math.ceil(examples / len(loader)), 1)
    except (TypeError, ZeroDivisionError):
        raise CyclrError(
            f"there are {examples} examples, and {type(loader).__name__} does not tell the size of its batches: give it an "
            "attribute `batch_size`, or a length"
        ) from None


def _told_size(loader: Any) -> Optional[int]:
    if loader is None:
        return None
    if isinstance(loader, Sequence) and loader:
        return examples_in(loader[0]) or None
    if isinstance(loader, Dataset) and not hasattr(loader, "__iter__"):
        raise CyclrError(
            f"train=... is a {type(loader).__name__}, which has no batches: give the DataLoader that the loop goes through"
        )
    batch_sampler = getattr(loader, "batch_sampler", None)
    return getattr(loader, "batch_size", None) or getattr(batch_sampler, "batch_size", None)


def given(loader: Any, size: int) -> int:
    """Examples that a pass over the loader gives."""
    if isinstance(loader, (list, tuple)):
        return sum(examples_in(batch) for batch in loader)
    sampler = sampler_of(loader)
    is_usual = type(getattr(loader, "batch_sampler", None)) is BatchSampler and not _drops_last(loader)
    try:
        return len(sampler) if is_usual and hasattr(sampler, "__len__") else len(loader) * size
    except TypeError:
        raise ValueError("the loader does not say how many examples it gives: give examples=...") from None


def held_out_count(name: str, loader: Any) -> int:
    """Examples of a held-out split; a loader that does not tell is gone through once."""
    if loader is None:
        return 0
    data = getattr(loader, "dataset", None)
    if data is None and hasattr(loader, "__getitem__") and not isinstance(loader, (list, tuple)):
        data = loader
    if hasattr(data, "__len__"):
        return _of_data(loader, data)
    order, generators = capture_order(loader), capture_random()
    count = _counted(name, loader)
    if count > 0 and next(iter(loader), None) is None:
        raise CyclrError(
            f"the {name} loader gives its batches once, and every evaluation needs them: give a DataLoader, a list of "
            "batches, or an object whose iter() starts again"
        )
    restore_order(loader, order)
    restore_random(generators)
    if count == 0 and hasattr(loader, "__len__"):
        # Its batches have no length that is known.
        return len(loader)
    if count == 0:
        raise ValueError(f"the {name} loader does not say how many examples it gives: give it a data set with a length")
    return count


def _counted(name: str, loader: Any) -> int:
    """The examples that a loader gives before it ends."""
    count, began, said = 0, time.monotonic(), False
    for batch in loader:
        count += examples_in(batch)
        if count > MOST_EXAMPLES:
            raise CyclrError(
                f"the {name} loader has given {count} examples and seems to have no end: give one that ends, or a data set "
                "with a length"
            )
        if not said and time.monotonic() - began > SAY_AFTER:
            said = True
            print(
                f"cyclr: the {name} loader does not tell its length and is gone through once to count it: {count} examples "
                "so far. One without an end never stops; a data set with a length is not counted",
                file=sys.stderr,
            )
    return count


def _of_data(loader: Any, data: Any) -> int:
    """Examples of a pass over data with a length."""
    places = drawn(loader)
    count = len(data) if places is None else len(places)
    # Processes that share the data out among them measure all of it together.
    is_shared_out = isinstance(sampler_of(loader), DistributedSampler)
    return count - count % loader_size(loader) if _drops_last(loader) and not is_shared_out else count


def _drops_last(loader: Any) -> bool:
    """Whether the last batch of a pass is left out if it is not full."""
    return getattr(loader, "drop_last", False) or getattr(getattr(loader, "batch_sampler", None), "drop_last", False)


def drawn(loader: Any) -> Optional[Sequence[int]]:
    """The places of its data set that a `DataLoader` draws from; ``None`` if they are not known."""
    if not isinstance(loader, DataLoader) or type(loader.batch_sampler) is not BatchSampler:
        return None
    sampler = sampler_of(loader)
    if isinstance(sampler, SubsetRandomSampler):
        return sorted(int(place) for place in sampler.indices)
    if isinstance(sampler, Sequence):
        return sampler
    if isinstance(sampler, RandomSampler) and (sampler.replacement or sampler.num_samples != len(sampler.data_source)):
        return None
    if isinstance(sampler, (SequentialSampler, RandomSampler, DistributedSampler)):
        return range(len(loader.dataset))  # type: ignore[arg-type]
    return None


def source_and_places(loader: Any) -> tuple[Any, Optional[Sequence[int]]]:
    """The data set that a loader has below all subsets, and the places in it that it draws; ``None`` if not known."""
    data, places = getattr(loader, "dataset", loader), drawn(loader)
    if isinstance(loader, Subset):
        data, places = loader, range(len(loader))
    while isinstance(data, Subset):
        indices = data.indices
        data, places = data.dataset, None if places is None else [int(indices[place]) for place in places]
    return data, places
