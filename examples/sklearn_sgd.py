"""scikit-learn's SGDClassifier on the digits data set, as a child of cyclr.

    cyclr train --epochs 12 --policy 'linear(lr=0.05)' -- python examples/sklearn_sgd.py

`cyclr find` gives no reliable answer here, and says so: this linear model neither diverges nor slows at any rate up to 10.

Alone, the class below trains with `partial_fit` as it always did: `python examples/sklearn_sgd.py`. What is there for cyclr is
the names of its methods, and the last two lines.
"""

import os
import pickle

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.utils import shuffle

import cyclr_child

BATCH = 32


class Training:
    def initialize(self, seed, data_seed, batch):
        images, labels = load_digits(return_X_y=True)
        images, labels = shuffle(images / 16, labels, random_state=data_seed % 2**32)
        self.splits = {"test": (images[:297], labels[:297]), "validation": (images[297:597], labels[297:597])}
        self.images, self.labels = images[597:], labels[597:]
        self.batch = batch or BATCH
        self.random = np.random.default_rng(seed)
        self.model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.1, alpha=1e-4, shuffle=False)
        self.model.coef_ = 0.01 * self.random.standard_normal((10, 64))
        self.model.intercept_ = np.zeros(10)
        self.model.classes_ = np.arange(10)
        self.order = []
        return {"examples": len(self.labels), "batch": self.batch, "validation": 300, "test": 297, "weight_decay": True, "snapshots": True}

    def next_batch(self):
        if len(self.order) < self.batch:
            self.order = list(self.random.permutation(len(self.labels)))
        chosen, self.order = self.order[: self.batch], self.order[self.batch :]
        return self.images[chosen], self.labels[chosen]

    def update(self, lr, momentum=None, weight_decay=None):
        images, labels = self.next_batch()
        before = self.measure(images, labels)[0]
        if lr > 0:  # it refuses a rate of 0, which would change nothing
            self.model.set_params(eta0=lr, alpha=1e-4 if weight_decay is None else weight_decay)
            try:
                self.model.partial_fit(images, labels, classes=np.arange(10))
            except ValueError:  # it refuses to go on after an overflow; to cyclr that is a loss that is not finite
                self.model.coef_ = np.full((10, 64), np.nan)
        return before

    def measure(self, images, labels):
        with np.errstate(all="ignore"):
            probabilities = self.model.predict_proba(images)
        right = probabilities.argmax(axis=1) == labels
        value = log_loss(labels, probabilities, labels=np.arange(10)) if np.isfinite(probabilities).all() else np.nan
        return [cyclr_child.loss(value, len(labels)), cyclr_child.accuracy(right.sum(), len(labels))], right

    def evaluate(self, split):
        metrics, right = self.measure(*self.splits[split])
        return metrics, right

    def state(self, path):
        with open(path, "wb") as file:
            pickle.dump((self.model, self.random, self.order), file)

    def restore(self, path):
        with open(path, "rb") as file:
            self.model, self.random, self.order = pickle.load(file)


def alone(training, updates=600, lr=0.02):
    training.initialize(seed=0, data_seed=0, batch=None)
    for _ in range(updates):
        training.update(lr)
    print("validation", training.evaluate("validation")[0])


if __name__ == "__main__":
    (cyclr_child.serve if "CYCLR_FD" in os.environ else alone)(Training())
