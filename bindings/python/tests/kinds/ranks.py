"""Two processes under torchrun. Lines marked `+` are cyclr's."""

import argparse

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
import cyclr.torch  # +

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=2)
args = parser.parse_args()
dist.init_process_group("gloo")
torch.manual_seed(0)
torch.set_num_threads(1)
cyclr.torch.begin(seed=0)  # +
inputs = torch.randn(600, 8, generator=torch.Generator().manual_seed(0))
labels = inputs[:, 0].gt(0).long()
data = TensorDataset(inputs[:400], labels[:400])
sampler = DistributedSampler(data)
train_loader = DataLoader(data, batch_size=10, sampler=sampler)
test_loader = DataLoader(TensorDataset(inputs[400:], labels[400:]), batch_size=50)
model = DistributedDataParallel(torch.nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def test(loader):
    return {"correct": sum(int((model(x).argmax(dim=1) == y).sum()) for x, y in loader)}


run = cyclr.torch.attach(optimizer, train=train_loader, model=model, validation=test_loader,  # +
    evaluate=lambda split: test(run.held_out[split]), objective=("accuracy", "higher"))  # +
for epoch in range(args.epochs):
    sampler.set_epoch(epoch)
    for x, y in train_loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        cyclr.torch.step()  # +
dist.destroy_process_group()
