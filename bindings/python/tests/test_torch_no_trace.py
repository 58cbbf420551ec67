"""The range test and a state, on models, optimizers and loaders of many kinds: training goes on as if nothing had been."""

import copy
from typing import ClassVar

import cyclr
import pytest

torch = pytest.importorskip("torch")

import cyclr.torch  # noqa: E402
from cyclr.torch._state import capture_random, restore_random  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402
from torch.utils.data import DataLoader, IterableDataset, RandomSampler, TensorDataset  # noqa: E402

SWEEP = {"sweep": cyclr.Sweep(1e-3, 0.1, 20), "repeats": 2}


def data(examples=96):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (examples,), generator=generator)
    return TensorDataset(torch.randn(examples, 8, generator=generator) + torch.eye(4, 8)[labels] * 3, labels)


def net():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 4))


def shuffled(**settings):
    return DataLoader(data(), 16, shuffle=True, generator=torch.Generator().manual_seed(2), **settings)


def train(model, optimizer, loader, updates=8):
    """The losses of some updates in a plain loop."""
    losses = []
    while len(losses) < updates:
        for inputs, labels in loader:

            def closure(inputs=inputs, labels=labels):
                optimizer.zero_grad()
                loss = cross_entropy(model(inputs), labels)
                loss.backward()
                return loss

            losses.append(float(optimizer.step(closure)))
    return losses


def check(make, loader=shuffled, step=None, **settings):
    """Training goes on after a range test as it would have gone on without, to the bit."""
    straight, tested = make(), make()
    loaders = loader(), loader()
    assert train(*straight, loaders[0]) == train(*tested, loaders[1])
    own = step(*tested) if step else None
    found = cyclr.torch.range_test(*tested, cross_entropy, loaders[1], step=own, **{**SWEEP, **settings})
    assert found.curves[0].loss[0] > 0 and len(found.curves) == 2
    assert train(*tested, loaders[1]) == train(*straight, loaders[0])
    for one, other in zip(straight[0].state_dict().values(), tested[0].state_dict().values()):
        assert torch.equal(one, other)


OPTIMIZERS = [
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {"foreach": True}),
    ("NAdam", {}),
    ("RAdam", {}),
    ("Adamax", {}),
    ("Adagrad", {}),
    ("Adadelta", {}),
    ("Adafactor", {}),
    ("ASGD", {}),
    ("RMSprop", {"momentum": 0.5, "centered": True}),
    ("Rprop", {}),
]


@pytest.mark.parametrize(("name", "settings"), OPTIMIZERS)
def test_every_optimizer_of_torch_goes_on(name, settings):
    if not hasattr(torch.optim, name):
        pytest.skip(f"this torch has no {name}")

    def make():
        model = net()
        return model, getattr(torch.optim, name)(model.parameters(), lr=0.01, **settings)

    check(make)


def test_lbfgs_needs_a_step_of_ones_own_and_goes_on():
    def make():
        model = net()
        return model, torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)

    with pytest.raises(cyclr.CyclrError, match=r"LBFGS.*step="):
        cyclr.torch.range_test(*make(), cross_entropy, shuffled(), **SWEEP)

    def own(model, optimizer):
        return lambda batch: {"loss": train(model, optimizer, [batch], 1)[0], "count": len(batch[1])}

    check(make, step=own)


class Counting(torch.optim.SGD):
    """Keeps something that belongs to no weight, and something that is no tensor."""

    def step(self, closure=None):
        loss = super().step(closure)
        whole = self.state["whole"]
        whole["updates"] = whole.get("updates", 0) + 1
        whole.setdefault("seen", set()).add(whole["updates"])
        for group in self.param_groups:
            group["lr"] = 0.1 / (1 + len(whole["seen"]))
        return loss


def test_what_an_optimizer_keeps_beside_its_weights_goes_on():
    def make():
        model = net()
        return model, Counting(model.parameters(), lr=0.1)

    check(make)
    model, optimizer = make()
    train(model, optimizer, shuffled())
    cyclr.torch.range_test(model, optimizer, cross_entropy, shuffled(), **SWEEP)
    assert optimizer.state["whole"] == {"updates": 12, "seen": set(range(1, 13))}


def test_tied_and_frozen_weights_go_on():
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = net()
            self.head = torch.nn.Linear(4, 4)
            self.again = torch.nn.Linear(4, 4)
            self.again.weight = self.head.weight
            self.body[0].requires_grad_(False)
            self.body[1].eval()

        def forward(self, x):
            return self.again(self.head(self.body(x)))

    def make():
        torch.manual_seed(1)
        model = Tied()
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        return model, torch.optim.Adam(trained, lr=0.01)

    check(make)
    model, optimizer = make()
    cyclr.torch.range_test(model, optimizer, cross_entropy, shuffled(), **SWEEP)
    assert model.again.weight is model.head.weight and not model.body[1].training
    assert model.body[0].weight.grad is None and not model.body[0].weight.requires_grad


