"""Times updates of a net in PyTorch and prints a line of JSON:  torch_side.py NET MODE BATCH THREADS SECONDS

MODE is eager, channels_last or compile. Data are random pixels in memory, as bytes, which each update normalises; an
update is forward, backward and SGD with momentum.
"""

import json
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.MaxPool2d(2, 2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2, 2),
        nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10),
    )  # fmt: skip


def same(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 5, padding=2)


def pool(kind):
    return kind(3, 2, ceil_mode=True)


def quick():
    return nn.Sequential(
        same(3, 32), pool(nn.MaxPool2d), nn.ReLU(), same(32, 32), nn.ReLU(), pool(nn.AvgPool2d),
        same(32, 64), nn.ReLU(), pool(nn.AvgPool2d), nn.Flatten(), nn.Linear(1024, 64), nn.Linear(64, 10),
    )  # fmt: skip


class WithinChannelNorm(nn.Module):
    def forward(self, x):
        return x * (1 + 5e-5 * F.avg_pool2d(x * x, 3, 1, 1)).pow(-0.75)


def full():
    return nn.Sequential(
        same(3, 32), pool(nn.MaxPool2d), nn.ReLU(), WithinChannelNorm(),
        same(32, 32), nn.ReLU(), pool(nn.AvgPool2d), WithinChannelNorm(),
        same(32, 64), nn.ReLU(), pool(nn.AvgPool2d), nn.Flatten(), nn.Linear(1024, 10),
    )  # fmt: skip


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.narrows = inputs != outputs
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 2 if self.narrows else 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.narrows:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, y.shape[1] - x.shape[1]))
        return F.relu(y + x)


def resnet20():
    widths = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
    blocks = [Block(a, b) for a, b in zip(widths, widths[1:])]
    stem = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


NETS = {"lenet": lenet, "cifar10_quick": quick, "cifar10_full": full, "resnet20": resnet20}


def main(net, mode, batch, threads, seconds):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = NETS[net]()
    shape = (1, 28, 28) if net == "lenet" else (3, 32, 32)
    pixels = torch.randint(0, 256, (10 * batch, *shape), dtype=torch.uint8)
    labels = torch.arange(10 * batch) % 10
    if mode == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        pixels = pixels.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9, weight_decay=5e-4)
    forward = torch.compile(model) if mode == "compile" else model

    def update(i):
        at = slice(i % 10 * batch, (i % 10 + 1) * batch)
        x = pixels[at].float().sub_(128).mul_(1 / 64)
        optimizer.zero_grad()
        loss = F.cross_entropy(forward(x), labels[at])
        loss.backward()
        optimizer.step()
        return loss.item()

    for i in range(3):
        update(i)
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < seconds or len(times) < 5:
        before = time.perf_counter()
        update(len(times))
        times.append(1e3 * (time.perf_counter() - before))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report = {"median_ms": [statistics.median(times)], "updates": [len(times)], "peak_mib": peak}
    print(json.dumps({**report, "torch": torch.__version__}))


if __name__ == "__main__":
    name, how, *rest = sys.argv[1:]
    main(name, how, int(rest[0]), int(rest[1]), float(rest[2]))
