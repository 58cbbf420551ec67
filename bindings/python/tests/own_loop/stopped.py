"""A loop that takes its time, with a worker that it has forked. `--defer` lets SIGTERM wait in the loop alone; `--serve`
turns it inside out."""

import os
import pathlib
import random
import sys
import time

import cyclr

here, defers = pathlib.Path(sys.argv[1]), "--defer" in sys.argv


class Loop:
    def __init__(self):
        self.weight, self.worker = random.gauss(0, 4), None

    def update(self, lr):
        if self.worker is None:
            self.worker = os.fork()
            if self.worker == 0:
                time.sleep(1000)
            (here / "worker").write_text(str(self.worker))
        (here / "updating").touch()
        while (here / "hold").exists():
            time.sleep(0.01)
        if (here / "fail").exists():
            raise ValueError("there are no more data")
        self.weight -= lr * (2 * self.weight + random.gauss(0, 0.3))
        return self.weight**2


class Served(Loop):
    def __init__(self, run):
        super().__init__()
        self.info = cyclr.TrainerInfo(examples=60, batch=10, snapshots=True)

    def updates(self, hypers):
        return [[cyclr.Metric.loss(self.update(hyper.lr), 10)] for hyper in hypers]

    def evaluate(self, split):
        return cyclr.Evaluation([cyclr.Metric.loss(self.weight**2, 10)])

    def state(self):
        return str(self.weight).encode()

    def restore(self, state):
        self.weight = float(state)


if "--serve" in sys.argv:
    cyclr.serve(Served, defer_sigterm=defers)
    sys.exit(0)

cyclr.begin()
loop, rate = Loop(), {"lr": 0.1}
lr = cyclr.attach(
    set_lr=lambda value: rate.update(lr=value),
    examples=60,
    batch=10,
    save=lambda: loop.weight,
    load=lambda weight: setattr(loop, "weight", weight),
    defer_sigterm=defers,
)
for _epoch in lr.epochs(4):
    for _ in lr.batches([0] * 6):
        lr.step(loss=loop.update(rate["lr"]))
