import pathlib
import pickle
import random
import subprocess
import sys

import cyclr
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import cyclr.torch  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402


def data(examples=512, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (examples,), generator=generator)
    return TensorDataset(torch.randn(examples, 8, generator=generator) + torch.eye(4, 8)[labels] * 3, labels)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Linear(8, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Dropout(0.1)
        )
        self.head = torch.nn.Linear(16, 4)
        self.register_buffer("seen", torch.zeros(()), persistent=False)

    def forward(self, x):
        self.seen = self.seen + 1
        return self.head(self.body(x))


class Training:
    """A script in mid-training, with all that a range test could disturb."""

    def __init__(self, optimizer=torch.optim.Adam, loader=None, **settings):
        random.seed(1)
        np.random.seed(2)
        torch.manual_seed(3)
        self.model = Net()
        groups = [{"params": self.model.body.parameters()}, {"params": self.model.head.parameters(), "lr": 0.02}]
        self.optimizer = optimizer(groups, lr=0.01, **settings)
        self.loader = loader or DataLoader(data(), 32, shuffle=True, generator=torch.Generator().manual_seed(4))
        self.scheduler = cyclr.torch.CyclicLR(self.optimizer, 0.001, 0.01, 5, cycle_momentum=False)
        self.scaler = torch.amp.GradScaler("cpu", enabled=False)
        self.train(20)

    def train(self, updates):
        losses = []
        self.model.train()
        while len(losses) < updates:
            for inputs, labels in self.loader:
                self.optimizer.zero_grad()
                loss = cross_entropy(self.model(inputs), labels)
                loss.backward()
                self.optimizer.step()
                self.scheduler.step()
                losses.append(loss.item())
        return [*losses, random.random(), np.random.random(), torch.rand(1).item()]

    def everything(self):
        return pickle.dumps(
            [
                [tensor.numpy().tobytes() for tensor in [*self.model.state_dict().values(), self.model.seen]],
                [weight.grad.numpy().tobytes() for weight in self.model.parameters()],
                [module.training for module in self.model.modules()],
                repr(self.optimizer.state_dict()),
                random.getstate(),
                repr(np.random.get_state()),
                torch.get_rng_state().numpy().tobytes(),
                self.loader.generator.get_state().numpy().tobytes() if self.loader.generator else None,
            ]
        )

    def test(self, **settings):
        given = {"updates": None if "sweep" in settings else 300, **settings}
        return cyclr.torch.range_test(self.model, self.optimizer, cross_entropy, self.loader, **given)


def test_it_finds_bounds_and_leaves_no_trace():
    straight = Training().train(40)
    tested = Training()
    before = tested.everything()
    found = tested.test(updates=900)
    assert found.given_weights and found.updates <= 900
    assert tested.everything() == before
    assert tested.train(40) == straight
    assert len(found.curves) == 1 and len(found.probes) >= 5


def test_from_new_weights_it_is_reliable():
    def reset(model):
        for module in model.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()

    training = Training(torch.optim.SGD, momentum=0.9)
    before = training.everything()
    found = training.test(updates=900, reset=reset)
    assert training.everything() == before
    bounds = found.bounds
    assert bounds is not None and not found.given_weights
    assert bounds.base_lr.low <= bounds.base_lr.value < bounds.max_lr.value <= bounds.max_lr.high
    assert found.curves[0].count[0] == 32 and found.curves[0].figure


def test_after_an_exception_everything_is_as_before():
    training = Training()
    before = training.everything()
    calls = []

    def loss_fn(outputs, labels):
        calls.append(1)
        if len(calls) == 70:
            raise ArithmeticError("in mid-sweep")
        return cross_entropy(outputs, labels)

    with pytest.raises(ArithmeticError, match="in mid-sweep"):
        cyclr.torch.range_test(training.model, training.optimizer, loss_fn, training.loader, updates=300)
    assert training.everything() == before
    assert training.train(10) == Training().train(10)


def test_not_a_number_stops_the_sweep():
    training = Training()
    before = training.everything()

    def loss_fn(outputs, labels):
        rate = training.optimizer.param_groups[0]["lr"]
        return cross_entropy(outputs, labels) * (float("nan") if rate > 1e-3 else 1.0)

    found = cyclr.torch.range_test(training.model, training.optimizer, loss_fn, training.loader, updates=300)
    assert all(curve.diverged < 5e-3 for curve in found.curves)
    diverged = [probe.lr for probe in found.probes if probe.loss is None]
    assert diverged and min(diverged) > 1e-3
    assert found.bounds is None or found.bounds.max_lr.value <= 1e-3
    assert training.everything() == before


def test_groups_keep_their_factors():
    rates = []
    training = Training()

    def loss_fn(outputs, labels):
        rates.append([group["lr"] for group in training.optimizer.param_groups])
        return cross_entropy(outputs, labels)

    training.optimizer.param_groups[0]["initial_lr"], training.optimizer.param_groups[1]["initial_lr"] = 0.01, 0.02
    found = cyclr.torch.range_test(training.model, training.optimizer, loss_fn, training.loader, updates=300)
    assert all(second == 2 * first for first, second in rates)
    assert rates[1][0] == found.curves[0].lr[1]


