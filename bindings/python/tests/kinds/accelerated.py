"""A loop of accelerate's. Lines marked `+` are cyclr's."""

import argparse

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.utils.data import DataLoader, TensorDataset
import cyclr.torch  # +

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=2)
args = parser.parse_args()
torch.set_num_threads(1)
set_seed(0)
cyclr.torch.begin(seed=0)  # +
accelerator = Accelerator(cpu=True)
inputs = torch.randn(600, 8, generator=torch.Generator().manual_seed(0))
labels = inputs[:, 0].gt(0).long()
train_loader = DataLoader(TensorDataset(inputs[:400], labels[:400]), batch_size=20, shuffle=True)
test_loader = DataLoader(TensorDataset(inputs[400:], labels[400:]), batch_size=50)
model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model, optimizer, train_loader = accelerator.prepare(model, optimizer, train_loader)


def test(loader):
    return {"correct": sum(int((model(x).argmax(1) == y).sum()) for x, y in loader)}


run = cyclr.torch.attach(optimizer, train=train_loader, model=model, validation=test_loader,  # +
    evaluate=lambda split: test(run.held_out[split]), objective=("accuracy", "higher"))  # +
for epoch in range(args.epochs):
    for x, y in train_loader:
        optimizer.zero_grad()
        accelerator.backward(torch.nn.functional.cross_entropy(model(x), y))
        optimizer.step()
        cyclr.torch.step()  # +
    print(test(test_loader))
