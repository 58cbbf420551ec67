"""What the nets in numpy share: their data in three parts, the order of the batches, the figures, and Adam.

A net is a subclass with the class constants TRAIN, HELD_OUT and BATCH, and the methods `data`, `draw_weights`, `forward` and
`gradients`.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3] / "examples"))
import cyclr_child


class Training:
    DECAY = 0.0

    def initialize(self, seed, data_seed, batch):
        inputs, labels = self.data()
        train, held_out = self.TRAIN, self.HELD_OUT
        part = lambda a, b: (inputs[a:b], labels[a:b])
        self.train = part(0, train)
        self.splits = {"validation": part(train, train + held_out), "test": part(train + held_out, train + 2 * held_out)}
        self.random = np.random.default_rng(seed)
        self.weights = self.draw_weights()
        self.first, self.second, self.made = [0.0] * len(self.weights), [0.0] * len(self.weights), 0
        self.order = np.array([], int)
        return {"examples": train, "batch": self.BATCH, "validation": held_out, "test": held_out}

    def update(self, lr, momentum=None, weight_decay=None):
        if len(self.order) < self.BATCH:
            self.order = self.random.permutation(self.TRAIN)
        chosen, self.order = self.order[: self.BATCH], self.order[self.BATCH :]
        inputs, labels = self.train[0][chosen], self.train[1][chosen]
        with np.errstate(all="ignore"):
            kept, logs = self.forward(inputs)
            scores = np.exp(logs)
            scores[np.arange(self.BATCH), labels] -= 1
            scores /= self.BATCH
            self.adam(lr, self.gradients(inputs, kept, scores))
            return self.figures(logs, labels)[0]

    def adam(self, lr, gradients):
        """Adam, with the decay of AdamW if there is one."""
        self.made += 1
        for k, gradient in enumerate(gradients):
            self.first[k] = 0.9 * self.first[k] + 0.1 * gradient
            self.second[k] = 0.999 * self.second[k] + 0.001 * gradient**2
            size = np.sqrt(self.second[k] / (1 - 0.999**self.made)) + 1e-8
            kept = (1 - lr * self.DECAY) * self.weights[k]
            self.weights[k] = kept - lr * self.first[k] / (1 - 0.9**self.made) / size

    def evaluate(self, split):
        inputs, labels = self.splits[split]
        with np.errstate(all="ignore"):
            return self.figures(self.forward(inputs)[1], labels)

    def figures(self, logs, labels):
        right = logs.argmax(1) == labels
        loss = -logs[np.arange(len(labels)), labels].mean()
        return [cyclr_child.loss(loss, len(labels)), cyclr_child.accuracy(right.sum(), len(labels))], right


def log_softmax(scores):
    scores = scores - scores.max(1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(1, keepdims=True))


serve = cyclr_child.serve
