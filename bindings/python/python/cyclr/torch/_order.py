"""What the order of a pass over a loader depends on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

import torch

from cyclr._cyclr import CyclrError

State = dict[str, Any]


def sampler_of(loader: Any) -> Any:
    """The sampler that chooses the examples; ``None`` if there is none. That of a batch sampler is not the loader's."""
    return getattr(getattr(loader, "batch_sampler", None), "sampler", getattr(loader, "sampler", None))


def counts_epochs(loader: Any) -> Any:
    """The batch sampler or sampler whose order depends on an epoch that it is told; ``None`` if there is none."""
    holders = (getattr(loader, "batch_sampler", None), sampler_of(loader))
    return next((one for one in holders if hasattr(one, "set_epoch")), None)


def generators_of(loader: Any) -> list[torch.Generator]:
    """The generators that a loader and its samplers draw the order of the data from, each once."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    holders = [loader, getattr(loader, "sampler", None), batch_sampler, getattr(batch_sampler, "sampler", None)]
    found = {id(g): g for holder in holders if isinstance(g := getattr(holder, "generator", None), torch.Generator)}
    return list(found.values())


def capture_order(loader: Any) -> State:
    """What the order of the next pass over a loader depends on, besides the global generators."""
    return {
        "generators": [generator.get_state() for generator in generators_of(loader)],
        "epoch": getattr(_with_epoch(loader), "epoch", None),
    }


def restore_order(loader: Any, state: State) -> None:
    """Puts a loader's generators and its sampler's epoch back."""
    for generator, saved in zip(generators_of(loader), state["generators"]):
        generator.set_state(saved)
    holder = _with_epoch(loader)
    if state["epoch"] is not None and hasattr(holder, "set_epoch"):
        holder.set_epoch(state["epoch"])
    elif state["epoch"] is not None:
        holder.epoch = state["epoch"]


def _with_epoch(loader: Any) -> Any:
    holder = counts_epochs(loader)
    return sampler_of(loader) if holder is None else holder


@contextmanager
def order_kept(loader: Any) -> Iterator[None]:
    """Within it, a pass over a loader leaves no trace in those that are under way or come later."""
    # The iterator is that of workers that persist.
    order, iterator = capture_order(loader), getattr(loader, "_iterator", None)
    try:
        if iterator is not None:
            loader._iterator = None
        yield
    finally:
        restore_order(loader, order)
        if iterator is not None:
            loader._iterator = iterator


class Arrangement:
    """The order of the batches in a list, which a script may shuffle."""

    def __init__(self, batches: list[Any]) -> None:
        self._batches, self._first = batches, list(batches)

    def save(self) -> list[int]:
        """The places that the batches had at first."""
        places = {id(batch): place for place, batch in enumerate(self._first)}
        return [places.get(id(batch), -1) for batch in self._batches]

    def load(self, places: list[int]) -> None:
        """Puts the batches into an order.

        Raises:
            CyclrError: Some were not in the list at first.
        """
        if -1 in places:
            raise CyclrError(
                "the script put other batches into the list train=... than it had at first: it cannot go on; start this run anew"
            )
        self._batches[:] = [self._first[place] for place in places]


class EndlessEpochs:
    """The epochs of a sampler in a pass that does not end: they go on from the one that the script has set.

    A script that goes on from a state counts anew, and the sampler is ahead of it.

    Attributes:
        first: The epoch in which the pass begins.
    """

    def __init__(self) -> None:
        self.first = self._ahead = 0

    def go_on(self, first: int) -> None:
        """Goes on from a state of a pass that began in the epoch ``first``."""
        self._ahead += first - self.first
        self.first = first

    @contextmanager
    def of(self, loader: Any) -> Iterator[Callable[[int], None]]:
        """Begins a pass, and gives what tells the sampler that it goes on to an epoch, counted from 0."""
        sampler = counts_epochs(loader)
        told = getattr(sampler, "epoch", None) or 0
        self.first = told + self._ahead

        def tell(epoch: int) -> None:
            if sampler is not None and (epoch > 0 or self._ahead):
                sampler.set_epoch(self.first + epoch)

        try:
            yield tell
        finally:
            if sampler is not None:
                sampler.set_epoch(told)
