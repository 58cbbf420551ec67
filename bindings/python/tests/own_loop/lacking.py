"""A training that is served and lacks something: its state an `average` of the weights, or `workers` that persist,
or a `loader` of its own with random numbers of its own.

With `schedule` it sets its own rate, whatever it is given.
"""

import random
import sys

import cyclr.torch
import torch
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
inputs = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
data = TensorDataset(inputs, inputs[:, 0].gt(0).long())


class Shuffled:
    """Draws its order by itself."""

    batch_size = 20

    def __init__(self):
        self.numbers = random.Random(0)

    def __len__(self):
        return 10

    def __iter__(self):
        return (data[self.numbers.sample(range(200), 20)] for _ in range(10))


def build(run):
    model = torch.nn.Linear(8, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    average = torch.optim.swa_utils.AveragedModel(model) if "average" in sys.argv else None

    def step(batch):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(batch[0]), batch[1])
        loss.backward()
        if "schedule" in sys.argv:
            optimizer.param_groups[0]["lr"] = 0.1
        optimizer.step()
        if average is not None:
            average.update_parameters(model)
        return {"loss": loss.item()}

    workers = {"num_workers": 1, "persistent_workers": True} if "workers" in sys.argv else {}
    loader = DataLoader(data, batch_size=20, shuffle=True, **workers)
    if "loader" in sys.argv:
        loader = Shuffled()
    halves = {name: list(DataLoader(data, batch_size=60)) for name in ("validation", "test")}
    loss = torch.nn.functional.cross_entropy
    return cyclr.torch.Trainer(model, optimizer, loss, loader, step=step, **halves)


cyclr.torch.serve(build)
