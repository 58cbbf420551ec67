"""A training loop of your own in PyTorch under cyclr: a few lines more, and none of it turned inside out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, Optional, Union

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR

from cyclr._begun import begun_run
from cyclr._cyclr import CyclrError
from cyclr._measured import Declared, objective_of
from cyclr._trainer import Split, TrainerInfo
from cyclr.torch._attached import Attached
from cyclr.torch._checksum import checksum_of
from cyclr.torch._counting import CountsUpdates, with_held
from cyclr.torch._distributed import rank, world_size
from cyclr.torch._examples import batch_size, given, loader_size
from cyclr.torch._feed import feed
from cyclr.torch._groups import Groups, refuse_closures
from cyclr.torch._held_out import splits
from cyclr.torch._order import Arrangement
from cyclr.torch._registered import (
    is_of_accelerate,
    say_starts_over,
    without_place,
)
from cyclr.torch._steps import Steps

Models = Union[torch.nn.Module, Sequence[torch.nn.Module]]


def attach(
    optimizer: Union[Optimizer, Sequence[Optimizer]],
    *,
    train: Any = None,
    model: Optional[Models] = None,
    evaluate: Optional[Callable[[Split], Any]] = None,
    validation: Any = None,
    test: Any = None,
    objective: Optional[Declared] = None,
    otherwise: Any = None,
    scaler: Any = None,
    accumulate: int = 1,
    examples: Optional[int] = None,
    batch: Optional[int] = None,
    given_weights: bool = False,
    defer_sigterm: bool = False,
    data_checksum: Optional[str] = None,
) -> Attached:
    """Attaches a training loop to cyclr; alone, the loop runs as it is.

    Rates are set last, right before the optimizer's step, so that a scheduler of the script's own
    may stay. The loss is seen where the loop calls ``backward``. Code after the loop does not run
    under cyclr.

    Args:
        optimizer: The optimizer, or all that are stepped in an update. A rate multiplies the
            factors of their groups.
        train: The loader of the training batches.
        model: The model, or all models that are trained. Without it, a run that is stopped starts
            over.
        evaluate: Measures ``"validation"`` or ``"test"``. It returns a mapping with ``loss``,
            ``correct`` and ``count``, the objective's value, or a list of `cyclr.Metric`. The
            model is in evaluation mode, without gradients.
        validation: The loader of the split that decides, or how many examples it has.
        test: The same of the split that is read once. If one of the two is missing, or both are
            the same data, the only one is halved; ``attached.held_out[split]`` has the
            halves.
        objective: What decides, and whether ``"higher"`` or ``"lower"`` is better, as in
            ``("accuracy", "higher")``.
        otherwise: The scheduler that the script follows alone. It is stepped for each epoch of
            `Attached.epochs`; cyclr's, `OneCycleLR` and `CyclicLR` for each update.
        scaler: The `torch.amp.GradScaler`, if there is one.
        accumulate: Batches of an update.
        examples: The training examples, if the loader does not tell.
        batch: The examples of an update, if the loader does not tell.
        given_weights: Whether the weights are the same for every seed.
        defer_sigterm: Whether SIGTERM waits, in this process alone, until cyclr has saved the
            run. A cluster sends it to every process of a job that it stops, and the script would
            else end before cyclr can ask for its state.
        data_checksum: A text that changes if the data do, such as a checksum of their files. A run or
            comparison goes on only with the data that it was begun with. If it is not given, that
            of the integers (as labels are) in a `TensorDataset`, or else of which examples are held out.

    Raises:
        CyclrError: `begin` was not called, the optimizer is LBFGS, the splits share examples, or an epoch has no length.

    Example:
        ::

            cyclr.torch.begin(seed=1)
            ...
            lr = cyclr.torch.attach(optimizer, train=loader, model=model, validation=held_out,
                                    evaluate=lambda split: test(model, lr.held_out[split]))
            for epoch in lr.epochs(14):
                for inputs, targets in lr.batches(loader):
                    ...
                    optimizer.step()
                    lr.step()
    """
    begun = begun_run()
    optimizers = [optimizer] if isinstance(optimizer, Optimizer) else list(optimizer)
    wrappers = [one for one in optimizers if _is_wrapper(one)]
    optimizers = [getattr(one, "optimizer", one) if _is_wrapper(one) else one for one in optimizers]
    for one in optimizers:
        refuse_closures(one)
    models = [] if model is None else [model] if isinstance(model, torch.nn.Module) else list(model)
    is_driven = begun.requests is not None
    held_out, counts = splits(train, validation, test, begun.run.data_seed, say=is_driven and rank() == 0)
    groups = Groups(optimizers)
    names = [type(one).__name__ for one in wrappers if not is_of_accelerate(one)]
    lack = f"what {names[0]} keeps beside its optimizer is not known" if names else without_place(train, accumulate)
    if models and is_driven and lack is not None:
        say_starts_over(lack)
    if is_driven and train is None and (examples is None or batch is None):
        raise CyclrError("the length of an epoch is not known: give train=..., or examples=... and batch=...")
    size = batch or batch_size(train, examples and examples // world_size()) * accumulate * world_size()
    info = TrainerInfo(
        examples=examples or (given(train, loader_size(train)) * world_size() if train is not None else size),
        batch=size,
        validation=counts["validation"] if evaluate else 0,
        test=counts["test"] if evaluate else 0,
        momentum=groups.have_momentum,
        weight_decay=groups.have_weight_decay,
        snapshots=bool(models) and lack is None,
        given_weights=given_weights,
        objective=objective_of(objective),
        data_checksum=checksum_of(train, held_out) if is_driven and data_checksum is None else data_checksum,
    )
    if begun.requests is not None:
        begun.requests.defers_sigterm = defer_sigterm
    attached = Attached(begun, info, groups, evaluate, models, optimizers, scaler, train, held_out, accumulate)
    # A script that gives the batch counts by itself.
    attached._steps.accumulate = accumulate if batch is None else None
    _attached.append(attached)
    if isinstance(train, list):
        arrangement = Arrangement(train)
        attached.register(save=arrangement.save, load=arrangement.load)
    for whole in (validation, test) if is_driven else ():
        if whole is not None and not any(whole is kept for kept in held_out.values()):
            feed(whole, attached.whole_iterated)
            attached.halved = counts["validation"] + counts["test"]
    if is_driven:
        attached.watch_held_out()
    if otherwise is not None:
        attached._known.append(otherwise)
        attached.alone = None if is_driven else _Alone(otherwise, optimizers)
    return attached


def _is_wrapper(optimizer: Any) -> bool:
    """Whether an optimizer is Accelerate's, or none of torch's kind, and has the one whose steps hooks see."""
    is_torchs = isinstance(optimizer, Optimizer) and "_optimizer_step_pre_hooks" in vars(optimizer)
    return hasattr(optimizer, "optimizer") and (is_of_accelerate(optimizer) or not is_torchs)


class _Alone:
    """A scheduler that a script follows if no cyclr drives it."""

    def __init__(self, scheduler: Any, optimizers: Sequence[Optimizer]) -> None:
        self._scheduler, self._steps = scheduler, Steps(None)
        self._counts_updates = isinstance(scheduler, (CountsUpdates, OneCycleLR, CyclicLR))
        for one in with_held(optimizers):
            one.register_step_post_hook(self._steps.note)

    def after_update(self) -> None:
        # Where the loop counts each micro-batch, not all of them end an update.
        if self._counts_updates and self._steps:
            self._steps.end(0)
            self._scheduler.step()

    def after_epoch(self) -> None:
        if not self._counts_updates:
            self._scheduler.step()


def step(*, loss: Any = None, correct: Any = None) -> None:
    """As `Attached.step` of the loop that is attached, where its name is not at hand.

    Raises:
        CyclrError: Nothing is attached.
    """
    if not _attached:
        raise CyclrError("step() counts an update of a loop that is attached: call attach() before it")
    _attached[-1].step(loss=loss, correct=correct)


_attached: list[Attached] = []
