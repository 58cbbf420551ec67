"""The range test and a state, on models, optimizers and loaders of many kinds: training goes on as if nothing had been."""

import copy
import random
import signal
from types import SimpleNamespace
from typing import ClassVar

import cyclr
import pytest

torch = pytest.importorskip("torch")
numpy = pytest.importorskip("numpy")

import cyclr.torch  # noqa: E402
from cyclr.torch import _range_test, _state  # noqa: E402
from cyclr.torch._groups import Groups  # noqa: E402
from cyclr.torch._state import (  # noqa: E402
    capture_model,
    capture_optimizer,
    capture_random,
    restore_model,
    restore_optimizer,
    restore_random,
)
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
    settings = {**SWEEP, **settings}
    found = cyclr.torch.range_test(*tested, cross_entropy, loaders[1], step=own, **settings)
    assert found.curves[0].loss[0] > 0 and len(found.curves) == settings["repeats"]
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


class Counted(torch.optim.SGD):
    """Warms up by a number of its own."""

    def __init__(self, weights, lr):
        super().__init__(weights, lr)
        self._made = 0

    def step(self, closure=None):
        self._made += 1
        self.param_groups[0]["lr"] *= min(1, self._made / 9)
        return super().step(closure)


class Cooling(torch.nn.Linear):
    """Counts its calls in training, and divides by a number of NumPy's that follows from them."""

    _calls, heat = 0, 1.0

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self._calls, self.heat = 0, 1.0
        self.register_buffer("scale", torch.ones(1).expand(sizes[1]))

    def forward(self, inputs):
        if self.training:
            self._calls += 1
            self.heat = numpy.exp(-0.01 * self._calls)
        return super().forward(inputs) * self.scale / self.heat


def counting():
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), Cooling(8, 4))
    return model, Counted(model.parameters(), lr=0.1)


def test_numbers_of_modules_and_optimizers_and_expanded_buffers_go_on():
    check(counting)
    model, optimizer = counting()
    cyclr.torch.range_test(model, optimizer, cross_entropy, shuffled(), **SWEEP)
    assert (model[1]._calls, model[1].heat, optimizer._made) == (0, 1.0, 0)
    assert model[1].scale.stride() == (0,)


def test_numbers_of_modules_and_optimizers_belong_to_the_state():
    first, second = trainer_of(counting), trainer_of(counting)
    first.updates([cyclr.Hyper(0.01)] * 4)
    state = first.state()
    straight = first.updates([cyclr.Hyper(0.01)] * 8)
    second.restore(state)
    assert second.updates([cyclr.Hyper(0.01)] * 8) == straight


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
        # A list has one order, and so there is one repeat.
        check(make, loader=LOADERS[name], repeats=1 if name == "a list" else 2)


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
    with pytest.raises(ValueError, match="give examples="):
        cyclr.torch.range_test(*adam(), cross_entropy, stream, **SWEEP)
    check(adam, loader=lambda: DataLoader(Stream(), 16), examples=96, repeats=1)
    # A held-out stream is counted by going through it once.
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


class Lazy(torch.nn.Module):
    """Changes what it holds in its first forward pass."""

    def __init__(self, change):
        super().__init__()
        self.register_buffer("passing", torch.ones(4))
        self.change, self.is_changed = change, False

    def forward(self, x):
        if not self.is_changed:
            self.is_changed = True
            self.change(self)
        return x


