"""The random generators of NumPy and Python that a script has of its own."""

from __future__ import annotations

import random
import sys
import tempfile
import zlib
from collections.abc import Iterator
from typing import Any

from cyclr._begun import without_arrays
from cyclr.torch._state import live


class Generators:
    """The generators that there are when it is made, and which of them have drawn since."""

    def __init__(self) -> None:
        self._known = [(one, _mark(one)) for one in _own()]

    def drawn(self) -> dict[str, str]:
        """The marks of the states of those that have drawn, and their kinds."""
        now = [(one, before, _mark(one)) for one, before in self._known]
        return {mark: type(one).__name__ for one, before, mark in now if mark != before}

    def lacking(self, drawn: dict[str, str]) -> list[str]:
        """The kinds of those that had drawn when a state was saved, and that are not as they were then."""
        here = {_mark(one) for one, _ in self._known}
        return sorted({kind for mark, kind in drawn.items() if mark not in here})


def _own() -> Iterator[Any]:
    kinds: tuple[type, ...] = (random.Random,)
    if "numpy" in sys.modules:
        import numpy as np

        kinds += (np.random.Generator, np.random.RandomState)
    # Those draw the names of files and semaphores, and these keep no state.
    sequences: Any = getattr(tempfile, "_RandomNameSequence", ())
    others = [getattr(one, "_rng", None) for one in live((sequences,))]
    # Those of sympy, by which torch.compile simplifies sizes of tensors, decide no result.
    others += getattr(sys.modules.get("sympy.core.random"), "__dict__", {}).values()
    for one in live(kinds):
        if type(one) in kinds and not any(one is other for other in others):
            yield one


def _mark(generator: Any) -> str:
    if isinstance(generator, random.Random):
        state: Any = generator.getstate()
    elif hasattr(generator, "bit_generator"):
        state = generator.bit_generator.state
    else:
        state = generator.get_state(legacy=False)
    return f"{zlib.crc32(repr(without_arrays(state)).encode()):08x}"
