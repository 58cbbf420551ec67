"""AMP, accumulation, clipping, torch.compile and an average of the weights. Lines marked `+` are cyclr's."""

import argparse

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset
import cyclr.torch  # +

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=2)
args = parser.parse_args()
torch.manual_seed(0)
torch.set_num_threads(1)
cyclr.torch.begin(seed=0)  # +
inputs = torch.randn(600, 8, generator=torch.Generator().manual_seed(0))
labels = inputs[:, 0].gt(0).long()
train_loader = DataLoader(TensorDataset(inputs[:400], labels[:400]), batch_size=10, shuffle=True)
test_loader = DataLoader(TensorDataset(inputs[400:], labels[400:]), batch_size=100)
net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
model = torch.compile(net)
ema = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
# So high that it skips its first updates.
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120, growth_interval=50)


def test(loader):
    ema.eval()
    with torch.no_grad():
        return {"correct": sum(int((ema(x).argmax(dim=1) == y).sum()) for x, y in loader)}


run = cyclr.torch.attach(optimizer, train=train_loader, model=[net, ema], scaler=scaler, accumulate=2,  # +
    validation=test_loader, evaluate=lambda split: test(run.held_out[split]), objective=("accuracy", "higher"))  # +
for epoch in range(args.epochs):
    model.train()
    for place, (x, y) in enumerate(train_loader):
        with torch.autocast("cpu", torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(model(x), y) / 2
        scaler.scale(loss).backward()
        if place % 2 == 1:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            ema.update_parameters(net)
            cyclr.torch.step()  # +
    print(test(test_loader))
