"""``cyclr drive train.py ARGS``: a PyTorch script under cyclr, with no line of it changed."""

from __future__ import annotations

import argparse
import functools
import os
import runpy
import sys
from collections.abc import Sequence
from typing import Any, Optional

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from cyclr._cyclr import CyclrError, Hyper
from cyclr._loop import MANY_EPOCHS, Figures, Loop, ended_early
from cyclr._requests import Requests, is_driven
from cyclr._trainer import Evaluation, Metric, Split, TrainerInfo
from cyclr.torch._checkpoints import refuse_checkpoints
from cyclr.torch._counting import has_skipped
from cyclr.torch._distributed import world_size
from cyclr.torch._feed import Feed
from cyclr.torch._groups import Groups, first_above_zero, rates_now, refuse_closures
from cyclr.torch._losses import Losses, read_at_once, say_several
from cyclr.torch._overridden import Overridden, notice_ratios
from cyclr.torch._seeds import move_seeds, seed_all
from cyclr.torch._together import open_here, share_over, summed


def main(arguments: Sequence[str]) -> int:
    """Runs a script, driven by the cyclr that started it; alone, as it is."""
    options = _options(arguments)
    driver = None
    if is_driven():
        driver = Driver(Requests(open_here(), share_over()), options.examples, options.batch)
        driver.watch()
        options.arguments = with_epochs(options.arguments, options.epochs_argument)
    try:
        _run(options)
    except SystemExit as leaving:
        if leaving.code not in (None, 0):
            raise
    if driver is not None:
        driver.finish(options)
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="cyclr drive",
        description="Run a PyTorch script under cyclr with no line changed: cyclr find -- cyclr drive train.py ARGS",
    )
    parser.add_argument("--examples", type=int, help="training examples, if no DataLoader shows them")
    parser.add_argument("--batch", type=int, help="examples of an update, if no DataLoader shows them")
    parser.add_argument(
        "--epochs-argument",
        metavar="NAME",
        help="the script's argument that has its number of epochs or updates, as in --epochs; it is set high enough",
    )
    parser.add_argument("-m", dest="module", action="store_true", help="SCRIPT is a module, as for python -m")
    parser.add_argument("script", metavar="SCRIPT")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS")
    return parser.parse_args(list(arguments))


def with_epochs(arguments: Sequence[str], name: Optional[str]) -> list[str]:
    """The script's arguments, with its epochs as many as ever may be asked for."""
    if name is None:
        return list(arguments)
    kept, skips = [], False
    for argument in arguments:
        if skips or argument.split("=")[0] == name:
            skips = not skips and argument == name
            continue
        kept.append(argument)
    return [*kept, f"{name}={MANY_EPOCHS}"]


def _run(options: argparse.Namespace) -> None:
    sys.argv = [options.script, *options.arguments]
    if options.module:
        sys.path.insert(0, os.getcwd())
        runpy.run_module(options.script, run_name="__main__", alter_sys=True)
        return
    sys.path[0] = os.path.dirname(os.path.abspath(options.script))
    runpy.run_path(options.script, run_name="__main__")


