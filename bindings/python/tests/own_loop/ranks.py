"""Data-parallel training under torchrun, attached (or, with --unaware, driven; or, with --serve, turned inside out).

`--defer` lets SIGTERM wait; a file `slow` in the working directory makes updates take time, one
called `fail` has evaluations fail. `--apart FOLDER` gives each process a working directory there.
"""

import os
import sys
import time

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

torch.set_num_threads(1)
if "--apart" in sys.argv:
    os.chdir(os.path.join(sys.argv[-1], os.environ["RANK"]))
if "--unaware" not in sys.argv:
    import cyclr.torch
if not {"--unaware", "--serve"} & set(sys.argv):
    run = cyclr.torch.begin(seed=1)
dist.init_process_group("gloo")
inputs = torch.randn(480, 8, generator=torch.Generator().manual_seed(0))
labels = inputs[:, 0].gt(0).long()
data = TensorDataset(inputs[:400], labels[:400])
sampler = DistributedSampler(data)
loader = DataLoader(data, batch_size=20, sampler=sampler)
held_out = DataLoader(TensorDataset(inputs[400:], labels[400:]), batch_size=40)
if "--serve" in sys.argv:

    def build(run):
        model = DistributedDataParallel(torch.nn.Linear(8, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loss = torch.nn.functional.cross_entropy
        return cyclr.torch.Trainer(model, optimizer, loss, loader, validation=held_out, test=list(held_out))

    cyclr.torch.serve(build, policy="fixed(lr=0.1)", updates=20, defer_sigterm="--defer" in sys.argv)
    sys.exit(0)
model = DistributedDataParallel(torch.nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
epochs, batches, step = range(8), lambda loader: loader, lambda: None
if "--unaware" not in sys.argv:

    def evaluate(split):
        if os.path.exists("fail"):
            raise ValueError("the data are gone")
        for x, y in lr.held_out[split]:
            return {"correct": (model(x).argmax(1) == y).sum().item()}

    lr = cyclr.torch.attach(
        optimizer,
        train=loader,
        model=model,
        evaluate=evaluate,
        validation=held_out,
        objective=("accuracy", "higher"),
        defer_sigterm="--defer" in sys.argv,
    )
    epochs, batches, step = lr.epochs(8), lr.batches, lr.step
for epoch in epochs:
    sampler.set_epoch(epoch)
    for x, y in batches(loader):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if os.path.exists("slow"):
            time.sleep(0.05)
        step()
print("the end")
