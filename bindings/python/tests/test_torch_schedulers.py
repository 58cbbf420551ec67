import copy
import io
import pickle
import warnings

import cyclr
import pytest

torch = pytest.importorskip("torch")

import cyclr.torch  # noqa: E402
from torch.optim import lr_scheduler  # noqa: E402

CYCLIC = [
    {"step_size_up": 7},
    {"step_size_up": 7, "step_size_down": 3, "mode": "triangular2"},
    {"step_size_up": 50, "step_size_down": 1, "mode": "exp_range", "gamma": 0.97},
    {"step_size_up": 2.5, "step_size_down": 3.75},
    {"step_size_up": 6, "mode": "exp_range", "gamma": 1.01},
    {"step_size_up": 4, "scale_fn": lambda cycle: 1 / cycle},
    {"step_size_up": 4, "scale_fn": lambda update: 0.9**update, "scale_mode": "iterations"},
    {"step_size_up": 9, "base_momentum": 0.5, "max_momentum": 0.99, "mode": "triangular2"},
    {"step_size_up": 9, "base_momentum": 3, "max_momentum": 1},
    {"step_size_up": 9, "cycle_momentum": False},
    {"step_size_up": 1},
    {"step_size_up": 7, "step_size_down": 0},
    {"step_size_up": 2.5, "step_size_down": 0, "mode": "triangular2"},
    {"step_size_up": 4, "step_size_down": 0, "mode": "exp_range", "gamma": 0.97},
    {"step_size_up": 4, "step_size_down": 0, "scale_fn": lambda cycle: 1 / cycle},
]
ONE_CYCLE = [
    {"total_steps": 50},
    {"epochs": 5, "steps_per_epoch": 11},
    {"total_steps": 50, "pct_start": 0.1, "anneal_strategy": "linear"},
    {"total_steps": 60, "three_phase": True},
    {"total_steps": 61, "three_phase": True, "pct_start": 0.45, "anneal_strategy": "linear"},
    {"total_steps": 40, "div_factor": 3, "final_div_factor": 1.5, "base_momentum": 0.2, "max_momentum": 0.3},
    {"total_steps": 40, "cycle_momentum": False},
    {"total_steps": 37, "pct_start": 1.0},
    {"total_steps": 40, "base_momentum": 22, "max_momentum": 1},
    {"total_steps": 50, "pct_start": 0.04, "div_factor": 100, "final_div_factor": 0.1},
    {"total_steps": 50, "div_factor": 0.5, "final_div_factor": 3},
    {"total_steps": 50, "div_factor": 0.5, "final_div_factor": 0.25, "anneal_strategy": "linear"},
    {"total_steps": 61, "div_factor": 4, "final_div_factor": 0.1, "three_phase": True},
]
BOUNDS = [(0.001, 0.006), (0.0, 5.0), (0.3, 0.1), ([0.01, 0.1, 1.0], [0.5, 0.6, 7.0])]


def make(optimizer, **settings):
    weights = [torch.nn.Parameter(torch.ones(2)) for _ in range(3)]
    made = optimizer([{"params": [w], "lr": 0.1 * (n + 1)} for n, w in enumerate(weights)], lr=0.1, **settings)
    for weight in weights:
        weight.grad = torch.zeros(2)
    return made


def optimizers():
    return [
        lambda: make(torch.optim.SGD, momentum=0.9),
        lambda: make(torch.optim.Adam),
        lambda: make(torch.optim.AdamW, betas=(0.8, 0.95)),
    ]


def groups_of(optimizer):
    keys = ("lr", "momentum", "betas")
    return [[group[key] for key in keys if key in group] for group in optimizer.param_groups]


def flat(groups):
    return [
        number for group in groups for value in group for number in (value if isinstance(value, tuple) else [value])
    ]


def trace(scheduler, updates):
    rows = [flat(groups_of(scheduler.optimizer))]
    for _ in range(updates):
        scheduler.optimizer.step()
        scheduler.step()
        rows.append(flat(groups_of(scheduler.optimizer)))
        assert scheduler.get_last_lr() == [group["lr"] for group in scheduler.optimizer.param_groups]
    return rows


