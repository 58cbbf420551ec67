"""The net, the data and a plain training: what all tools are given, and what their answers are tried on."""

import sys
from pathlib import Path

import cyclr.torch
import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

sys.path.append(str(Path(__file__).parents[1] / "speed"))
from torch_side import quick

BATCH = 100
MOMENTUM, WEIGHT_DECAY = 0.9, 0.004
# Caffe's initial weights: the standard deviations, layer by layer; biases are 0.
DEVIATIONS = (1e-4, 0.01, 0.01, 0.1, 0.1)


class Cifar:
    """CIFAR-10 in memory as bytes; a batch is floats less the mean image of the training data, as Caffe has it."""

    def __init__(self, images, labels, mean):
        self.images, self.labels, self.mean = images, labels, mean

    def __len__(self):
        return len(self.labels)

    def __getitems__(self, chosen):
        """A whole batch, which is what `DataLoader` asks for where this method exists."""
        chosen = torch.as_tensor(chosen)
        inputs = self.images[chosen].float() - self.mean
        return inputs.contiguous(memory_format=torch.channels_last), self.labels[chosen]


def read(folder):
    """The training and the test data of a folder of CIFAR-10's binary files."""

    def rows(*names):
        rows = np.concatenate([np.fromfile(Path(folder) / name, dtype=np.uint8) for name in names]).reshape(-1, 3073)
        return torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32).copy()), torch.from_numpy(
            rows[:, 0].astype(np.int64)
        )

    images, labels = rows(*(f"data_batch_{n}.bin" for n in range(1, 6)))
    mean = sum(part.float().sum(0) for part in images.split(5000)) / len(images)
    return Cifar(images, labels, mean), Cifar(*rows("test_batch.bin"), mean)


def loader(data, shuffle=True):
    """Batches of data; the order of each pass comes from torch's global generator."""
    return DataLoader(data, BATCH, shuffle=shuffle, collate_fn=as_it_is)


def as_it_is(batch):
    """A batch that is one already."""
    return batch


def net(seed):
    """Caffe's cifar10_quick with its initial weights; seeds torch's global generator."""
    torch.manual_seed(seed)
    model = quick()
    layers = [layer for layer in model if hasattr(layer, "weight")]
    for layer, deviation in zip(layers, DEVIATIONS, strict=True):
        torch.nn.init.normal_(layer.weight, std=deviation)
        torch.nn.init.zeros_(layer.bias)
    return model.to(memory_format=torch.channels_last)


def sgd(weights, lr):
    """The optimizer of all tools: one group, so that no tool has to know of Caffe's doubled rates for biases."""
    return torch.optim.SGD(weights, lr=lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)


def train(data, seed, spec, updates):
    """Trains under a spec; returns the net, or None where its loss stopped being finite."""
    model = net(seed)
    optimizer = sgd(model.parameters(), lr=1.0)
    schedule = cyclr.torch.Schedule(optimizer, spec, updates=updates)
    batches = endless(loader(data))
    for _ in range(updates):
        if not update(model, optimizer, next(batches)) < float("inf"):
            return None
        schedule.step()
    return model


def update(model, optimizer, batch):
    """One update, bare; returns the loss of the batch before it."""
    inputs, labels = batch
    optimizer.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def endless(loader):
    """The batches of a loader, pass after pass."""
    while True:
        yield from loader


@torch.no_grad()
def accuracy(model, data):
    """Per cent of the data that a net gets right."""
    model.eval()
    right = sum((model(inputs).argmax(1) == labels).sum().item() for inputs, labels in loader(data, shuffle=False))
    return 100 * right / len(data)
