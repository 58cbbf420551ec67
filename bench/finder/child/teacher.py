"""A net in numpy that learns from a fixed random net, as a child of cyclr: Adam, batch 32, 24 inputs, 6 classes.

5,000 inputs are drawn with a fixed seed and labelled by a teacher of one hidden layer; a student of 48 hidden units learns them.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3] / "examples"))
import cyclr_child

BATCH, INPUTS, HIDDEN, CLASSES = 32, 24, 48, 6
TRAIN, HELD_OUT = 3000, 1000


def data():
    random = np.random.default_rng(15)
    inputs = random.standard_normal((TRAIN + 2 * HELD_OUT, INPUTS))
    hidden = np.tanh(inputs @ random.standard_normal((INPUTS, 16)) / 2)
    return inputs, (hidden @ random.standard_normal((16, CLASSES))).argmax(1)


class Student:
    def initialize(self, seed, data_seed, batch):
        inputs, labels = data()
        part = lambda a, b: (inputs[a:b], labels[a:b])
        self.train = part(0, TRAIN)
        self.splits = {"validation": part(TRAIN, TRAIN + HELD_OUT), "test": part(TRAIN + HELD_OUT, TRAIN + 2 * HELD_OUT)}
        self.random = np.random.default_rng(seed)
        draw = lambda rows, columns: self.random.standard_normal((rows, columns)) * np.sqrt(2 / rows)
        self.weights = [draw(INPUTS, HIDDEN), np.zeros(HIDDEN), draw(HIDDEN, CLASSES), np.zeros(CLASSES)]
        self.first, self.second, self.made = [0.0] * 4, [0.0] * 4, 0
        self.order = np.array([], int)
        return {"examples": TRAIN, "batch": BATCH, "validation": HELD_OUT, "test": HELD_OUT}

    def forward(self, inputs):
        a, b, c, d = self.weights
        hidden = np.maximum(inputs @ a + b, 0)
        scores = hidden @ c + d
        scores = scores - scores.max(1, keepdims=True)
        return hidden, scores - np.log(np.exp(scores).sum(1, keepdims=True))

    def figures(self, logs, labels):
        right = logs.argmax(1) == labels
        loss = -logs[np.arange(len(labels)), labels].mean()
        return [cyclr_child.loss(loss, len(labels)), cyclr_child.accuracy(right.sum(), len(labels))], right

    def update(self, lr, momentum=None, weight_decay=None):
        if len(self.order) < BATCH:
            self.order = self.random.permutation(TRAIN)
        chosen, self.order = self.order[:BATCH], self.order[BATCH:]
        inputs, labels = self.train[0][chosen], self.train[1][chosen]
        with np.errstate(all="ignore"):
            hidden, logs = self.forward(inputs)
            scores = np.exp(logs)
            scores[np.arange(BATCH), labels] -= 1
            scores /= BATCH
            back = (scores @ self.weights[2].T) * (hidden > 0)
            self.adam(lr, [inputs.T @ back, back.sum(0), hidden.T @ scores, scores.sum(0)])
            return self.figures(logs, labels)[0]

    def adam(self, lr, gradients):
        self.made += 1
        for k, gradient in enumerate(gradients):
            self.first[k] = 0.9 * self.first[k] + 0.1 * gradient
            self.second[k] = 0.999 * self.second[k] + 0.001 * gradient**2
            size = np.sqrt(self.second[k] / (1 - 0.999**self.made)) + 1e-8
            self.weights[k] = self.weights[k] - lr * self.first[k] / (1 - 0.9**self.made) / size

    def evaluate(self, split):
        inputs, labels = self.splits[split]
        with np.errstate(all="ignore"):
            return self.figures(self.forward(inputs)[1], labels)


if __name__ == "__main__":
    cyclr_child.serve(Student())
