"""Several processes that train together: the first decides, the others follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

import cyclr
from cyclr._cyclr import Hyper
from cyclr._find import Found
from cyclr._trainer import Build, Evaluation, Metric, Run, Split, Trainer, TrainerInfo


def world_size() -> int:
    """The processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is."""
    return dist.get_rank() if world_size() > 1 else 0


def agreed(metrics: list[Metric]) -> list[Metric]:
    """The figures over all processes, the same bits in each."""
    if world_size() == 1:
        return metrics
    sums = torch.tensor([[m.value * m.count, m.count, m.correct or 0] for m in metrics], dtype=torch.float64)
    if dist.get_backend() == "nccl":
        sums = sums.cuda()
    dist.all_reduce(sums)
    whole = []
    for metric, (total, count, correct) in zip(metrics, sums.tolist()):
        right = None if metric.correct is None else int(correct)
        whole.append(Metric(metric.name, total / count, int(count), metric.direction, right))
    return whole


def find_together(build: Build, **settings: Any) -> Found:
    """A range test that the first process makes, while the others do what it asks of them."""
    if rank() > 0:
        return _follow(build)
    leader = _Leader(build)
    try:
        found = cyclr.find(leader, **settings)
    except BaseException as error:
        # In the middle of an update the others wait for this process's part of it, and would not hear.
        if not leader.is_collective:
            _tell("failed", f"{type(error).__name__}: {error}")
        raise
    _tell("found", found)
    return found


def _follow(build: Build) -> Found:
    trainer: Any = None
    while True:
        what, about = _told()
        if what == "found":
            return about  # type: ignore[no-any-return]
        if what == "failed":
            raise cyclr.TrainerError(f"the first process gave up: {about}")
        if what == "start":
            trainer = build(about)
        elif what == "updates":
            trainer.updates(about)
        else:
            trainer.evaluate(about)


class _Leader:
    """Starts a run here and in all other processes."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self.is_collective = False

    def __call__(self, run: Run) -> Trainer:
        with self.together("start", run):
            return _Led(self._build(run), self)

    @contextmanager
    def together(self, what: str, about: Any) -> Iterator[None]:
        """Something that all processes do at once; if it fails here, they wait in it for ever."""
        self.is_collective = True
        _tell(what, about)
        yield
        self.is_collective = False


class _Led:
    """A run that goes on here and in all other processes."""

    def __init__(self, trainer: Trainer, leader: _Leader) -> None:
        self._trainer, self._leader = trainer, leader

    @property
    def info(self) -> TrainerInfo:
        return self._trainer.info

    def updates(self, hypers: Sequence[Hyper]) -> Sequence[Sequence[Metric]]:
        with self._leader.together("updates", list(hypers)):
            return self._trainer.updates(hypers)

    def evaluate(self, split: Split) -> Evaluation:
        with self._leader.together("evaluate", split):
            return self._trainer.evaluate(split)

    def state(self) -> bytes:
        return self._trainer.state()

    def restore(self, state: bytes) -> None:
        self._trainer.restore(state)


def _tell(what: str, about: Any) -> None:
    dist.broadcast_object_list([what, about], src=0)


def _told() -> tuple[str, Any]:
    message: list[Any] = [None, None]
    dist.broadcast_object_list(message, src=0)
    return message[0], message[1]
