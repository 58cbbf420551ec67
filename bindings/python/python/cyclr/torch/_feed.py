"""The loader that feeds a loop which is driven."""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Iterator
from typing import Any, Callable, Optional

from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from cyclr.torch._examples import given, loader_size


class Feed:
    """Notes which DataLoader a loop goes through, and how many batches it gave since this was cleared.

    Of several that give batches in turn it is the first of them, whose passes are the loop's.

    Args:
        starts_over: Called if a pass over the loader was left and begins again.
    """

    def __init__(self, starts_over: Callable[[], None] = lambda: None) -> None:
        self.loader: Any = None
        self.given = 0
        self._starts_over = starts_over
        # The pass over the loader, as long as there is one, and whether it came to its end.
        self._pass: Callable[[], Any] = lambda: None
        self._has_ended = False

    def watch(self) -> None:
        """Sees the loaders of this process from now on."""
        began, gave = DataLoader.__iter__, _BaseDataLoaderIter.__next__

        @functools.wraps(began)
        def begins(loader: Any) -> Any:
            self.begin(loader)
            iterator = began(loader)
            # Between the two, the script may go through another loader.
            iterator._cyclr_loader = loader  # type: ignore[attr-defined]
            return iterator

        @functools.wraps(gave)
        def gives(iterator: Any) -> Any:
            # Iterators that a library makes by itself have no loader of torch.
            loader = getattr(iterator, "_cyclr_loader", self.loader)
            try:
                batch = gave(iterator)
            except StopIteration:
                self._has_ended = self._has_ended or loader is self.loader
                raise
            self.give(loader, iterator)
            return batch

        DataLoader.__iter__ = begins  # type: ignore[method-assign]
        _BaseDataLoaderIter.__next__ = gives  # type: ignore[method-assign,assignment]

    def begin(self, loader: Any) -> None:
        """A pass over a loader begins."""
        if loader is self.loader and self._has_ended:
            return
        if loader is self.loader and self.given > 0:
            self._starts_over()
        self.clear()

    def give(self, loader: Any, iterator: Any) -> None:
        """A batch of a loader."""
        is_open = self.given > 0 and not self._has_ended and self._pass() is not None
        if loader is not self.loader and is_open:
            return
        self.given = self.given + 1 if loader is self.loader else 1
        self.loader, self._pass, self._has_ended = loader, weakref.ref(iterator), False

    def clear(self) -> None:
        """Counts from here."""
        self.given = 0

    @property
    def batch_size(self) -> int:
        """Examples of a batch; 1 if it is not known."""
        return loader_size(self.loader)

    @property
    def examples(self) -> int:
        """Examples of a pass; 1 if it is not known."""
        return 1 if self.loader is None else given(self.loader, self.batch_size)


def feed(loader: Any, iterated: Callable[[Any], Optional[Iterator[Any]]]) -> bool:
    """Lets a loader give what ``iterated`` says; where that is ``None``, its own batches.

    Returns:
        Whether it does. A loader that cannot be changed so (made in C, or with slots) stays as it is.
    """
    kind = type(loader)

    def begins(self: Any) -> Any:
        given = iterated(self)
        return kind.__iter__(self) if given is None else given

    fed = type(kind.__name__, (kind,), {"__iter__": begins})
    # Accelerate's loaders say that they are of another class, and cannot be assigned to.
    with contextlib.suppress(TypeError):
        object.__dict__["__class__"].__set__(loader, fed)
        return True
    return False