def test_gradient_accumulation_equals_large_batches():
    def curve(size, accumulate):
        torch.manual_seed(0)
        model = torch.nn.Linear(8, 4)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loader = DataLoader(data(), size)
        sweep = cyclr.Sweep(0.01, 1, 30)
        found = cyclr.torch.range_test(
            model, optimizer, cross_entropy, loader, accumulate=accumulate, sweep=sweep, repeats=1
        )
        return found.curves[0]

    whole, parts = curve(64, 1), curve(16, 4)
    assert parts.count == whole.count and parts.loss == pytest.approx(whole.loss, rel=1e-4)


def test_a_scaler_is_put_back():
    training = Training()
    training.scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=3)
    autocast = torch.autocast("cpu", torch.bfloat16)
    training.test(scaler=training.scaler, autocast=autocast, sweep=cyclr.Sweep(1e-3, 0.1, 40))
    assert training.scaler.get_scale() == 8.0 and training.scaler.state_dict()["_growth_tracker"] == 0


def test_several_optimizers_and_a_step_of_ones_own():
    torch.manual_seed(0)
    model = Net()
    optimizers = [
        torch.optim.SGD(model.body.parameters(), lr=0.1, momentum=0.9),
        torch.optim.Adam(model.head.parameters(), lr=0.01),
    ]
    loader = DataLoader(data(), 32, shuffle=True)
    rates = []

    def step(batch):
        inputs, labels = batch
        loss = cross_entropy(model(inputs), labels)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in optimizers])
        return {"loss": loss.item(), "count": len(labels)}

    before = [weight.clone() for weight in model.parameters()]
    found = cyclr.torch.range_test(model, optimizers, None, loader, step=step, updates=300)
    assert all(head == pytest.approx(body / 10) for body, head in rates)
    assert all((a == b).all() for a, b in zip(before, model.parameters()))
    assert not optimizers[0].state and not optimizers[1].state
    assert found.curves[0].figure is None and found.curves[0].loss


def test_workers_that_persist_keep_their_place():
    loader = DataLoader(
        data(), 32, shuffle=True, num_workers=1, persistent_workers=True, generator=torch.Generator().manual_seed(0)
    )
    training = Training(loader=loader)
    batches = iter(training.loader)
    next(batches)
    training.test(sweep=cyclr.Sweep(1e-3, 0.1, 20), repeats=1)
    rest = list(batches)
    assert len(rest) == 15


def test_what_cannot_work_is_said():
    training = Training()
    with pytest.raises(TypeError, match="iterator"):
        cyclr.torch.range_test(training.model, training.optimizer, cross_entropy, iter(training.loader))
    with pytest.raises(ValueError, match="neither a loss_fn nor a step"):
        cyclr.torch.range_test(training.model, training.optimizer, None, training.loader)
    with pytest.raises(ValueError, match="too few"):
        training.test(updates=30)


TOGETHER = """
import datetime, os, pickle, sys
import torch, torch.distributed as dist
sys.path.insert(0, {tests!r})
from test_torch_range_test import Net, data, cross_entropy
import cyclr.torch

rank = int(sys.argv[1])
# Longer than the test waits: a process that hears of the other's end by its own patience only has failed.
patience = datetime.timedelta(seconds=600)
dist.init_process_group("gloo", init_method="file://{folder}/meet", rank=rank, world_size=2, timeout=patience)
torch.manual_seed(0)
model = torch.nn.parallel.DistributedDataParallel(Net())
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
shard = torch.utils.data.distributed.DistributedSampler(data(), 2, rank)
loader = torch.utils.data.DataLoader(data(), 32, sampler=shard)
before = [weight.clone() for weight in model.parameters()]
losses = 0

def loss_fn(outputs, labels):
    global losses
    losses += 1
    if rank == 0 and losses == {raises}:
        raise ArithmeticError("in mid-sweep")
    return cross_entropy(outputs, labels)

try:
    told = cyclr.torch.range_test(model, optimizer, loss_fn, loader, updates={updates})
except Exception as error:
    told = type(error).__name__
assert all((a == b).all() for a, b in zip(before, model.parameters())) and shard.epoch == 0
with open("{folder}/told-" + str(rank), "wb") as file:
    pickle.dump(told, file)
# An ordinary exit of Python races with the threads of gloo (pytorch/pytorch#179291), and aborts now and then.
os._exit(0)
"""


def together(folder, updates=900, raises=-1):
    """What a range test of two processes says in each."""
    tests = str(pathlib.Path(__file__).parent)
    script = folder / "together.py"
    script.write_text(TOGETHER.format(tests=tests, folder=folder, updates=updates, raises=raises))
    both = [subprocess.Popen([sys.executable, str(script), str(rank)]) for rank in range(2)]
    assert [process.wait(timeout=200) for process in both] == [0, 0]
    return [pickle.loads((folder / f"told-{rank}").read_bytes()) for rank in range(2)]


def test_all_processes_get_the_answer_of_the_first(tmp_path):
    first, second = together(tmp_path)
    assert first == second and first.curves[0].count[0] == 64


def test_all_processes_hear_that_the_first_gave_up(tmp_path):
    assert together(tmp_path, updates=30) == ["CyclrError", "TrainerError"]


def test_what_a_process_raises_in_an_update_is_raised_there(tmp_path):
    assert together(tmp_path, raises=40) == ["ArithmeticError", "RuntimeError"]
