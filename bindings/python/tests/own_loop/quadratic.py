"""A loop without any library: noisy descent in a bowl. With `own`, it saves a generator that orders the data.

It prints its losses.
"""

import random
import sys

import cyclr

run = cyclr.begin(seed=3)
state = {"weight": random.gauss(0, 4)}
rate = {"lr": 0.1}
order = random.Random(5) if "own" in sys.argv else random


def load(saved):
    state["weight"] = saved["weight"]
    order.setstate(saved["order"])


lr = cyclr.attach(
    set_lr=lambda value: rate.update(lr=value),
    examples=60,
    batch=10,
    evaluate=lambda split: random.random() * 0 + state["weight"] ** 2,
    validation=20,
    test=20,
    objective=("distance", "lower"),
    save=lambda: {**state, "order": order.getstate()},
    load=load,
    otherwise=cyclr.Schedule("fixed(lr=0.2)", updates=100),
)
losses = []
for epoch in lr.epochs(4):
    places = list(range(6))
    order.shuffle(places)
    for place in lr.batches(places):
        loss = state["weight"] ** 2 + place
        losses.append(loss)
        state["weight"] -= rate["lr"] * (2 * state["weight"] + random.gauss(0, 0.3) + 0.1 * epoch)
        lr.step(loss=loss)
print("losses", losses)
