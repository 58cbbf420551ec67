"""A training script that trains by itself, and under cyclr: ``cyclr find -- python torch_fashion.py``."""

import cyclr.data
import cyclr.torch
import torch
from torch.utils.data import DataLoader, TensorDataset


def part(images, labels):
    return TensorDataset(torch.from_numpy(images).float().div(255).sub(0.286).div(0.353), torch.from_numpy(labels))


def build(run):
    data = cyclr.data.fashion_mnist(validation=1000, data_seed=run.data_seed)
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, len(data.classes))
    )
    return cyclr.torch.Trainer(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        torch.nn.functional.cross_entropy,
        DataLoader(part(*data.train), batch_size=run.batch or 100, shuffle=True),
        validation=DataLoader(part(*data.validation), batch_size=1000),
        test=DataLoader(part(*data.test), batch_size=1000),
    )


if __name__ == "__main__":
    outcome = cyclr.torch.serve(build, policy="triangular2(base=0.01, max=0.1, step=1ep)", epochs=4)
    if outcome:
        print(outcome.test.metrics)
