"""A loop whose labels are in a folder."""

import pathlib
import sys

import cyclr.torch
import torch
from torch.utils.data import DataLoader, TensorDataset

cyclr.torch.begin()
labels = torch.tensor([int(label) for label in pathlib.Path(sys.argv[1], "labels").read_text()])
loader = DataLoader(TensorDataset(torch.eye(len(labels)), labels), batch_size=20, shuffle=True)
model = torch.nn.Linear(len(labels), 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
lr = cyclr.torch.attach(optimizer, train=loader, model=model)
for _epoch in lr.epochs(1):
    for x, y in lr.batches(loader):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        lr.step()
