"""The run that a process makes, as a loop of the user's begins it, and the generators of Python and NumPy."""

from __future__ import annotations

import contextlib
import random
import sys
from typing import Any, Callable, Optional

from cyclr._cyclr import CyclrError
from cyclr._requests import Requests, is_driven
from cyclr._trainer import Run

_begun: list[Begun] = []


class Begun:
    """What `begin` found out: the run, and who asks for it (nobody if the script runs alone)."""

    def __init__(self, run: Run, requests: Optional[Requests]) -> None:
        self.run, self.requests = run, requests
        self.is_attached = False


def begin_by(connect: Callable[[], Requests], seed: int) -> Begun:
    """The run of this process: what cyclr asks for, or, alone, the run of ``seed``."""
    if _begun:
        if is_driven():
            raise CyclrError("begin() was called before: a process makes one run")
        _begun.clear()
    if is_driven():
        requests = connect()
        begun = Begun(requests.run, requests)
    else:
        begun = Begun(Run(seed), None)
    _begun.append(begun)
    return begun


def begun_before() -> bool:
    """Whether `begin` was called, and nothing is attached yet."""
    return bool(_begun) and not _begun[-1].is_attached


def begun_last() -> Begun:
    """The run that was begun last."""
    return _begun[-1]


def begun_run() -> Begun:
    """The run that `begin` named."""
    if not _begun:
        raise CyclrError("call begin() before the model is made, so that the run's seed decides its weights")
    begun = _begun[-1]
    if begun.is_attached and begun.requests is not None:
        raise CyclrError("a loop is attached already: a process trains one, and gives attach() all its optimizers")
    return begun


def seed_python(seed: int) -> None:
    """Seeds Python's generator, and NumPy's if it is installed: the script may import it later."""
    random.seed(seed)
    with contextlib.suppress(ImportError):
        import numpy as np

        np.random.seed(seed % 2**32)


def random_state() -> dict[str, Any]:
    """The states of Python's generator, and of NumPy's if it is imported, in numbers, text, lists and dicts."""
    state: dict[str, Any] = {"python": random.getstate()}
    if "numpy" in sys.modules:
        import numpy as np

        state["numpy"] = without_arrays(np.random.get_state(legacy=False))
    return state


def set_random_state(state: Any) -> None:
    """Puts the generators back."""
    random.setstate(state["python"])
    if "numpy" in state:
        import numpy as np

        np.random.set_state(state["numpy"])


def without_arrays(value: Any) -> Any:
    """A state of a generator in numbers, text, lists and dicts."""
    if isinstance(value, dict):
        return {key: without_arrays(inner) for key, inner in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value
