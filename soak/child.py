"""A child of cyclr that trains in microseconds: descent on a noisy quadratic, with snapshots. The soak scripts train it."""

import pickle
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
import cyclr_child  # noqa: E402

CURVATURES = [1 - 0.9 * j / 7 for j in range(8)]
BATCH, HELD_OUT = 50, 200


class Quadratic:
    def initialize(self, seed, data_seed, batch):
        self.noise = random.Random(seed)
        self.weights = [3 * self.noise.gauss(0, 1) for _ in CURVATURES]
        self.velocity = [0.0] * len(CURVATURES)
        return {"examples": 1000, "batch": BATCH, "validation": HELD_OUT, "test": HELD_OUT, "snapshots": True}

    def loss(self, count):
        value = sum(h * w * w for h, w in zip(CURVATURES, self.weights)) / 16
        return cyclr_child.loss(value, count)

    def update(self, lr, momentum, weight_decay):
        figures = [self.loss(BATCH)]
        for j, h in enumerate(CURVATURES):
            gradient = h * self.weights[j] + self.noise.gauss(0, 0.3)
            self.velocity[j] = 0.9 * self.velocity[j] + gradient
            self.weights[j] -= lr * self.velocity[j]
        time.sleep(0.0005)
        return figures

    def evaluate(self, split):
        return [self.loss(HELD_OUT)]

    def state(self, path):
        Path(path).write_bytes(pickle.dumps((self.noise.getstate(), self.weights, self.velocity)))

    def restore(self, path):
        state, self.weights, self.velocity = pickle.loads(Path(path).read_bytes())
        self.noise.setstate(state)


cyclr_child.serve(Quadratic())
