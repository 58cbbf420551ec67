"""A loop that does something at the head of its epochs, with its passes or beside them, named by its argument.

Alone it prints its losses.
"""

import random
import sys

import cyclr.torch
import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler

kind = sys.argv[1]
torch.set_num_threads(1)
cyclr.torch.begin(seed=3)
generator = torch.Generator().manual_seed(0)
inputs = torch.randn(300, 6, generator=generator)
labels = inputs[:, 0].gt(0).long()
noise = np.random.default_rng(0)


class Data(Dataset):
    """Its transform may draw from a generator."""

    def __init__(self, first, count, transform=None):
        self.first, self.count, self.transform = first, count, transform

    def __len__(self):
        return self.count

    def __getitem__(self, place):
        x = inputs[self.first + place]
        return self.transform(x) if self.transform else x, labels[self.first + place]


class Transform:
    """Adds noise."""

    def __init__(self, noise):
        self.noise = noise

    def __call__(self, x):
        return x + self.noise.normal()


class Buckets(Sampler):
    """A batch sampler whose order depends on the epoch alone."""

    batch_size = 20
    epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return 10

    def __iter__(self):
        yield from torch.randperm(200, generator=torch.Generator().manual_seed(self.epoch)).view(10, 20).tolist()


data = Data(0, 200, Transform(noise) if "noise" in kind else None)
sampler = None
if kind == "sampler":
    sampler = DistributedSampler(data, num_replicas=1, rank=0)
    loader = DataLoader(data, batch_size=20, sampler=sampler)
elif kind == "batch sampler":
    sampler = Buckets()
    loader = DataLoader(data, batch_sampler=sampler)
else:
    # The order of an evaluation that goes through it is not to be that of the training.
    own = torch.Generator().manual_seed(1) if kind == "statistics" else None
    loader = DataLoader(data, batch_size=20, shuffle=True, generator=own)
if "list" in kind:
    loader = list(DataLoader(data, batch_size=20))
held_out = DataLoader(Data(200, 100), batch_size=50)
norm = torch.nn.BatchNorm1d(8) if kind == "statistics" else torch.nn.Identity()
model = torch.nn.Sequential(torch.nn.Linear(6, 8), norm, torch.nn.ReLU(), torch.nn.Linear(8, 2))
dropout = torch.nn.Dropout(0.0)
average = torch.optim.swa_utils.AveragedModel(model) if kind == "statistics" else None
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def evaluate(split):
    if average is not None:
        torch.optim.swa_utils.update_bn(loader, average)
    net = (average or model).eval()
    return {"correct": sum(int((net(x).argmax(1) == y).sum()) for x, y in lr.held_out[split])}


class Level:
    """State of the script's own."""

    def __init__(self):
        self.value = 1.0

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


lr = cyclr.torch.attach(
    optimizer,
    train=loader,
    model=[model, dropout],
    evaluate=evaluate,
    validation=held_out,
    batch=20 if "given" in kind else None,
)
if kind in ("head", "noise", "registered mixup"):
    bits = noise.bit_generator
    lr.register(save=lambda: bits.state, load=lambda state: setattr(bits, "state", state))
if average is not None:
    lr.register(average)
level = None if "late" in kind else Level()
if kind == "head":
    lr.register(level)
losses = []


def update(x, y, factor=1.0):
    optimizer.zero_grad()
    loss = cross_entropy(model(dropout(x)), y) * factor
    losses.append(loss.item())
    loss.backward()
    optimizer.step()
    if average is not None:
        average.update_parameters(model)
    cyclr.torch.step()


def fetched_ahead(batches):
    batches = iter(batches)
    batch = next(batches)
    for following in batches:
        yield batch
        batch = following
    yield batch


@torch.no_grad()
def estimated():
    for place, (x, _) in enumerate(loader):
        model(x)
        if place == 2:
            break


def bare():
    for epoch in range(4):
        if sampler is not None:
            sampler.set_epoch(epoch)
        for place, (x, y) in enumerate(fetched_ahead(loader) if "ahead" in kind else loader):
            if kind == "sampler" and place == 3:
                break
            if "mixup" in kind:
                x = noise.beta(1, 1) * x
            update(x, y)
            if kind == "estimate" and place % 4 == 1:
                estimated()


def by_epochs():
    global level
    for _epoch in lr.epochs(4):
        scale = 1.0
        if kind == "head":
            level.value *= 1.2
            dropout.p += 0.1
            scale = noise.uniform(0.5, 1.5)
        if level is None and kind == "late":
            level = Level()
            lr.register(level)
        if "list" in kind:
            random.shuffle(loader)
        if kind == "new list":
            loader[0] = [2 * loader[0][0], loader[0][1]]
        for x, y in loader if kind == "peek, bare" else lr.batches(loader):
            if level is None:
                level = Level()
                lr.register(level)
            if "late" in kind:
                level.value += 0.1
            update(x * scale, y, level.value)
        if "peek" in kind:
            estimated()


if kind in ("head", "late", "later", "peek", "peek, bare", "list", "new list"):
    by_epochs()
elif kind == "next":
    for _ in range(40):
        update(*next(iter(loader)))
else:
    bare()
print("losses", losses)
