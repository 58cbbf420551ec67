"""cyclr inside PyTorch: schedulers, the range test, and training scripts as children of the command line's.

- `CyclicLR`, `OneCycleLR`: torch's own, with the values from cyclr; `Schedule`: any spec.
- `range_test`: finds the bounds on a model in mid-training, and leaves no trace.
- `begin`, `attach` and `step`: a training loop of your own under ``cyclr find|train|compare``, with a few lines more.
- `Trainer` and `serve`: a training script under ``cyclr find|train|compare``.
"""

from cyclr.torch._attach import attach, step
from cyclr.torch._attached import Attached
from cyclr.torch._begun import begin
from cyclr.torch._range_test import range_test
from cyclr.torch._schedule import Schedule
from cyclr.torch._schedulers import CyclicLR, OneCycleLR
from cyclr.torch._trainer import Trainer, serve

__all__ = [
    "Attached",
    "CyclicLR",
    "OneCycleLR",
    "Schedule",
    "Trainer",
    "attach",
    "begin",
    "range_test",
    "serve",
    "step",
]
