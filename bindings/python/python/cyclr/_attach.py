"""A training loop of your own under cyclr: a few lines more, and none of it turned inside out."""

from __future__ import annotations

from typing import Any, Callable, Optional

from cyclr._attached import Attached
from cyclr._begun import begin_by, begun_run, seed_python
from cyclr._cyclr import Schedule
from cyclr._measured import Declared, objective_of
from cyclr._requests import Requests, open_pipes
from cyclr._trainer import Run, Split, TrainerInfo


def begin(seed: int = 0) -> Run:
    """Says which run this is, and seeds Python's generator and, if it is installed, NumPy's. Call it first.

    Under ``cyclr`` the seed is the run's, alone it is ``seed``.

    Returns:
        The run: its ``seed`` for generators of your own, its ``data_seed`` for the held-out split,
        and the ``batch`` that was asked for, or ``None``.

    Example:
        >>> cyclr.begin(seed=3).seed
        3
    """
    begun = begin_by(lambda: Requests(open_pipes()), seed)
    seed_python(begun.run.seed)
    return begun.run


def attach(
    set_lr: Callable[[float], None],
    *,
    examples: int,
    batch: int,
    evaluate: Optional[Callable[[Split], Any]] = None,
    validation: int = 0,
    test: int = 0,
    objective: Optional[Declared] = None,
    save: Optional[Callable[[], Any]] = None,
    load: Optional[Callable[[Any], None]] = None,
    given_weights: bool = False,
    otherwise: Optional[Schedule] = None,
    defer_sigterm: bool = False,
    data_checksum: Optional[str] = None,
) -> Attached:
    """Attaches a loop of any library to cyclr: what it trains on, how a rate is set, how the model is measured.

    Alone, the loop runs as it is; ``otherwise`` sets its rates then.

    Args:
        set_lr: Sets the rate of the next update.
        examples: The training examples.
        batch: Those of an update.
        evaluate: Measures ``"validation"`` or ``"test"`` without a trace in the training. It
            returns a mapping with ``loss``, ``correct`` and ``count``, the objective's value, or a
            list of `Metric`.
        validation: The examples of the split that decides.
        test: The examples of the split that is read once.
        objective: What decides, and whether ``"higher"`` or ``"lower"`` is better.
        save: Returns all that later updates depend on, but the place in the data and the global
            generators.
        load: Takes what ``save`` returned. Runs can be resumed if both are given.
        given_weights: Whether the weights are the same for every seed.
        otherwise: What the rate does if the script runs alone.
        defer_sigterm: Whether SIGTERM waits, in this process alone, until cyclr has saved the
            run. A cluster sends it to every process of a job that it stops, and the script would
            else end before cyclr can ask for its state.
        data_checksum: A text that changes if the data do, such as a checksum of their files. A run or
            comparison goes on only with the data that it was begun with.

    Raises:
        CyclrError: `begin` was not called, or something is attached already.
    """
    begun = begun_run()
    info = TrainerInfo(
        examples=examples,
        batch=batch,
        validation=validation if evaluate else 0,
        test=test if evaluate else 0,
        snapshots=save is not None and load is not None,
        given_weights=given_weights,
        objective=objective_of(objective),
        data_checksum=data_checksum,
    )
    if begun.requests is not None:
        begun.requests.defers_sigterm = defer_sigterm
    attached = Attached(begun, info, lambda hyper: set_lr(hyper.lr), evaluate)
    if save is not None and load is not None:
        attached.register(save=save, load=load)
    if begun.requests is None and otherwise is not None:
        attached.alone = _Alone(set_lr, otherwise)
    return attached


class _Alone:
    """A schedule that a script follows if no cyclr drives it."""

    def __init__(self, set_lr: Callable[[float], None], schedule: Schedule) -> None:
        self._set_lr, self._schedule, self._made = set_lr, schedule, 0
        set_lr(schedule.at(0).lr)

    def after_update(self) -> None:
        self._made += 1
        self._set_lr(self._schedule.at(self._made).lr)

    def after_epoch(self) -> None:
        """The schedule counts updates alone."""