def assert_close(ours, theirs, scale):
    for update, (a, b) in enumerate(zip(ours, theirs)):
        assert a == pytest.approx(b, rel=1e-12, abs=1e-12 * scale), f"update {update}"


@pytest.mark.parametrize("optimizer", optimizers())
@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("settings", CYCLIC)
def test_cyclic_lr_equals_torchs(optimizer, bounds, settings):
    base, top = bounds
    only_sgd_takes_large_momenta(optimizer, settings)
    ours = trace(cyclr.torch.CyclicLR(optimizer(), base, top, **settings), 120)
    theirs = trace(lr_scheduler.CyclicLR(optimizer(), base, top, **settings), 120)
    assert_close(ours, theirs, 10)


@pytest.mark.parametrize("optimizer", optimizers())
@pytest.mark.parametrize("top", [0.1, [0.01, 1.0, 40.0]])
@pytest.mark.parametrize("settings", ONE_CYCLE)
def test_one_cycle_lr_equals_torchs(optimizer, top, settings):
    only_sgd_takes_large_momenta(optimizer, settings)
    updates = settings.get("total_steps", 55) - 1
    ours = trace(cyclr.torch.OneCycleLR(optimizer(), top, **settings), updates)
    theirs = trace(lr_scheduler.OneCycleLR(optimizer(), top, **settings), updates)
    assert_close(ours, theirs, 40)


def only_sgd_takes_large_momenta(optimizer, settings):
    if settings.get("base_momentum", 0) > 1 and not isinstance(optimizer(), torch.optim.SGD):
        pytest.skip("Adam cannot")


def test_arguments_are_torchs():
    import inspect

    for ours, theirs in [
        (cyclr.torch.CyclicLR, lr_scheduler.CyclicLR),
        (cyclr.torch.OneCycleLR, lr_scheduler.OneCycleLR),
    ]:
        ours, theirs = inspect.signature(ours).parameters, inspect.signature(theirs).parameters
        # Before 2.7 torch had one more, which it had deprecated.
        theirs = [(p.name, p.default) for p in theirs.values() if p.name != "verbose"]
        assert [(p.name, p.default) for p in ours.values()] == theirs


def schedulers():
    sgd, adam, _ = optimizers()
    spec = "warmup(5) then triangular2(base=0.1, max=1, step=8, momentum=0.8..0.9)"
    return [
        lambda: cyclr.torch.CyclicLR(sgd(), 0.01, 0.2, step_size_up=7, mode="triangular2"),
        lambda: cyclr.torch.CyclicLR(adam(), [0.01, 0.1, 0.2], 0.4, step_size_up=7, mode="exp_range", gamma=0.99),
        lambda: cyclr.torch.OneCycleLR(adam(), [0.1, 0.2, 0.3], total_steps=60),
        lambda: cyclr.torch.Schedule(sgd(), spec, updates=60),
        lambda: cyclr.torch.Schedule(adam(), [spec, "fixed(lr=0.1)", "rex(lr=1)"], updates=60),
    ]


