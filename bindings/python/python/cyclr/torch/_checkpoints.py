"""Checkpoints of a script's own, from which no run under cyclr may go on."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from cyclr._cyclr import CyclrError


def refuse_checkpoints() -> None:
    """Refuses what the script loads into an optimizer before its first step, from now on.

    It may be the state of an earlier run of the same command, which the script saved, and so another run's.
    """
    load, has_begun = Optimizer.load_state_dict, False

    def begin(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        nonlocal has_begun
        has_begun = True

    @functools.wraps(load)
    def loaded(self: Optimizer, state_dict: Any) -> None:
        if not has_begun and not _restoring and _is_of_training(state_dict):
            raise CyclrError(
                f"the script loads a state of training into its {type(self).__name__}, so that it goes on from a checkpoint, "
                "which another run may have saved: under cyclr each run begins anew. Turn resuming off in the script; of a "
                "pretrained model load the weights alone"
            )
        load(self, state_dict)

    register_optimizer_step_post_hook(begin)
    Optimizer.load_state_dict = loaded  # type: ignore[method-assign]


@contextmanager
def restoring() -> Iterator[None]:
    """Lets cyclr load what is registered."""
    _restoring.append(True)
    try:
        yield
    finally:
        _restoring.pop()


_restoring: list[bool] = []


def _is_of_training(state: Any) -> bool:
    """Whether an optimizer had made steps; some have a state before the first."""
    return any(float(one.get("step", 1)) > 0 for one in state.get("state", {}).values() if isinstance(one, dict))
