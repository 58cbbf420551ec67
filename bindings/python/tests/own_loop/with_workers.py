"""A PyTorch loop whose data come from worker processes, and which lets SIGTERM wait."""

import pathlib
import sys
import time

import cyclr.torch
import torch
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
cyclr.torch.begin()
inputs = torch.randn(400, 8)
loader = DataLoader(TensorDataset(inputs, inputs[:, 0].gt(0).long()), batch_size=20, num_workers=2)
model = torch.nn.Linear(8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
lr = cyclr.torch.attach(optimizer, train=loader, model=model, defer_sigterm=True)
here = pathlib.Path(sys.argv[1])
for _epoch in lr.epochs(4):
    for x, y in lr.batches(loader):
        (here / "updating").touch()
        while (here / "hold").exists():
            time.sleep(0.01)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        lr.step()
