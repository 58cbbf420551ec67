"""The tools' range tests, each with its own defaults, on the same net, optimizer and loader.

A test is a function of (model, batches, tool settings) and returns its answers, None where it has none, with the updates that it made
and what it said.
"""

import contextlib
import logging
import tempfile
import warnings
from functools import partial

import cyclr.torch
import fastai.learner
import lightning
import matplotlib
import torch
import torch.nn.functional as F
from fastai.callback.schedule import minimum, slide, steep, valley
from fastai.data.core import DataLoaders
from fastai.optimizer import OptimWrapper
from lightning.pytorch.tuner import Tuner
from torch_lr_finder import LRFinder

from training import MOMENTUM, WEIGHT_DECAY, sgd

matplotlib.use("Agg")
warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def ours(model, batches, seed, updates=1000):
    """`cyclr.torch.range_test`, from the given weights."""
    # Seeds of one test follow each other: tests are far apart, so that no two share an order.
    optimizer = sgd(model.parameters(), lr=0.01)
    try:
        found = cyclr.torch.range_test(
            model, optimizer, F.cross_entropy, batches, updates=updates, seed=1000 * seed
        )
    except cyclr.CyclrError as error:
        return {"base_lr": None, "max_lr": None}, 0, str(error)
    bounds = found.bounds
    answers = {"base_lr": bounds and bounds.base_lr.value, "max_lr": bounds and bounds.max_lr.value}
    return answers, found.updates, str(found)


def torch_lr_finder(model, batches, _seed, updates=100):
    """`LRFinder` from 1e-7, as its README has it, to 10; the answer is that of `plot`."""
    finder = LRFinder(model, sgd(model.parameters(), lr=1e-7), torch.nn.CrossEntropyLoss())
    finder.range_test(batches, num_iter=updates)
    finder.reset()
    made = len(finder.history["lr"])
    try:
        _, answer = finder.plot(ax=matplotlib.figure.Figure().subplots())
    except (RuntimeError, ValueError) as error:
        return {"steepest": None}, made, str(error)
    return {"steepest": float(answer)}, made, ""


def fastai_find(model, batches, _seed, updates=100):
    """`Learner.lr_find` with torch's own SGD, and all four of its suggestions."""
    optimizer = partial(OptimWrapper, opt=torch.optim.SGD, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    rules = (valley, minimum, steep, slide)
    with tempfile.TemporaryDirectory() as folder:
        learner = fastai.learner.Learner(
            DataLoaders(batches, batches, device=torch.device("cpu")),
            model,
            loss_func=F.cross_entropy,
            opt_func=optimizer,
            wd_bn_bias=True,
            path=folder,
        )
        try:
            found = learner.lr_find(num_it=updates, suggest_funcs=rules, show_plot=False)
        except (IndexError, RuntimeError, ValueError) as error:
            found = None
            said = f"{type(error).__name__}: {error}"
    made = len(learner.recorder.lrs)
    if found is None:
        return {rule.__name__: None for rule in rules}, made, said
    return {name: float(answer) for name, answer in found._asdict().items()}, made, ""


class Module(lightning.LightningModule):
    """The net as Lightning wants it."""

    def __init__(self, model):
        super().__init__()
        self.model, self.lr = model, 1e-3

    def training_step(self, batch, _index):
        """The loss of a batch."""
        inputs, labels = batch
        return F.cross_entropy(self.model(inputs), labels)

    def configure_optimizers(self):
        """The optimizer at the rate that the tuner sets."""
        return sgd(self.model.parameters(), lr=self.lr)


def lightning_find(model, batches, _seed, updates=100):
    """`Tuner.lr_find` and its `suggestion`, without log, progress bar and checkpoints of its own."""
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(accelerator="cpu", max_epochs=-1, default_root_dir=folder, **quiet)
        finder = Tuner(trainer).lr_find(Module(model), batches, num_training=updates)
    answer = finder.suggestion()
    return {"suggestion": None if answer is None else float(answer)}, len(finder.results["lr"]), ""


TESTS = {
    "cyclr": ours,
    "cyclr, 300 updates": partial(ours, updates=300),
    "torch-lr-finder": torch_lr_finder,
    "fastai": fastai_find,
    "Lightning": lightning_find,
}


def silent(test, *args, **settings):
    """A test without what it prints."""
    with open("/dev/null", "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        return test(*args, **settings)