class Driver:
    """Sets the rate before each step of an optimizer, and counts the updates.

    An update goes from a step of the first optimizer to its next one; so what follows the step in
    the script belongs to it, and it is told when the next one begins.
    """

    def __init__(self, requests: Requests, examples: Optional[int] = None, batch: Optional[int] = None) -> None:
        requests.answer_by(self)
        self.loop = Loop(requests, lambda figures: summed(read_at_once(figures)))
        self.losses, self.feed = Losses(), Feed(self._starts_over)
        self._counts = examples, batch
        self._info: Optional[TrainerInfo] = None
        self._optimizers: dict[int, _Driven] = {}
        self._first: Optional[Optimizer] = None
        # The one whose step is being made; steps within it, of its base class or of what it holds, are a part of it.
        self._stepping: Optional[Optimizer] = None
        self._late: Optional[Optimizer] = None
        self._late_steps = 0
        # The losses of the update that is being made; None between the start and the first.
        self._current: Optional[list[Any]] = None
        # The losses that were seen when the batches were counted anew.
        self._seen_before = 0

    def watch(self) -> None:
        """Sees to all optimizers of this process from now on, and seeds it."""
        seed = self.loop.requests.run.seed
        seed_all(seed)
        move_seeds(seed)
        refuse_checkpoints()
        self.losses.watch()
        self.feed.watch()
        register_optimizer_step_pre_hook(self._before_step)
        register_optimizer_step_post_hook(self._after_step)
        torch.amp.GradScaler.step = self._noticing(torch.amp.GradScaler.step)  # type: ignore[method-assign]

    @property
    def info(self) -> TrainerInfo:
        """What is trained on; known when the first update begins. Nothing is held out."""
        assert self._info is not None
        return self._info

    def updates(self, hypers: Sequence[Hyper]) -> list[list[Metric]]:
        """Updates are made by the loop; only none at all are asked for here."""
        return []

    def evaluate(self, split: Split) -> Evaluation:
        """There is nothing to measure with."""
        raise CyclrError("a script that is driven shows no held-out data: attach it (cyclr.torch.attach)")

    def state(self) -> bytes:
        """A loop that is driven has a state that nobody can name."""
        raise CyclrError("a script that is driven cannot be saved: attach it (cyclr.torch.attach)")

    def restore(self, state: bytes) -> None:
        """As `state`."""
        self.state()

    def finish(self, options: argparse.Namespace) -> None:
        """Tells what was made when the script has ended; it is an error if updates are still to be made."""
        if self._current is None:
            sys.exit(f"cyclr drive: {self._nothing_seen(options.script)}")
        if self.loop.has_ended:
            return
        self._finish_update()
        self.loop.hear()
        error = ended_early(self.loop, _advice(options))
        if error is not None:
            sys.exit(f"cyclr drive: {options.script}: {error}")

    def _nothing_seen(self, script: str) -> str:
        return (
            f"{script} ended, and no torch.optim.Optimizer made a step ({self.losses.seen} losses were propagated): "
            "optimizers of another kind are not seen; attach the loop (cyclr.torch.attach)"
        )

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self.loop.has_ended:
            # The script caught the exit.
            os._exit(0)
        if self._stepping is not None or has_skipped(optimizer):
            return
        refuse_closures(optimizer)
        self._learn(optimizer)
        self._stepping = optimizer
        if optimizer is self._first:
            self._late, self._late_steps = None, 0
            self._begin_update()
            self._notice_ratios()
        elif self._optimizers[id(optimizer)].is_late:
            self._notice_another_training(optimizer)
        self._optimizers[id(optimizer)].set(self.loop.hyper)

    def _notice_ratios(self) -> None:
        """Compares the rates of all optimizers at one moment."""
        watched = [one.overridden for one in self._optimizers.values()]
        for one in watched:
            one.notice(self.loop.hyper)
        notice_ratios(watched)

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if optimizer is not self._stepping:
            return
        self._stepping = None
        loss = self.losses.take()
        if loss is not None and self._current is not None:
            self._current.append(loss)

    def _learn(self, optimizer: Optimizer) -> None:
        if id(optimizer) in self._optimizers:
            return
        if self._first is None:
            self._first = optimizer
        lead = self._optimizers.get(id(self._first))
        is_late = self.loop.updates_done > 0
        self._optimizers[id(optimizer)] = _Driven(optimizer, lead, is_late)

    def _begin_update(self) -> None:
        if self._current is None:
            self._info = self._found_info()
            self._count_anew()
        else:
            if self.loop.updates_done == 0:
                self._notice_several()
            self._finish_update()
        self.loop.hear_or_exit()
        self._current = []

    def _count_anew(self) -> None:
        self.feed.clear()
        self._seen_before = self.losses.seen

    def _notice_several(self) -> None:
        """Compares the losses and the batches of the first update."""
        losses, batches = self.losses.seen - self._seen_before, self.feed.given
        if 0 < batches < losses and not self.losses.are_divided:
            say_several(
                "cyclr drive", losses, batches, "to give the one that counts, attach the loop (cyclr.torch.attach)"
            )

    def _finish_update(self) -> None:
        if not self._current:
            raise CyclrError(
                "an optimizer made a step without a backward() before it, so that its loss is not seen: attach the loop "
                "(cyclr.torch.attach), with lr.step(loss=...)"
            )
        loss = sum(self._current[1:], start=self._current[0]) / len(self._current)
        self.loop.made(Figures(loss, max(self.info.batch // world_size(), 1)))
        self._current = []

    def _starts_over(self) -> None:
        """What was propagated before the first update, in a pass that was left, belongs to none: it was a trial."""
        if self._current is None:
            self.losses.clear()

    def _notice_another_training(self, optimizer: Optimizer) -> None:
        self._late_steps = self._late_steps + 1 if self._late is optimizer else 1
        self._late = optimizer
        if self._late_steps > 1:
            done = self.loop.updates_done + 1
            raise CyclrError(
                f"after {done} updates of one training the script began another, with another "
                f"{type(optimizer).__name__}, and cyclr asks for more of the first: one process makes one training, with the optimizers of its first update"
            )

    def _noticing(self, step: Any) -> Any:
        """A scaler's step that notices where it skips the optimizer's."""

        @functools.wraps(step)
        def noticed(scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            waiting = len(self.losses)
            result = step(scaler, optimizer, *args, **kwargs)
            if waiting and len(self.losses) == waiting:
                self._skipped(optimizer)
            return result

        return noticed

    def _skipped(self, optimizer: Optimizer) -> None:
        loss = self.losses.take()
        self._count_anew()
        counted = None if loss is None else self.loop.skipped(loss)
        if counted is not None:
            # No step may follow that would tell.
            self._learn(optimizer)
            self._begin_update()
            self._current = [counted]

    def _found_info(self) -> TrainerInfo:
        examples, batch = self._counts
        if self.feed.loader is None and None in self._counts:
            raise CyclrError(
                "no DataLoader was seen, so the length of an epoch is unknown: give it before the script, as in cyclr drive "
                "--examples 50000 --batch 128"
            )
        if batch is None:
            batch = self.feed.batch_size * max(min(self.feed.given, len(self.losses)), 1) * world_size()
        if examples is None:
            examples = max(self._found_examples(), batch)
        groups = self._optimizers[id(self._first)].groups
        return TrainerInfo(
            examples=examples, batch=batch, momentum=groups.have_momentum, weight_decay=groups.have_weight_decay
        )

    def _found_examples(self) -> int:
        try:
            return self.feed.examples * world_size()
        except ValueError:
            raise CyclrError(
                "the script's DataLoader does not say how many examples it gives: give them before the script, as in cyclr "
                "drive --examples 50000"
            ) from None


class _Driven:
    """An optimizer whose rates are set, by its factors relative to the first optimizer's."""

    def __init__(self, optimizer: Optimizer, lead: Optional[_Driven], is_late: bool) -> None:
        self.groups, self.is_late = Groups([optimizer]), is_late
        first = optimizer.param_groups[0]
        self.start = float(first.get("initial_lr", first["lr"]))
        self.rate = rates_now(optimizer.param_groups)[0]
        # What comes late may be compared by what schedulers began with alone.
        rates = (0.0, 0.0) if lead is None else (self.start, lead.start) if is_late else (self.rate, lead.rate)
        if not is_late:
            self.groups.learn()
        self.decay = first_above_zero(float(group.get("weight_decay", 0.0)) for group in optimizer.param_groups)
        self.factor = 1.0 if rates[0] == rates[1] else _ratio(*rates)
        self.decay_factor = self.decay / lead.decay if lead is not None and lead.decay else 1.0
        self.overridden = Overridden(optimizer, "cyclr drive")

    def set(self, hyper: Hyper) -> None:
        self.overridden.notice(hyper)
        decay = None if hyper.weight_decay is None else hyper.weight_decay * self.decay_factor
        momentum = hyper.momentum if self.groups.have_momentum else None
        self.groups.set(Hyper(hyper.lr * self.factor, momentum, decay))
        self.overridden.leave()


def _ratio(rate: float, lead: float) -> float:
    if lead == 0:
        raise CyclrError(
            f"the rates of the script's optimizers begin at {lead} and {rate}: what one is relative to the other cannot be "
            "seen; attach the loop (cyclr.torch.attach)"
        )
    return rate / lead


def _advice(options: argparse.Namespace) -> str:
    if options.epochs_argument is not None:
        return f"{options.epochs_argument}={MANY_EPOCHS} did not make it longer"
    return (
        "raise its epochs, or name the argument that has them, as in cyclr drive --epochs-argument=--epochs "
        f"{options.script}"
    )