@pytest.mark.parametrize("make_one", schedulers())
def test_it_resumes_in_mid_cycle_exactly(make_one):
    straight = trace(make_one(), 50)
    first = make_one()
    trace(first, 17)
    file = io.BytesIO()
    torch.save({"scheduler": first.state_dict(), "optimizer": first.optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    second = make_one()
    trace(second, 5)
    second.load_state_dict(saved["scheduler"])
    second.optimizer.load_state_dict(saved["optimizer"])
    assert trace(second, 33) == straight[17:]


@pytest.mark.parametrize("make_one", schedulers())
@pytest.mark.parametrize("clone", [lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy])
def test_it_pickles_in_mid_cycle(make_one, clone):
    straight = trace(make_one(), 50)
    first = make_one()
    trace(first, 17)
    assert trace(clone(first), 33) == straight[17:]
    assert trace(first, 33) == straight[17:]


@pytest.mark.parametrize("make_one", schedulers())
def test_it_never_runs_out(make_one):
    rows = trace(make_one(), 100)
    if not isinstance(make_one(), cyclr.torch.CyclicLR):
        assert all(row == rows[60] for row in rows[60:])


@pytest.mark.parametrize("make_one", schedulers())
def test_calls_between_updates_do_not_count(make_one):
    straight = trace(make_one(), 30)
    accumulating = make_one()
    rows = []
    for micro_batch in range(31 * 4):
        rows.append(flat(groups_of(accumulating.optimizer)))
        if micro_batch % 4 == 3:
            accumulating.optimizer.step()
        accumulating.step()
    assert rows[::4] == straight


def test_a_loop_that_trains_nothing_counts_calls():
    optimizer = make(torch.optim.SGD)
    optimizer.zero_grad()
    scheduler = cyclr.torch.Schedule(optimizer, "linear(lr=1)", updates=4)
    rates = []
    for _ in range(4):
        rates += scheduler.get_last_lr()[:1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler.step()
    assert rates == [1.0, 0.75, 0.5, 0.25]


def test_schedule_may_be_stepped_once_an_epoch():
    optimizer = make(torch.optim.SGD)
    scheduler = cyclr.torch.Schedule(optimizer, "linear(lr=1)", updates=100)
    for epoch in range(1, 11):
        for _ in range(10):
            optimizer.step()
        scheduler.step()
        assert scheduler.get_last_lr()[0] == 1 - epoch / 10


@pytest.mark.parametrize("is_fused", [False, True])
@pytest.mark.parametrize("clears_first", [False, True])
def test_updates_that_a_scaler_skips_do_not_count(is_fused, clears_first):
    """Optimizers that are fused are called for them too; and gradients may be gone when the scheduler is stepped."""
    if is_fused and torch.__version__ < "2.4":
        pytest.skip("no fused optimizer on the CPU")
    optimizer = make(torch.optim.SGD, fused=is_fused)
    scheduler = cyclr.torch.Schedule(optimizer, "linear(lr=1)", updates=10)
    scaler = torch.amp.GradScaler("cpu")
    for bad in [True, True, False, True, False]:
        for group in optimizer.param_groups:
            group["params"][0].grad = torch.full((2,), float("inf") if bad else 1.0)
        scaler.scale(torch.ones(1))
        scaler.step(optimizer)
        scaler.update()
        if clears_first:
            optimizer.zero_grad()
        scheduler.step()
    assert scheduler.last_epoch == 2


def test_schedule_equals_the_spec_and_keeps_the_groups_factors():
    spec = "triangular(base=0.1, max=1, step=8, momentum=0.8..0.9)"
    schedule = cyclr.Schedule(spec, updates=40)
    scheduler = cyclr.torch.Schedule(make(torch.optim.SGD, momentum=0.5), spec, updates=40)
    rows = trace(scheduler, 39)
    for update, row in enumerate(rows):
        hyper = schedule.at(update)
        expected = [x for factor in (1, 2, 3) for x in (hyper.lr * factor, hyper.momentum)]
        assert row == pytest.approx(expected, rel=1e-15)


def test_momentum_is_left_alone_unless_the_spec_moves_it():
    optimizer = make(torch.optim.SGD, momentum=0.5)
    cyclr.torch.Schedule(optimizer, "fixed(lr=1)", updates=40)
    assert {group["momentum"] for group in optimizer.param_groups} == {0.5}


@pytest.mark.skipif(torch.__version__ < "2.4", reason="torch itself put a number in the tensor's place")
def test_tensor_rates_stay_the_same_tensor():
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([weight], lr=torch.tensor(0.1), foreach=False, capturable=True)
    rate = optimizer.param_groups[0]["lr"]
    scheduler = cyclr.torch.Schedule(optimizer, "linear(lr=1)", updates=10)
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is rate and rate.item() == pytest.approx(0.9)


@pytest.mark.parametrize("make_one", schedulers())
def test_it_works_inside_torchs_sequential(make_one):
    alone = trace(make_one(), 20)
    second = make_one()
    optimizer = second.optimizer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=1)
        both = lr_scheduler.SequentialLR(optimizer, [first, second], milestones=[10])
        rows = trace(both, 30)
    assert rows[10:] == alone


@pytest.mark.parametrize("make_one", schedulers())
def test_it_resumes_inside_torchs_sequential(make_one):
    def sequential():
        second = make_one()
        first = lr_scheduler.LinearLR(second.optimizer, 0.1, total_iters=5)
        return lr_scheduler.SequentialLR(second.optimizer, [first, second], milestones=[5])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        straight = trace(sequential(), 30)
        half, rest = sequential(), sequential()
        trace(half, 12)
        rest.load_state_dict(half.state_dict())
        rest.optimizer.load_state_dict(half.optimizer.state_dict())
        assert trace(rest, 18) == straight[12:]


def test_it_works_inside_torchs_chained():
    def chained(module):
        optimizer = optimizers()[0]()
        constant = lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=3)
        cyclic = module.CyclicLR(optimizer, 0.01, 0.2, step_size_up=7)
        return lr_scheduler.ChainedScheduler([constant, cyclic])

    assert_close(trace(chained(cyclr.torch), 20), trace(chained(lr_scheduler), 20), 1)


@pytest.mark.parametrize(
    "build",
    [
        lambda module, optimizer: module.CyclicLR(optimizer, 0.01, 0.2, step_size_up=7, mode="triangular2"),
        lambda module, optimizer: module.OneCycleLR(optimizer, 0.2, total_steps=60),
    ],
)
@pytest.mark.parametrize("ours_first", [True, False])
def test_a_state_of_torchs_own_scheduler_is_gone_on_from_and_ours_by_torchs(build, ours_first):
    modules = [cyclr.torch, lr_scheduler] if ours_first else [lr_scheduler, cyclr.torch]
    first, second = (build(module, optimizers()[0]()) for module in modules)
    trace(first, 17)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    assert_close(trace(second, 30), trace(first, 30), 1)


def test_a_state_of_torchs_one_cycle_with_other_settings_is_refused():
    theirs = lr_scheduler.OneCycleLR(optimizers()[0](), 0.2, total_steps=60, pct_start=0.5)
    for settings in [{"total_steps": 60}, {"total_steps": 40, "pct_start": 0.5}]:
        ours = cyclr.torch.OneCycleLR(optimizers()[0](), 0.2, **settings)
        with pytest.raises(cyclr.CyclrError, match="other settings"):
            ours.load_state_dict(theirs.state_dict())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda o: cyclr.torch.Schedule(o, "triangular(base=1)", updates=9), "needs `max`"),
        (lambda o: cyclr.torch.Schedule(o, ["fixed(lr=1)"], updates=9), "1 specs and 3 groups"),
        (lambda o: cyclr.torch.Schedule(o, "fixed(lr=1)"), "how long is the run"),
        (lambda o: cyclr.torch.CyclicLR(o, 0.1, 0.2, mode="square"), "mode is invalid"),
        (lambda o: cyclr.torch.OneCycleLR(o, 0.1), "total_steps"),
        (lambda o: cyclr.torch.CyclicLR(o, 0.1, 0.2, step_size_up=0), "step_size_up = 0"),
        (lambda o: cyclr.torch.CyclicLR(o, 0.1, 0.2, step_size_down=-1), "step_size_down = -1"),
        (lambda o: cyclr.torch.OneCycleLR(o, 0.1, total_steps=9, div_factor=0), "^div_factor = 0"),
        (lambda o: cyclr.torch.OneCycleLR(o, 0.1, total_steps=9, final_div_factor=-1), "final_div_factor = -1"),
        (lambda o: cyclr.torch.OneCycleLR(o, 0.1, total_steps=9, pct_start=0.6, three_phase=True), "pct_start = 0.6"),
    ],
)
def test_bad_values_are_value_errors(build, message):
    with pytest.raises(ValueError, match=message):
        build(make(torch.optim.SGD, momentum=0.9))