CHANGES = {
    "a buffer comes": lambda module: module.register_buffer("table", torch.ones(4), persistent=False),
    "a buffer goes": lambda module: module.__delattr__("passing"),
    "a buffer becomes another": lambda module: setattr(module, "passing", torch.zeros(2, 2)),
    "a parameter comes": lambda module: module.register_parameter("scale", torch.nn.Parameter(torch.ones(4))),
    "a module comes": lambda module: module.add_module("late", torch.nn.Linear(2, 2)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_first_forward_pass_changes_is_undone(name):
    model = torch.nn.Sequential(*net(), Lazy(CHANGES[name]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    held = {name: (tensor, tensor.clone()) for name, tensor in [*model.named_parameters(), *model.named_buffers()]}
    modules, generator = list(model.named_modules()), torch.get_rng_state()
    found = cyclr.torch.range_test(model, optimizer, cross_entropy, shuffled(), **SWEEP)
    assert len(found.curves) == 2
    after = dict([*model.named_parameters(), *model.named_buffers()])
    assert list(after) == list(held) and list(model.named_modules()) == modules
    for name, (tensor, value) in held.items():
        assert after[name] is tensor and torch.equal(tensor, value)
    assert optimizer.param_groups[0]["lr"] == 0.05 and torch.equal(generator, torch.get_rng_state())


def test_a_parameter_without_a_shape_is_refused():
    model = torch.nn.Sequential(torch.nn.LazyLinear(4))
    with pytest.raises(cyclr.CyclrError, match=r"0\.weight has no shape yet: call the model on a batch first"):
        cyclr.torch.range_test(model, torch.optim.SGD(model.parameters(), lr=0.1), cross_entropy, shuffled(), **SWEEP)


class BrokenScaler:
    """Cannot be put back."""

    def scale(self, loss):
        return loss

    def step(self, optimizer):
        optimizer.step()

    def update(self):
        pass

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        raise ArithmeticError("the scaler is broken")


def test_each_part_is_put_back_by_itself_and_the_failure_raised_afterwards(monkeypatch):
    model, optimizer = adam()
    before = [weight.clone() for weight in model.parameters()]
    torch.manual_seed(7)
    generator = torch.get_rng_state()

    def fail(loader, state):
        raise OSError("the loader is broken")

    monkeypatch.setattr(_state, "restore_order", fail)
    with pytest.raises(ValueError, match="not everything was restored: the scaler is broken; the loader is broken"):
        cyclr.torch.range_test(model, optimizer, cross_entropy, shuffled(), scaler=BrokenScaler(), **SWEEP)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))
    assert optimizer.param_groups[0]["lr"] == 0.01 and not optimizer.state
    assert torch.equal(generator, torch.get_rng_state())


@pytest.fixture
def interruptible():
    """The processes of pytest-xdist ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("is_interrupted_in_the_sweep", [True, False])
def test_an_interrupt_while_it_is_put_back_waits(monkeypatch, is_interrupted_in_the_sweep):
    model, optimizer = adam()
    before = [weight.clone() for weight in model.parameters()]
    torch.manual_seed(7)
    generator, random_before = torch.get_rng_state(), random.getstate()
    handler, calls, ends = signal.getsignal(signal.SIGINT), [], []

    def loss_fn(outputs, labels):
        calls.append(1)
        if is_interrupted_in_the_sweep and len(calls) == 30:
            torch.set_grad_enabled(False)
            signal.raise_signal(signal.SIGINT)
        return cross_entropy(outputs, labels)

    def put_back(self, put=_range_test._Start.put_back):
        ends.append(1)
        put(self)

    def restore(loader, state, put=_state.restore_order):
        if ends:
            signal.raise_signal(signal.SIGINT)
        put(loader, state)

    monkeypatch.setattr(_range_test._Start, "put_back", put_back)
    monkeypatch.setattr(_state, "restore_order", restore)
    with pytest.raises(KeyboardInterrupt):
        cyclr.torch.range_test(model, optimizer, loss_fn, shuffled(), **SWEEP)
    assert len(ends) == 1
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))
    assert optimizer.param_groups[0]["lr"] == 0.01 and not optimizer.state
    assert torch.equal(generator, torch.get_rng_state()) and random.getstate() == random_before
    assert signal.getsignal(signal.SIGINT) is handler and torch.is_grad_enabled()


class Averaging(torch.optim.SGD):
    """Trains at one point and is measured at another, the mean of all, as schedule-free optimizers are."""

    def __init__(self, weights, **settings):
        super().__init__(weights, **settings)
        for group in self.param_groups:
            group["train_mode"] = True

    def step(self, closure=None):
        assert all(group["train_mode"] for group in self.param_groups), "call train() first"
        loss = super().step(closure)
        for weight in self.weights():
            state = self.state[weight]
            state["count"] = state.get("count", 0) + 1
            mean = state.setdefault("mean", weight.detach().clone())
            mean += (weight.detach() - mean) / state["count"]
        return loss

    def weights(self):
        return [weight for group in self.param_groups for weight in group["params"]]

    @torch.no_grad()
    def eval(self):
        for weight in self.weights():
            if "mean" in self.state[weight]:
                self.state[weight]["gap"] = weight - self.state[weight]["mean"]
                weight.copy_(self.state[weight]["mean"])
        self.param_groups[0]["train_mode"] = False

    @torch.no_grad()
    def train(self):
        for weight in self.weights():
            if not self.param_groups[0]["train_mode"] and "gap" in self.state[weight]:
                weight += self.state[weight].pop("gap")
        self.param_groups[0]["train_mode"] = True


def test_an_optimizer_with_modes_is_measured_at_its_average():
    def trainer():
        model = net()
        optimizer = Averaging(model.parameters(), lr=0.1)
        return cyclr.torch.Trainer(model, optimizer, cross_entropy, shuffled(), validation=DataLoader(data(), 96))

    measured, straight = trainer(), trainer()
    rates = [cyclr.Hyper(0.1)] * 7
    assert measured.updates(rates) == straight.updates(rates)
    loss = measured.evaluate("validation").metrics[0].value
    average = copy.deepcopy(measured.model).eval()
    with torch.no_grad():
        for weight, there in zip(average.parameters(), measured.optimizers[0].weights()):
            weight.copy_(measured.optimizers[0].state[there]["mean"])
        assert loss == pytest.approx(cross_entropy(average(data().tensors[0]), data().tensors[1]).item())
    assert measured.updates(rates) == straight.updates(rates)
    for one, other in zip(measured.model.parameters(), straight.model.parameters()):
        assert torch.equal(one, other)


def test_a_range_test_of_an_optimizer_with_modes_begins_in_either():
    model = net()
    optimizer = Averaging(model.parameters(), lr=0.1)
    train(model, optimizer, shuffled())
    optimizer.eval()
    before = [weight.clone() for weight in model.parameters()]
    cyclr.torch.range_test(model, optimizer, cross_entropy, shuffled(), **SWEEP)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))
    assert not optimizer.param_groups[0]["train_mode"]


class Outer(torch.optim.Optimizer):
    """Leaves its update to an optimizer that it holds, which has the momentum."""

    def __init__(self, weights, **settings):
        super().__init__(weights, settings)
        self.inner = torch.optim.SGD(self.param_groups, momentum=0.9, **settings)
        self.param_groups = self.inner.param_groups

    def step(self, closure=None):
        return self.inner.step(closure)


def test_what_an_optimizer_holds_goes_on():
    def make():
        model = net()
        return model, Outer(model.parameters(), lr=0.1)

    check(make)


def trainer_of(make, **settings):
    return cyclr.torch.Trainer(*make(), cross_entropy, shuffled(), **settings)


class Tempered(torch.nn.Module):
    """A loss that is trained itself, and counts."""

    def __init__(self):
        super().__init__()
        self.heat = torch.nn.Parameter(torch.zeros(()))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, outputs, labels):
        self.calls += 1
        return cross_entropy(outputs * self.heat.exp(), labels)


def beside(loss, scale):
    """A trainer whose optimizer has more weights than the model."""
    model = net()
    optimizer = torch.optim.SGD([*model.parameters(), *loss.parameters(), scale], lr=0.1, momentum=0.9)
    return cyclr.torch.Trainer(model, optimizer, loss, shuffled())


def test_what_is_trained_beside_the_model_is_left_without_a_trace():
    loss, scale = Tempered(), torch.nn.Parameter(torch.ones(()))
    trainer = beside(loss, scale)
    scale.grad = torch.tensor(0.5)
    cyclr.torch.range_test(trainer.model, trainer.optimizers, loss, trainer.loader, **SWEEP)
    assert (loss.heat.item(), loss.heat.grad, loss.calls.item(), scale.item()) == (0, None, 0, 1)
    assert scale.grad.item() == 0.5


def test_what_is_trained_beside_the_model_belongs_to_the_state():
    first, second = (beside(Tempered(), torch.nn.Parameter(torch.ones(()))) for _ in range(2))
    first.updates([cyclr.Hyper(0.1)] * 8)
    state = first.state()
    straight = first.updates([cyclr.Hyper(0.1)] * 8)
    second.restore(state)
    assert second.updates([cyclr.Hyper(0.1)] * 8) == straight
    with pytest.raises(ValueError, match="1 of its weights are the optimizers' and not the model's, and here 1 are"):
        beside(Tempered(), torch.nn.Parameter(torch.ones(2))).restore(state)


def test_an_evaluation_of_ones_own_leaves_no_gradients():
    def propagated(split):
        with torch.enable_grad():
            loss = trainer.model(data().tensors[0]).square().mean()
            loss.backward()
        return {"loss": loss.item()}

    trainer = trainer_of(adam, validation=shuffled(), evaluate=propagated)
    trainer.updates([cyclr.Hyper(0.01)])
    before = [weight.grad.clone() for weight in trainer.model.parameters()]
    trainer.evaluate("validation")
    assert all(torch.equal(weight.grad, one) for weight, one in zip(trainer.model.parameters(), before))


def test_an_evaluation_leaves_gradients_that_are_parts_of_a_buffer():
    """As those of torch's DistributedDataParallel, which writes to the buffer itself."""
    trainer = trainer_of(adam, validation=shuffled(), evaluate=lambda split: {"loss": float(buffer.fill_(7).sum())})
    trainer.updates([cyclr.Hyper(0.01)])
    weights = list(trainer.model.parameters())
    buffer = torch.cat([weight.grad.flatten() for weight in weights])
    before = buffer.clone()
    for weight, part in zip(weights, buffer.split([weight.numel() for weight in weights])):
        weight.grad = part.view_as(weight)
    trainer.evaluate("validation")
    assert torch.equal(buffer, before) and all(weight.grad._base is buffer for weight in weights)


def test_a_state_is_read_without_running_what_is_in_it(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    import io

    file = io.BytesIO()
    torch.save(Payload(), file)
    with pytest.raises(cyclr.CyclrError, match=r"add_safe_globals"):
        trainer_of(adam).restore(file.getvalue())
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize(("name", "settings"), OPTIMIZERS)
def test_a_state_of_every_optimizer_goes_on(name, settings):
    if not hasattr(torch.optim, name):
        pytest.skip(f"this torch has no {name}")

    def make():
        model = net()
        return model, getattr(torch.optim, name)(model.parameters(), lr=0.01, **settings)

    first, second = trainer_of(make), trainer_of(make)
    first.updates([cyclr.Hyper(0.01)] * 8)
    state = first.state()
    straight = [first.updates([cyclr.Hyper(0.01)] * 8), random.random(), numpy.random.random()]
    second.restore(state)
    assert [second.updates([cyclr.Hyper(0.01)] * 8), random.random(), numpy.random.random()] == straight


def test_a_state_brings_a_buffer_that_is_registered_later_and_refuses_another_model():
    def make(change="a buffer comes"):
        model = torch.nn.Sequential(*net(), Lazy(CHANGES[change]))
        return model, torch.optim.SGD(list(model.parameters()), lr=0.01)

    first, second = trainer_of(make), trainer_of(make)
    first.updates([cyclr.Hyper(0.01)] * 2)
    second.restore(first.state())
    assert torch.equal(second.model[4].table, torch.ones(4)) and "4.table" not in second.model.state_dict()
    fresh = trainer_of(make).state()
    second.restore(fresh)
    assert not hasattr(second.model[4], "table")
    with pytest.raises(ValueError, match="has a module '4', and this one has none"):
        trainer_of(adam).restore(fresh)
    other = trainer_of(lambda: make("a parameter comes"))
    other.updates([cyclr.Hyper(0.01)])
    with pytest.raises(ValueError, match=r"it has no parameter 4\.scale"):
        other.restore(fresh)


def keyed(*names):
    inputs, labels = data().tensors
    columns = {"x": inputs, "labels": labels, "others": inputs}
    return DataLoader([{name: columns[name][k] for name in names} for k in range(96)], 16, shuffle=True)


class Keyed(torch.nn.Module):
    """Takes its arguments by name, and returns what models of Hugging Face do."""

    def __init__(self):
        super().__init__()
        self.net = net()

    def forward(self, x, labels=None):
        logits = self.net(x)
        loss = None if labels is None else cross_entropy(logits, labels)
        return SimpleNamespace(loss=loss, logits=logits)


def test_batches_may_be_mappings_and_outputs_those_of_hugging_face():
    curves = []
    for model, loss_fn, loader in [
        (net(), cross_entropy, DataLoader(data(), 16, shuffle=True)),
        (Keyed(), cross_entropy, keyed("x", "labels")),
        (Keyed(), None, keyed("x", "labels")),
    ]:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        before = [weight.clone() for weight in model.parameters()]
        curves.append(cyclr.torch.range_test(model, optimizer, loss_fn, loader, **SWEEP).curves)
        assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))
    assert curves[1] == curves[0] and curves[2] == curves[0] and curves[0][0].figure


@pytest.mark.parametrize(
    ("make", "loss_fn", "loader", "message"),
    [
        (net, cross_entropy, keyed("x"), "a mapping with x, which has no `labels`"),
        (
            Keyed,
            cross_entropy,
            keyed("x", "others", "labels"),
            r"a mapping with x, others, and the model takes .*step=",
        ),
        (Keyed, None, keyed("x"), "neither a loss_fn nor a step.*holds no loss"),
        (net, None, DataLoader(data(), 16), "neither a loss_fn nor a step.*a Tensor, holds no loss"),
        (
            net,
            cross_entropy,
            DataLoader(TensorDataset(*data().tensors, data().tensors[1]), 16),
            "of 3: the loader must",
        ),
        (net, cross_entropy, DataLoader(data().tensors[0], 16), r"a Tensor: the loader must give pairs.*step="),
    ],
)
def test_other_batches_are_refused_with_what_to_give(make, loss_fn, loader, message):
    model = make()
    with pytest.raises(cyclr.CyclrError, match=message):
        cyclr.torch.range_test(model, torch.optim.SGD(model.parameters(), lr=0.1), loss_fn, loader, **SWEEP)


def test_repeats_that_are_one_and_the_same_are_refused():
    inputs = torch.randn(640, 8, generator=torch.Generator().manual_seed(0))
    labels = (inputs @ torch.randn(8, 3, generator=torch.Generator().manual_seed(1))).argmax(1)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loader = DataLoader(TensorDataset(inputs, labels), 32)
    sweep = cyclr.Sweep(1e-3, 1, 200, "exponential")
    with pytest.raises(cyclr.CyclrError, match="the seed is not obeyed: the runs of seed 0 and seed 1"):
        cyclr.torch.range_test(model, optimizer, cross_entropy, loader, sweep=sweep, repeats=3)
    assert len(cyclr.torch.range_test(model, optimizer, cross_entropy, loader, sweep=sweep, repeats=1).curves) == 1


def test_a_group_that_a_step_adds_goes_again():
    model, optimizer = adam()
    before = [weight.clone() for weight in model.parameters()]

    def step(batch):
        if len(optimizer.param_groups) == 1:
            optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.5})
            optimizer.param_groups[0]["params"].append(torch.nn.Parameter(torch.ones(1)))
        return {"loss": train(model, optimizer, [batch], 1)[0], "count": 16}

    with pytest.warns(UserWarning, match="a group was added to Adam"):
        cyclr.torch.range_test(model, optimizer, None, shuffled(), step=step, **SWEEP)
    assert [len(group["params"]) for group in optimizer.param_groups] == [6]
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters())) and not optimizer.state


