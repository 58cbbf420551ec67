"""A training that is served and lacks something: its state an `average` of the weights, or `workers` that persist.

With `schedule` it sets its own rate, whatever it is given.
"""

import sys

import cyclr.torch
import torch
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
inputs = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
data = TensorDataset(inputs, inputs[:, 0].gt(0).long())


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
    halves = {name: list(DataLoader(data, batch_size=60)) for name in ("validation", "test")}
    loss = torch.nn.functional.cross_entropy
    return cyclr.torch.Trainer(model, optimizer, loss, loader, step=step, **halves)


cyclr.torch.serve(build)