def test_a_spec_that_moves_momentum_needs_an_optimizer_that_has_one():
    with pytest.raises(cyclr.CyclrError, match="moves momentum"):
        optimizer = make(torch.optim.Adagrad)
        cyclr.torch.Schedule(optimizer, "triangular(base=0, max=1, step=2, momentum=0.8..0.9)", updates=9)


class TwoStage(torch.optim.Optimizer):
    """An optimizer that leaves its update to one that it holds, as sharpness-aware ones do."""

    def __init__(self, weights, **options):
        super().__init__(weights, options)
        self.inner = torch.optim.SGD(self.param_groups, **options)
        self.param_groups = self.inner.param_groups

    def descend(self):
        self.inner.step()


class ByHand(torch.optim.SGD):
    """An optimizer whose update nobody can see but by the weights."""

    def descend(self):
        with torch.no_grad():
            for group in self.param_groups:
                for weight in group["params"]:
                    weight -= group["lr"] * weight.grad


def one_group(kind, **settings):
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    return kind([weight], lr=0.1, momentum=0.9, **settings)


def test_updates_of_an_optimizer_that_is_held_count():
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in [lr_scheduler, cyclr.torch]:
            optimizer = one_group(TwoStage)
            scheduler = module.CyclicLR(optimizer, 0.01, 0.1, step_size_up=5)
            rates.append([])
            for _ in range(12):
                optimizer.descend()
                scheduler.step()
                rates[-1].append(optimizer.param_groups[0]["lr"])
    assert rates[1] == pytest.approx(rates[0], rel=1e-12)
    optimizer = one_group(TwoStage)
    scheduler = cyclr.torch.Schedule(optimizer, "linear(lr=1)", updates=4)
    for _ in range(4):
        scheduler.step()
        scheduler.step()
        optimizer.descend()
    assert scheduler.last_epoch == 3


