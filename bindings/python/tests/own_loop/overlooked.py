"""A loop with a part that is easily overlooked, named by its argument."""

import copy
import sys

import cyclr.torch
import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset, TensorDataset

kind = sys.argv[1]
torch.set_num_threads(1)
cyclr.torch.begin()
generator = torch.Generator().manual_seed(0)
inputs = torch.randn(300, 8, generator=generator)
labels = inputs[:, 0].gt(0).long()


class Noisy(Dataset):
    """Adds noise of its own."""

    def __init__(self):
        self.noise = np.random.default_rng(0)

    def __len__(self):
        return 200

    def __getitem__(self, place):
        return inputs[place] + self.noise.normal(), labels[place]


data = Noisy() if kind == "noise" else TensorDataset(inputs[:200], labels[:200])
loader = DataLoader(data, batch_size=20, shuffle=True)
beside = DataLoader(TensorDataset(inputs[:250]), batch_size=25, shuffle=True)
held_out = DataLoader(TensorDataset(inputs[200:], labels[200:]), batch_size=50)
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Dropout(0.5), torch.nn.Linear(16, 2))
critic = torch.nn.Linear(8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
bare = torch.nn.Parameter(torch.zeros(()))
if kind == "bare weight":
    optimizer.add_param_group({"params": [bare]})
second = torch.optim.SGD(critic.parameters(), lr=0.1)


class Lookahead(torch.optim.Optimizer):
    """Has slow weights, and another make its steps."""

    def __init__(self, held):
        super().__init__(held.param_groups, {})
        self.optimizer, self.param_groups, self.made = held, held.param_groups, 0

    def step(self, closure=None):
        self.optimizer.step(closure)
        self.made += 1
        if self.made % 5 == 0:
            for weight in self.param_groups[0]["params"]:
                slow = self.state[weight].setdefault("slow", weight.detach().clone())
                slow.lerp_(weight.detach(), 0.5)
                weight.data.copy_(slow)


class Centred(torch.nn.CrossEntropyLoss):
    """A loss that has something to keep."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))

    def forward(self, outputs, labels):
        self.mean = 0.9 * self.mean + 0.1 * outputs.detach().mean(0)
        return super().forward(outputs - self.mean, labels)


if kind == "lookahead":
    optimizer = Lookahead(optimizer)
if kind == "loss":
    cross_entropy = Centred()
scheduler = None
if kind in ("momentum", "registered momentum"):
    scheduler = torch.optim.lr_scheduler.CyclicLR(optimizer, 0.01, 0.2, step_size_up=7)
average = {}
if kind in ("average", "registered average"):
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
vector = torch.nn.utils.parameters_to_vector(model.parameters()).detach() if kind == "vector" else None


class Kept(torch.nn.Module):
    """An average may be such a module: it has a copy, and nothing else."""

    def __init__(self):
        super().__init__()
        self.module = copy.deepcopy(model)


kept = Kept() if kind in ("copy", "measured copy") else None
parts = [DataLoader(TensorDataset(inputs[a:b], labels[a:b]), batch_size=50) for a, b in ((200, 250), (250, 300))]


def evaluate(split):
    model.eval()
    if kind == "measured copy":
        assert not any(module.training for module in kept.modules())
    if kind == "attack":
        with torch.enable_grad():
            cross_entropy(model(inputs[200:]), labels[200:]).mul(100).backward()
    if kind == "one split":
        return {"correct": sum(int((model(x).argmax(1) == y).sum()) for x, y in parts[0])}
    if kind == "whole count":
        return {"correct": 7, "count": 100}
    return {"correct": sum(int((model(x).argmax(1) == y).sum()) for x, y in lr.held_out[split])}


kept_open = iter(beside) if kind == "kept open" else None
lr = cyclr.torch.attach(
    [optimizer, second],
    train=None if kind == "no loader" else loader,
    model=None if kind == "no model" else [model, critic],
    evaluate=evaluate,
    validation=parts[0] if kind == "one split" else held_out,
    test=parts[1] if kind == "one split" else None,
    accumulate={"accumulation": 4, "miscounted": 2}.get(kind, 1),
)
if kind == "registered average":
    lr.register(save=lambda: average, load=average.update)
if kind == "registered momentum":
    lr.register(scheduler)
if kind in ("checkpoint", "registered optimizer"):
    third = torch.optim.SGD(critic.parameters(), lr=0.01, momentum=0.9)
    if kind == "checkpoint":
        third.load_state_dict({**third.state_dict(), "state": {0: {"momentum_buffer": torch.zeros(2, 8)}}})
    lr.register(third)
if kind == "ratio":
    second.param_groups[0]["lr"] = 0.01
for _epoch in lr.epochs(9):
    batches = lr.batches(loader)
    for place, batch in enumerate(zip(batches, beside) if kind == "beside" else batches):
        assert kept is None or kept.module.training
        x, y = batch[0] if kind == "beside" else batch
        loss = cross_entropy(model(x), y) + cross_entropy(critic(x), y)
        if kind == "bare weight":
            loss = loss * torch.exp(-bare) + bare
        if kind == "beside":
            loss = loss + critic(batch[1][0]).square().mean()
        if kept_open is not None:
            try:
                loss = loss + critic(next(kept_open)[0]).square().mean()
            except StopIteration:
                kept_open = iter(beside)
        if kind == "two losses":
            (3 * loss).backward(retain_graph=True)
        loss.backward()
        if kind == "accumulation" and (place + 1) % 4 > 0 and place + 1 < len(loader):
            continue
        optimizer.step()
        if "critic" not in kind or place % 3 == (2 if kind == "late critic" else 0):
            second.step()
        if kind == "registered optimizer":
            third.step()
        optimizer.zero_grad()
        second.zero_grad()
        lr.step()
        if kind == "ratio":
            optimizer.param_groups[0]["lr"] = second.param_groups[0]["lr"] = 0.2
        if scheduler is not None:
            scheduler.step()
        for name, value in average.items():
            value.lerp_(model.state_dict()[name], 0.1)