def test_a_state_of_another_optimizer_is_refused():
    state = trainer_of(adam).state()

    def of_head():
        model = net()
        return model, torch.optim.Adam(model[3].parameters(), lr=0.01)

    def of_two():
        model = net()
        return model, [torch.optim.Adam(model[0].parameters()), torch.optim.Adam(model[3].parameters())]

    with pytest.raises(ValueError, match=r"groups of \[6\] parameters, and Adam has groups of \[2\]"):
        trainer_of(of_head).restore(state)
    with pytest.raises(ValueError, match=r"with 1 optimizers and 1 loaders: here are 2 and 1"):
        trainer_of(of_two).restore(state)


class Passes(torch.nn.Linear):
    """Counts its passes in what torch calls extra state."""

    def __init__(self):
        super().__init__(8, 8)
        self.passes = 0

    def forward(self, x):
        self.passes += 1
        return super().forward(x)

    def get_extra_state(self):
        return {"passes": self.passes}

    def set_extra_state(self, state):
        self.passes = state["passes"]


def test_extra_state_of_a_module_goes_on():
    model = Passes()
    model(torch.ones(1, 8))
    state = capture_model(model)
    model(torch.ones(1, 8))
    restore_model(model, state)
    assert model.passes == 1


@pytest.mark.parametrize(("capturable", "device"), [(False, "cpu"), (True, "meta")])
def test_a_count_of_steps_is_put_where_the_optimizer_counts(capturable, device):
    """As `Optimizer.load_state_dict` does; from a file it comes to the CPU."""
    weight = torch.nn.Parameter(torch.ones(2, device="meta"))
    optimizer = torch.optim.Adam([weight], capturable=capturable)
    optimizer.state[weight] = {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2)}
    restore_optimizer(optimizer, capture_optimizer(optimizer))
    state = optimizer.state[weight]
    assert (state["step"].device.type, state["exp_avg"].device.type) == (device, "meta")


def test_groups_without_weight_decay_stay_so():
    """Whichever comes first."""
    for decays in ([0.0, 0.1, 0.2], [0.1, 0.0, 0.2]):
        groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "weight_decay": decay} for decay in decays]
        optimizer = torch.optim.SGD(groups, lr=0.1)
        Groups([optimizer]).set(cyclr.Hyper(0.1, weight_decay=0.5))
        found = [group["weight_decay"] for group in optimizer.param_groups]
        assert found == pytest.approx([5 * decay for decay in decays])
