"""A net in JAX on made-up data, as a child of cyclr.

    cyclr find --budget 100ep -- python examples/jax_mlp.py
    cyclr compare --budget 20ep -- python examples/jax_mlp.py

The script it wraps is the upper half: a jitted step that takes its rate as an argument.
"""

import os
import pickle

import jax
import jax.numpy as jnp
import numpy as np

import cyclr_child

FEATURES, HIDDEN, CLASSES, BATCH = 32, 64, 10, 64


def loss_and_hits(weights, x, y):
    scores = jax.nn.tanh(x @ weights["in"]) @ weights["out"]
    loss = -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], axis=1))
    return loss, scores.argmax(axis=1) == y


@jax.jit
def step(weights, velocity, x, y, lr, momentum):
    (loss, hits), gradient = jax.value_and_grad(loss_and_hits, has_aux=True)(weights, x, y)
    velocity = jax.tree.map(lambda v, g: momentum * v + g, velocity, gradient)
    return jax.tree.map(lambda w, v: w - lr * v, weights, velocity), velocity, loss, hits.sum()


class Training:
    def initialize(self, seed, data_seed, batch):
        made = np.random.default_rng(data_seed)
        centres = 0.7 * made.standard_normal((CLASSES, FEATURES))
        labels = made.integers(CLASSES, size=6000)
        points = (centres[labels] + made.standard_normal((6000, FEATURES))).astype(np.float32)
        self.x, self.y = points[:4000], labels[:4000]
        self.splits = {"validation": (points[4000:5000], labels[4000:5000]), "test": (points[5000:], labels[5000:])}
        self.random, self.batch = np.random.default_rng(seed), batch or BATCH
        first = self.random.standard_normal((FEATURES, HIDDEN)) / FEATURES**0.5
        self.weights = {"in": jnp.array(first, jnp.float32), "out": jnp.zeros((HIDDEN, CLASSES))}
        self.velocity = jax.tree.map(jnp.zeros_like, self.weights)
        return {"examples": 4000, "batch": self.batch, "validation": 1000, "test": 1000, "momentum": True, "snapshots": True}

    def update(self, lr, momentum=None, weight_decay=None):
        chosen = self.random.choice(len(self.y), self.batch, replace=False)
        momentum = 0.9 if momentum is None else momentum
        self.weights, self.velocity, loss, hits = step(self.weights, self.velocity, self.x[chosen], self.y[chosen], lr, momentum)
        return [cyclr_child.loss(loss, self.batch), cyclr_child.accuracy(hits, self.batch)]

    def evaluate(self, split):
        x, y = self.splits[split]
        loss, hits = loss_and_hits(self.weights, x, y)
        return [cyclr_child.loss(loss, len(y)), cyclr_child.accuracy(hits.sum(), len(y))], hits.tolist()

    def state(self, path):
        with open(path, "wb") as file:
            pickle.dump((jax.device_get((self.weights, self.velocity)), self.random), file)

    def restore(self, path):
        with open(path, "rb") as file:
            (self.weights, self.velocity), self.random = pickle.load(file)


def alone(training, updates=600, lr=0.1):
    training.initialize(seed=0, data_seed=0, batch=None)
    for _ in range(updates):
        training.update(lr)
    print("validation", training.evaluate("validation")[0])


if __name__ == "__main__":
    (cyclr_child.serve if "CYCLR_FD" in os.environ else alone)(Training())
