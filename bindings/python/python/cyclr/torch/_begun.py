"""The run that a process makes, as a PyTorch loop begins it."""

from __future__ import annotations

from cyclr._begun import Begun, begin_by, begun_before, begun_last
from cyclr._requests import Requests
from cyclr._trainer import Run
from cyclr.torch._checkpoints import refuse_checkpoints
from cyclr.torch._seeds import seed_all
from cyclr.torch._together import open_here, share_over


def begin(seed: int = 0) -> Run:
    """Says which run this is, and seeds torch's, NumPy's and Python's generators. Call it before the model is made.

    Under ``cyclr`` the seed is the run's, alone it is ``seed``. Of processes that train together,
    each calls it, after ``init_process_group``.

    Returns:
        The run: its ``seed``, its ``data_seed`` for a held-out split of your own, and the
        ``batch`` that was asked for, or ``None``.
    """
    begun = begin_by(lambda: Requests(open_here(), share_over()), seed)
    seed_all(begun.run.seed)
    if begun.requests is not None:
        refuse_checkpoints()
    return begun.run


def begun_or_begin(seed: int = 0) -> tuple[Begun, bool]:
    """The run, for a framework; and whether it was begun before, so that its seed decided the weights."""
    if begun_before():
        return begun_last(), True
    begin(seed)
    return begun_last(), False
