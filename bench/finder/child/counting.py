"""A net in PyTorch, as a child of cyclr: which of 4 kinds of tokens is the commonest in a sequence of 24?

AdamW with weight decay 0.01, batch 50. Sequences are drawn with a fixed seed; 4,000 to learn from. An embedding, a layer of 64
units with layer norm, and an output for each kind.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[3] / "examples"))
import cyclr_child

BATCH, TOKENS, LENGTH, KINDS, WIDTH = 50, 32, 24, 4, 8
TRAIN, HELD_OUT = 4000, 1000


def data():
    generator = torch.Generator().manual_seed(15)
    tokens = torch.randint(TOKENS, (TRAIN + 2 * HELD_OUT, LENGTH), generator=generator)
    return tokens, F.one_hot(tokens % KINDS, KINDS).sum(1).argmax(1)


def counter():
    hidden = [nn.Linear(LENGTH * WIDTH, 64), nn.LayerNorm(64), nn.GELU()]
    return nn.Sequential(nn.Embedding(TOKENS, WIDTH), nn.Flatten(), *hidden, nn.Linear(64, KINDS))


class Training:
    def initialize(self, seed, data_seed, batch):
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        tokens, labels = data()
        part = lambda a, b: (tokens[a:b], labels[a:b])
        self.train = part(0, TRAIN)
        self.splits = {"validation": part(TRAIN, TRAIN + HELD_OUT), "test": part(TRAIN + HELD_OUT, TRAIN + 2 * HELD_OUT)}
        self.model = counter()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1.0, weight_decay=0.01)
        self.order = torch.tensor([], dtype=torch.int64)
        return {"examples": TRAIN, "batch": BATCH, "validation": HELD_OUT, "test": HELD_OUT}

    def figures(self, scores, labels):
        right = scores.argmax(1) == labels
        loss = F.cross_entropy(scores, labels)
        count = len(labels)
        return loss, [cyclr_child.loss(loss.item(), count), cyclr_child.accuracy(right.sum(), count)], right.tolist()

    def update(self, lr, momentum=None, weight_decay=None):
        if len(self.order) < BATCH:
            self.order = torch.randperm(TRAIN)
        chosen, self.order = self.order[:BATCH], self.order[BATCH:]
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        loss, metrics, _ = self.figures(self.model(self.train[0][chosen]), self.train[1][chosen])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return metrics

    @torch.no_grad()
    def evaluate(self, split):
        self.model.eval()
        tokens, labels = self.splits[split]
        _, metrics, right = self.figures(self.model(tokens), labels)
        self.model.train()
        return metrics, right


if __name__ == "__main__":
    cyclr_child.serve(Training())
