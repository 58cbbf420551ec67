"""The time of one `scheduler.step()` of torch's cyclical schedulers, as `name<TAB>ns` lines.

It is the median over REPEATS of the mean over STEPS; one optimizer with one parameter group. Its version goes to
stderr.
"""

import statistics
import sys
import time

import torch
from torch.optim import lr_scheduler

STEPS, REPEATS = 20_000, 15


def main():
    print(f"torch {torch.__version__}, median of {REPEATS} repeats of {STEPS} steps", file=sys.stderr)
    makers = {
        "CyclicLR.step()": lambda o: lr_scheduler.CyclicLR(o, 0.001, 0.006, 2000, cycle_momentum=False),
        "CyclicLR.step(), momentum cycled": lambda o: lr_scheduler.CyclicLR(o, 0.001, 0.006, 2000),
        "OneCycleLR.step()": lambda o: lr_scheduler.OneCycleLR(o, 1.0, STEPS + 1, cycle_momentum=False),
        "OneCycleLR.step(), momentum cycled": lambda o: lr_scheduler.OneCycleLR(o, 1.0, STEPS + 1),
    }
    for name, make in makers.items():
        figure = statistics.median(nanoseconds_per_step(make) for _ in range(REPEATS))
        print(f"torch {name}\t{figure:.0f}")


def nanoseconds_per_step(make):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    scheduler = make(optimizer)
    optimizer.step()  # torch warns where the scheduler steps first
    start = time.perf_counter_ns()
    for _ in range(STEPS):
        scheduler.step()
    return (time.perf_counter_ns() - start) / STEPS


if __name__ == "__main__":
    main()
