"""A loop of accelerate's, attached by the lines that the docs name."""

import cyclr.torch
import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
cyclr.torch.begin(seed=3)
accelerator = Accelerator(cpu=True)
inputs = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
labels = inputs[:, 0].gt(0).long()
loader = DataLoader(TensorDataset(inputs[:200], labels[:200]), batch_size=20, shuffle=True)
held_out = DataLoader(TensorDataset(inputs[200:], labels[200:]), batch_size=50)
model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)


def evaluate(split):
    return {"correct": sum(int((model(x).argmax(1) == y).sum()) for x, y in lr.held_out[split])}


lr = cyclr.torch.attach(
    optimizer, train=loader, model=model, evaluate=evaluate, validation=held_out, objective=("accuracy", "higher")
)
for _epoch in range(2):
    for x, y in loader:
        optimizer.zero_grad()
        accelerator.backward(torch.nn.functional.cross_entropy(model(x), y))
        optimizer.step()
        lr.step()
print("the end")
