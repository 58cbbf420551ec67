"""What the order of a pass over a loader depends on."""

from __future__ import annotations

from typing import Any

import torch

State = dict[str, Any]


def sampler_of(loader: Any) -> Any:
    """The sampler that chooses the examples; ``None`` if there is none. That of a batch sampler is not the loader's."""
    return getattr(getattr(loader, "batch_sampler", None), "sampler", getattr(loader, "sampler", None))


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
        "epoch": getattr(sampler_of(loader), "epoch", None),
    }


def restore_order(loader: Any, state: State) -> None:
    """Puts a loader's generators and its sampler's epoch back."""
    for generator, saved in zip(generators_of(loader), state["generators"]):
        generator.set_state(saved)
    if state["epoch"] is not None:
        sampler_of(loader).epoch = state["epoch"]
