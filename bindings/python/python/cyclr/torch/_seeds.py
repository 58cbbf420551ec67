"""A script's own seeds, moved by the seed of the run."""

from __future__ import annotations

import functools
import random
from typing import Any, Callable

import torch


def move_seeds(by: int) -> None:
    """Adds a run's seed to every seed that the script gives the global generators from now on.

    So a script that seeds itself makes another run for each seed; for 0 it makes its own.
    Generators of the script's own, such as those that cut data into splits, stay as they are.
    """
    random.seed = _moved(random.seed, by)
    torch.manual_seed = torch.random.manual_seed = _moved(torch.manual_seed, by)
    for name in ("manual_seed", "manual_seed_all"):
        setattr(torch.cuda, name, _moved(getattr(torch.cuda, name), by))
    try:
        import numpy as np
    except ImportError:
        return
    np.random.seed = _moved(np.random.seed, by)


def _moved(seed: Callable[..., Any], by: int) -> Callable[..., Any]:
    @functools.wraps(seed)
    def moved(*args: Any, **kwargs: Any) -> Any:
        if args and type(args[0]) is int and by != 0:
            # Neighbours of a seed are likely to be other runs' seeds.
            args = ((args[0] + by * 1_000_003) % 2**32, *args[1:])
        return seed(*args, **kwargs)

    return moved
