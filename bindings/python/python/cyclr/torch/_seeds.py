"""The global generators, seeded by the run, and a script's own seeds, moved by it."""

from __future__ import annotations

import functools
import random
from numbers import Integral
from typing import Any, Callable

import torch

from cyclr._begun import seed_python


def seed_all(seed: int) -> None:
    """Seeds the global generators of torch, NumPy and Python."""
    seed_python(seed)
    torch.manual_seed(seed)


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
        if args:
            args = (_apart(args[0], by), *args[1:])
        # By name it is `seed`, and `a` of Python's generator.
        kwargs = {name: _apart(value, by) if name in ("seed", "a") else value for name, value in kwargs.items()}
        return seed(*args, **kwargs)

    return moved


def _apart(seed: Any, by: int) -> Any:
    """A script's seed in another run; what is no whole number stays as it is."""
    if by == 0 or isinstance(seed, bool) or not isinstance(seed, Integral):
        return seed
    # Neighbours of a seed are likely to be other runs' seeds.
    return (int(seed) + by * 1_000_003) % 2**32