def test_updates_that_are_not_counted_are_warned_of_once_and_move_the_rate():
    optimizer = one_group(ByHand)
    scheduler = cyclr.torch.Schedule(optimizer, "linear(lr=1)", updates=10)
    rates = []
    with pytest.warns(UserWarning, match=r"ByHand.step\(\) is not called") as told:
        for _ in range(5):
            optimizer.descend()
            scheduler.step()
            scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
    ours = [warning for warning in told if "is not called" in str(warning.message)]
    assert len(ours) == 1 and ours[0].filename == __file__
    assert rates == pytest.approx([1.0, 0.8, 0.7, 0.6, 0.5])


def test_after_counted_updates_those_that_are_not_are_warned_of():
    optimizer = one_group(ByHand)
    scheduler = cyclr.torch.Schedule(optimizer, "linear(lr=1)", updates=10)
    optimizer.step()
    scheduler.step()
    with pytest.warns(UserWarning, match="the learning rate stays as it is"):
        for _ in range(3):
            optimizer.descend()
            scheduler.step()
    assert scheduler.last_epoch == 1


def test_accumulation_is_not_warned_of():
    optimizer = one_group(torch.optim.SGD)
    scheduler = cyclr.torch.Schedule(optimizer, "linear(lr=1)", updates=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for micro_batch in range(40):
            optimizer.param_groups[0]["params"][0].grad += 1
            if micro_batch % 4 == 3:
                optimizer.step()
            scheduler.step()
    assert scheduler.last_epoch == 10


@pytest.mark.parametrize(
    "build",
    [
        lambda o: cyclr.torch.Schedule(o, "linear(lr=1, end=0.25)", updates=4),
        lambda o: cyclr.torch.OneCycleLR(o, 0.1, total_steps=4),
    ],
)
def test_past_the_end_it_warns_once(build):
    scheduler = build(one_group(torch.optim.SGD))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace(scheduler, 4)
    with pytest.warns(UserWarning, match=r"past the end of a schedule of 4 updates.*stays at") as told:
        trace(scheduler, 5)
    assert len(told) == 1 and told[0].filename == __file__


@pytest.mark.parametrize(
    "build",
    [
        lambda updates: cyclr.torch.Schedule(one_group(torch.optim.SGD), "linear(lr=1)", updates=updates),
        lambda updates: cyclr.torch.OneCycleLR(one_group(torch.optim.SGD), 1.0, total_steps=updates),
    ],
)
def test_a_state_of_another_length_is_refused(build):
    short, long = build(20), build(40)
    trace(short, 20)
    before = long.get_last_lr()
    with pytest.raises(cyclr.CyclrError, match=r"a run of 20 updates, and this schedule is of one of 40.*last_epoch="):
        long.load_state_dict(short.state_dict())
    assert long.last_epoch == 0 and long.get_last_lr() == before


def test_the_advice_of_a_refused_state_stretches_the_curve():
    short = cyclr.torch.Schedule(one_group(torch.optim.SGD), "linear(lr=1)", updates=20)
    trace(short, 10)
    optimizer = one_group(torch.optim.SGD)
    optimizer.load_state_dict(short.optimizer.state_dict())
    stretched = cyclr.torch.Schedule(optimizer, "linear(lr=1)", updates=40, last_epoch=9)
    assert stretched.get_last_lr() == [0.75] and trace(stretched, 30)[-1][0] == 0


def test_a_policy_that_does_not_depend_on_the_length_goes_on_in_a_longer_run():
    spec = "warmup(5) then triangular2(base=0.1, max=1, step=8)"
    straight = trace(cyclr.torch.Schedule(one_group(torch.optim.SGD), spec, updates=40), 40)
    short = cyclr.torch.Schedule(one_group(torch.optim.SGD), spec, updates=20)
    trace(short, 20)
    long = cyclr.torch.Schedule(one_group(torch.optim.SGD), spec, updates=40)
    long.load_state_dict(short.state_dict())
    long.optimizer.load_state_dict(short.optimizer.state_dict())
    assert trace(long, 20) == straight[20:]


@pytest.mark.parametrize(("settings", "factor"), [({}, 1.0), ({"lr": 0.045}, 0.05)])
def test_a_group_that_is_added_later_follows_the_spec(settings, factor):
    optimizer = one_group(torch.optim.SGD)
    schedule = cyclr.Schedule("linear(lr=1)", updates=10)
    scheduler = cyclr.torch.Schedule(optimizer, "linear(lr=1)", updates=10)
    trace(scheduler, 1)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], **settings})
    with pytest.warns(UserWarning, match=f"from here on its rate is {factor:g} of the first group's"):
        rows = trace(scheduler, 8)
    for update, row in enumerate(rows[1:], 2):
        rate = schedule.at(update).lr
        assert row[::2] == pytest.approx([rate, rate * factor])
    clone = pickle.loads(pickle.dumps(scheduler))
    assert clone.get_last_lr() == scheduler.get_last_lr()


@pytest.mark.parametrize(
    "build",
    [
        lambda o: cyclr.torch.CyclicLR(o, 0.01, 0.2, step_size_up=7),
        lambda o: cyclr.torch.OneCycleLR(o, 0.2, total_steps=60),
        lambda o: cyclr.torch.Schedule(o, ["fixed(lr=1)"], updates=60),
    ],
)
def test_a_group_that_is_added_later_without_bounds_is_warned_of(build):
    optimizer = one_group(torch.optim.SGD)
    scheduler = build(optimizer)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.03})
    with pytest.warns(UserWarning, match="has no bounds for them: they keep their rates") as told:
        rows = trace(scheduler, 5)
    assert len(told) == 1 and all(row[2] == 0.03 for row in rows)


def test_an_update_that_calls_its_base_classs_is_one():
    class Derived(torch.optim.SGD):
        def step(self, closure=None):
            return super().step(closure)

    # Torch runs the hooks of both once there has been one of the base class.
    one_group(torch.optim.SGD)
    scheduler = cyclr.torch.Schedule(one_group(Derived), "linear(lr=1)", updates=10)
    assert [row[0] for row in trace(scheduler, 10)] == pytest.approx([1 - update / 10 for update in range(11)])
