"""A PyTorch training script (Caffe's cifar10_quick net, on the CPU) as a child of cyclr.

    cyclr find --budget 2000 -- python examples/torch_cifar.py --data cifar-10-batches-bin
    cyclr compare --budget 500 --arm fixed --arm triangular2 --seeds 3 -- python examples/torch_cifar.py --data cifar-10-batches-bin

The data are CIFAR-10's binary files (--data, or CIFAR10 in the environment), or made up with --synthetic. Alone, without cyclr
around it, the script trains at a fixed rate. What it has for cyclr is the dict that `initialize` returns, `state`, `restore`, and
the last line.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn

import cyclr_child

parser = argparse.ArgumentParser()
parser.add_argument("--data", default=os.environ.get("CIFAR10"), help="the folder of CIFAR-10's binary files")
parser.add_argument("--synthetic", action="store_true", help="made-up images instead")
parser.add_argument("--batch", type=int, default=100)
parser.add_argument("--held-out", type=int, default=1000, help="examples of the validation split, and of the test split")
parser.add_argument("--threads", type=int, default=1)
args = parser.parse_args()
torch.set_num_threads(args.threads)


def net():
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2), nn.MaxPool2d(3, 2, ceil_mode=True), nn.ReLU(),
        nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(), nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.Flatten(), nn.Linear(64 * 4 * 4, 64), nn.Linear(64, 10),
    )  # fmt: skip


def load(data_seed):
    """Images and labels: (training with validation, test)."""
    if args.synthetic:
        generator = torch.Generator().manual_seed(data_seed)
        # Each class has its own broad patches of colour, which a net of small windows learns within an epoch or two.
        classes = nn.functional.interpolate(torch.randn(10, 3, 4, 4, generator=generator), 32, mode="bilinear")
        labels = torch.randint(10, (5000,), generator=generator)
        images = 0.5 * classes[labels] + torch.randn(5000, 3, 32, 32, generator=generator)
        return (images[:4000], labels[:4000]), (images[4000:], labels[4000:])
    if not args.data:
        parser.error("give CIFAR-10's folder with --data, or --synthetic")

    def read(*names):
        rows = np.concatenate([np.fromfile(Path(args.data) / name, dtype=np.uint8).reshape(-1, 3073) for name in names])
        return torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32)), torch.from_numpy(rows[:, 0].astype(np.int64))

    return read(*(f"data_batch_{n}.bin" for n in range(1, 6))), read("test_batch.bin")


def normalized(images):
    """What the net is given: CIFAR-10's bytes stay bytes until they are needed, for every process has its own copy."""
    return (images.float() - 120.7) / 64.2 if images.dtype == torch.uint8 else images


class Training:
    def initialize(self, seed, data_seed, batch):
        torch.manual_seed(seed)
        (images, labels), test = load(data_seed)
        chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(data_seed))
        held, rest = chosen[: args.held_out], chosen[args.held_out :]
        self.images, self.labels = images[rest], labels[rest]
        self.splits = {"validation": (images[held], labels[held]), "test": tuple(part[: args.held_out] for part in test)}
        self.model, self.batch = net(), batch or args.batch
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
        self.order = torch.empty(0, dtype=torch.int64)
        counts = {name: len(labels) for name, (_, labels) in self.splits.items()}
        return {"examples": len(self.labels), "batch": self.batch, **counts, "momentum": True, "weight_decay": True, "snapshots": True}

    def next_batch(self):
        if len(self.order) < self.batch:
            self.order = torch.randperm(len(self.labels))
        chosen, self.order = self.order[: self.batch], self.order[self.batch :]
        return normalized(self.images[chosen]), self.labels[chosen]

    def update(self, lr, momentum=None, weight_decay=None):
        hyper = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        for group in self.optimizer.param_groups:
            group.update({name: value for name, value in hyper.items() if value is not None})
        images, labels = self.next_batch()
        scores = self.model(images)
        loss = nn.functional.cross_entropy(scores, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        right = (scores.argmax(1) == labels).sum().item()
        return [cyclr_child.loss(loss.item(), len(labels)), cyclr_child.accuracy(right, len(labels))]

    @torch.no_grad()
    def evaluate(self, split):
        images, labels = self.splits[split]
        self.model.eval()
        scores = torch.cat([self.model(normalized(part)) for part in images.split(500)])
        self.model.train()
        loss = nn.functional.cross_entropy(scores, labels)
        right = scores.argmax(1) == labels
        return [cyclr_child.loss(loss.item(), len(labels)), cyclr_child.accuracy(right.sum().item(), len(labels))], right.tolist()

    def state(self, path):
        parts = (self.model.state_dict(), self.optimizer.state_dict(), self.order, torch.get_rng_state())
        torch.save(parts, path)

    def restore(self, path):
        model, optimizer, self.order, random = torch.load(path, weights_only=True)
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)
        torch.set_rng_state(random)


def alone(training, updates=500, lr=0.01):
    training.initialize(seed=0, data_seed=0, batch=None)
    for update in range(updates):
        metrics = training.update(lr)
        if update % 50 == 0:
            print(update, metrics[0]["value"])
    print("validation", training.evaluate("validation")[0])


if __name__ == "__main__":
    (cyclr_child.serve if "CYCLR_FD" in os.environ else alone)(Training())
