"""A loop that takes its time, with a worker that it has forked. `--defer` lets SIGTERM wait in the loop alone."""

import os
import pathlib
import random
import sys
import time

import cyclr

cyclr.begin()
state = {"weight": random.gauss(0, 4)}
rate = {"lr": 0.1}
lr = cyclr.attach(
    set_lr=lambda value: rate.update(lr=value),
    examples=60,
    batch=10,
    save=lambda: dict(state),
    load=state.update,
    defer_sigterm="--defer" in sys.argv,
)
here = pathlib.Path(sys.argv[1])
worker = None
for _epoch in lr.epochs(4):
    for _ in lr.batches([0] * 6):
        if worker is None:
            worker = os.fork()
            if worker == 0:
                time.sleep(1000)
            (here / "worker").write_text(str(worker))
        (here / "updating").touch()
        while (here / "hold").exists():
            time.sleep(0.01)
        if (here / "fail").exists():
            raise ValueError("there are no more data")
        state["weight"] -= rate["lr"] * (2 * state["weight"] + random.gauss(0, 0.3))
        lr.step(loss=state["weight"] ** 2)
