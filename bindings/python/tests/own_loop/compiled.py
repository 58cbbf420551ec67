"""A compiled net that is served: autocast, accumulation, clipping, and a scaler so high that it skips its first updates."""

import cyclr.torch
import torch
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
inputs = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
data, held_out = (TensorDataset(part, part[:, 0].gt(0).long()) for part in (inputs[:400], inputs[400:]))


def build(run):
    net = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    model = torch.compile(net)
    return cyclr.torch.Trainer(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        torch.nn.functional.cross_entropy,
        DataLoader(data, batch_size=10, shuffle=True),
        validation=DataLoader(held_out, batch_size=100),
        accumulate=2,
        clip=1.0,
        autocast=torch.autocast("cpu", torch.bfloat16),
        scaler=torch.amp.GradScaler("cpu", init_scale=2.0**120, growth_interval=5),
    )


cyclr.torch.serve(build)
