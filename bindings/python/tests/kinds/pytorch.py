"""Plain PyTorch: argparse, StepLR, a test after each epoch. Lines marked `+` are cyclr's."""

import argparse

import torch
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset
import cyclr.torch  # +

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--gamma", type=float, default=0.7)
args = parser.parse_args()
torch.manual_seed(0)
torch.set_num_threads(1)
cyclr.torch.begin(seed=0)  # +
inputs = torch.randn(600, 8, generator=torch.Generator().manual_seed(0))
labels = inputs[:, 0].gt(0).long()
train_loader = DataLoader(TensorDataset(inputs[:400], labels[:400]), batch_size=20, shuffle=True)
test_loader = DataLoader(TensorDataset(inputs[400:], labels[400:]), batch_size=100)
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = StepLR(optimizer, step_size=1, gamma=args.gamma)


def train(loader):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        cyclr.torch.step()  # +


def test(loader):
    model.eval()
    with torch.no_grad():
        correct = sum(int((model(x).argmax(dim=1) == y).sum()) for x, y in loader)
    print(f"{correct} are correct")
    return {"correct": correct}


held_out = cyclr.torch.attach(optimizer, train=train_loader, model=model, validation=test_loader,  # +
    evaluate=lambda split: test(held_out[split]), objective=("accuracy", "higher")).held_out  # +
for epoch in range(args.epochs):
    train(train_loader)
    test(test_loader)
    scheduler.step()