@pytest.mark.parametrize("kept", ["sparse", "none"])
def test_sparse_embeddings_go_on(kept):
    words = TensorDataset(torch.arange(96).reshape(-1, 2) % 10, torch.arange(48) % 4)

    def loader():
        return DataLoader(words, 8, shuffle=True, generator=torch.Generator().manual_seed(2))

    def make():
        torch.manual_seed(1)
        table = torch.nn.Embedding(10, 4, sparse=True)
        model = torch.nn.Sequential(table, torch.nn.Flatten(), torch.nn.Linear(8, 4))
        head = torch.optim.SGD(model[2].parameters(), lr=0.01, momentum=0.9)
        return model, [torch.optim.SparseAdam(table.parameters(), lr=0.01), head]

    def run(model, optimizers, batches):
        losses = []
        for inputs, labels in batches:
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss = cross_entropy(model(inputs), labels)
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            losses.append(loss.item())
        return losses

    straight, tested = make(), make()
    batches = loader(), loader()
    assert run(*straight, batches[0]) == run(*tested, batches[1])
    if kept == "none":
        for optimizer in tested[1]:
            optimizer.zero_grad()
    gradients = [None if w.grad is None else w.grad.to_dense().clone() for w in tested[0].parameters()]
    cyclr.torch.range_test(*tested, cross_entropy, batches[1], **SWEEP)
    for weight, gradient in zip(tested[0].parameters(), gradients):
        assert (weight.grad is None) == (gradient is None)
        assert gradient is None or torch.equal(weight.grad.to_dense(), gradient)
    assert run(*straight, batches[0]) == run(*tested, batches[1])


def adam():
    model = net()
    return model, torch.optim.Adam(model.parameters(), lr=0.01)


class Stream(IterableDataset):
    def __iter__(self):
        yield from data()


LOADERS = {
    "two workers": lambda: shuffled(num_workers=2),
    "workers that persist": lambda: shuffled(num_workers=2, persistent_workers=True),
    "the global generator": lambda: DataLoader(data(), 16, shuffle=True),
    "with replacement": lambda: DataLoader(
        data(), 16, sampler=RandomSampler(data(), True, 96, torch.Generator().manual_seed(5))
    ),
    "a list": lambda: [data()[k * 16 : k * 16 + 16] for k in range(6)],
}


@pytest.mark.parametrize("name", LOADERS)
def test_the_order_of_every_loader_goes_on(name):
    def make():
        made = adam()
        torch.manual_seed(3)
        return made

    if name == "the global generator":
        model, optimizer = make()
        loader = LOADERS[name]()
        torch.manual_seed(4)
        straight = train(*copies(model, optimizer), loader)
        torch.manual_seed(4)
        cyclr.torch.range_test(model, optimizer, cross_entropy, loader, **SWEEP)
        assert train(model, optimizer, loader) == straight
    else:
        check(make, loader=LOADERS[name])


def copies(model, optimizer):
    return copy.deepcopy((model, optimizer))


def test_the_order_goes_on_within_a_pass():
    loader = shuffled()
    rest = list(loader)[3:]
    loader = shuffled()
    batches = iter(loader)
    for _ in range(3):
        next(batches)
    cyclr.torch.range_test(*adam(), cross_entropy, loader, **SWEEP)
    assert all(torch.equal(ours[0], theirs[0]) for ours, theirs in zip(batches, rest))


def test_a_stream_needs_to_be_told_how_long_it_is():
    stream = DataLoader(Stream(), 16)
    with pytest.raises(ValueError, match="say examples="):
        cyclr.torch.range_test(*adam(), cross_entropy, stream, **SWEEP)
    check(adam, loader=lambda: DataLoader(Stream(), 16), examples=96)
    with pytest.raises(ValueError, match=r"validation.*how many examples"):
        cyclr.torch.range_test(*adam(), cross_entropy, shuffled(), validation=stream, validation_points=5, **SWEEP)


def test_a_compiled_model_goes_on():
    def make():
        model, optimizer = adam()
        return torch.compile(model, backend="eager"), optimizer

    check(make)


class Broken(torch.utils.data.Dataset):
    reads: ClassVar = []

    def __len__(self):
        return 96

    def __getitem__(self, index):
        self.reads.append(index)
        if len(self.reads) == 500:
            raise OSError("the disk is gone")
        return data()[index]


def test_after_an_exception_of_the_loader_or_ctrl_c_it_goes_on():
    def make():
        model = net()
        return model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def interrupted(outputs, labels):
        raise KeyboardInterrupt

    straight, tested = make(), make()
    loader = DataLoader(Broken(), 16, shuffle=True, generator=torch.Generator().manual_seed(2))
    for loss_fn, error in [(cross_entropy, OSError), (interrupted, KeyboardInterrupt)]:
        with pytest.raises(error):
            cyclr.torch.range_test(*tested, loss_fn, loader, **SWEEP)
    assert train(*tested, loader) == train(*straight, shuffled())


def test_the_generators_of_gpus_are_put_back(monkeypatch):
    """Without a GPU: stand-ins for what torch asks of it, and so not through a loader, which asks more."""
    generators = [torch.arange(16, dtype=torch.uint8), torch.zeros(16, dtype=torch.uint8)]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [state.clone() for state in generators])
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", lambda states: generators.__setitem__(slice(None), states))
    state = capture_random()
    for generator in generators:
        generator += 1
    restore_random(state)
    assert generators[0].tolist() == list(range(16)) and generators[1].sum() == 0


def test_a_warning_of_torch_is_not_lost():
    model, optimizer = adam()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5)
    cyclr.torch.range_test(model, optimizer, cross_entropy, shuffled(), **SWEEP)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()


def test_a_figure_of_ones_own_has_the_direction_it_says():
    model, optimizer = adam()

    def step(batch):
        loss = train(model, optimizer, [batch], 1)[0]
        return [cyclr.Metric.loss(loss, 16), cyclr.Metric("likelihood", 2.718281828**-loss, 16, "higher")]

    found = cyclr.torch.range_test(model, optimizer, None, shuffled(), step=step, **SWEEP)
    assert found.curves[0].direction == "higher" and 0 < found.curves[0].figure[0] < 1

    def mute(batch):
        return {"loss": train(model, optimizer, [batch], 1)[0], "f1": 0.5}

    with pytest.raises(ValueError, match=r"`f1`.*Metric\("):
        cyclr.torch.range_test(model, optimizer, None, shuffled(), step=mute, **SWEEP)
