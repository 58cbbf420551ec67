import copy
import json
import pathlib
import pickle
import subprocess
import sys

import cyclr
import numpy as np
import pytest

GOLDEN = pathlib.Path(__file__).parents[3] / "golden" / "schedules"


@pytest.mark.parametrize("library", ["torch", "caffe", "tfa", "timm"])
def test_rates_equal_those_of_the_library(library):
    cases = [json.loads(line) for line in (GOLDEN / f"{library}.jsonl").read_text().splitlines()[1:]]
    assert len(cases) > 3
    for case in cases:
        schedule = cyclr.Schedule(case["spec"], updates=case["updates"], **epoch(case))
        updates = np.array([row[0] for row in case["rows"]])
        rates = np.array([row[1] for row in case["rows"]])
        tolerance = 1e-12 * rates.max()
        assert np.abs(schedule.lr(updates) - rates).max() <= tolerance, case["case"]
        if len(case["rows"][0]) > 2 and case["rows"][0][2] is not None:
            momenta = np.array([row[2] for row in case["rows"]])
            assert np.abs(schedule.momentum(updates) - momenta).max() <= 1e-12, case["case"]


def epoch(case):
    per_epoch = case.get("updates_per_epoch")
    return {} if per_epoch is None else {"examples": per_epoch, "batch": 1}


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (cyclr.fixed(lr=0.1), "fixed(lr=0.1)"),
        (cyclr.step(lr=1, gamma=0.1, every="8ep"), "step(lr=1, gamma=0.1, every=8ep)"),
        (cyclr.multistep(lr=1, gamma=0.5, at=[10, 20]), "multistep(lr=1, gamma=0.5, at=[10, 20])"),
        (cyclr.exponential(lr=1, gamma=0.9), "exponential(lr=1, gamma=0.9)"),
        (cyclr.inv(lr=1, gamma=0.1, power=2), "inv(lr=1, gamma=0.1, power=2)"),
        (cyclr.inverse_sqrt(lr=1, warmup="5%"), "inverse_sqrt(lr=1, warmup=5%)"),
        (cyclr.inverse_sqrt(lr=1, timescale=70), "inverse_sqrt(lr=1, timescale=70)"),
        (cyclr.sigmoid(lr=1, gamma=-0.1, at=50), "sigmoid(lr=1, gamma=-0.1, at=50)"),
        (cyclr.poly(lr=1, power=2), "poly(lr=1, power=2)"),
        (cyclr.linear(lr=0.1, warmup="5%"), "linear(lr=0.1, warmup=5%)"),
        (cyclr.cosine(lr=0.1, min=0.01), "cosine(lr=0.1, min=0.01)"),
        (cyclr.cosine_restarts(max=1, min=0.1, period=20), "cosine_restarts(max=1, min=0.1, period=20)"),
        (cyclr.wsd(lr=1, shape="linear"), "wsd(lr=1, shape=linear)"),
        (cyclr.rex(lr=1), "rex(lr=1)"),
        (
            cyclr.triangular(base=0.001, max=0.006, up=10, down=30, momentum=(0.8, 0.9)),
            "triangular(base=0.001, max=0.006, up=10, down=30, momentum=0.8..0.9)",
        ),
        (cyclr.triangular2(base=0, max=1e-30, step=7), "triangular2(base=0, max=1e-30, step=7)"),
        (
            cyclr.exp_range(base=0.1, max=1, step=7, gamma=0.99, decays="bounds"),
            "exp_range(base=0.1, max=1, step=7, gamma=0.99, decays=bounds)",
        ),
        (cyclr.one_cycle(max=1, phases=3, anneal="linear"), "one_cycle(max=1, anneal=linear, phases=3)"),
        (cyclr.one_cycle_smith(base=0.1, max=1, step=40), "one_cycle_smith(base=0.1, max=1, step=40)"),
        (cyclr.repeat((cyclr.rex(lr=1), 10), times=3), "(rex(lr=1) for 10) x 3"),
        (
            cyclr.repeat((cyclr.fixed(lr=1), "20%"), (cyclr.rex(lr=1), "30%"), times=2, gamma=0.5),
            "(fixed(lr=1) for 20% then rex(lr=1) for 30%) x 2 gamma=0.5",
        ),
        (cyclr.warmup(10, cyclr.rex(lr=1), start=0.1), "warmup(10, from=0.1) then rex(lr=1)"),
        (
            cyclr.sequence((cyclr.fixed(lr=1), "30%"), "rex(lr=1)"),
            "fixed(lr=1) for 30% then rex(lr=1)",
        ),
    ],
)
def test_constructors_are_the_grammar(made, text):
    assert made == cyclr.Spec(text)
    assert cyclr.Spec(str(made)) == made and hash(cyclr.Spec(str(made))) == hash(made)
    assert eval(repr(made), {"Spec": cyclr.Spec}) == made


def test_every_policy_of_the_grammar_has_a_function():
    with pytest.raises(cyclr.SpecError) as unknown:
        cyclr.Spec("none(lr=1)")
    names = str(unknown.value).splitlines()[0].split("there are ")[1].split(", ")
    assert len(names) > 10 and [name for name in names if not hasattr(cyclr, name)] == []
    assert set(names) <= set(cyclr.__all__)


def test_arrays_keep_their_shape_and_their_values():
    schedule = cyclr.Schedule(cyclr.triangular2(base=0.1, max=1, step=10), updates=100)
    updates = np.arange(120, dtype=np.int32).reshape(2, 3, 20)
    rates = schedule.lr(updates)
    assert rates.shape == updates.shape and rates.dtype == np.float64
    assert [schedule.at(int(i)).lr for i in updates.flat] == rates.ravel().tolist()
    assert schedule.lr(np.int64(10)) == 1.0 and isinstance(schedule.lr(10), float)
    assert schedule.lr([]).shape == (0,)
    assert np.isnan(schedule.momentum([1, 2])).all() and schedule.momentum(1) is None
    assert schedule.curve().tolist() == schedule.lr(range(100)).tolist() and len(schedule) == 100


def test_past_the_end_it_holds_its_value():
    schedule = cyclr.Schedule("linear(lr=1)", updates=10)
    assert schedule.at(10**40) == schedule.at(10) == cyclr.Hyper(lr=0.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cyclr.Spec("triangular(base=1, maks=2, step=3)"), "did you mean `max`"),
        (lambda: cyclr.triangular(base=2, max=1, step=3), "base = 2 is above max = 1"),
        (lambda: cyclr.triangular(base=float("nan"), max=1, step=3), "base"),
        (lambda: cyclr.triangular(base=0, max=1), "needs `step`"),
        (lambda: cyclr.Schedule("fixed(lr=1)"), "how long is the run"),
        (lambda: cyclr.Schedule("fixed(lr=1)", updates=0), "updates = 0"),
        (lambda: cyclr.Schedule("fixed(lr=1)", updates=-1), "-1 is no number of this kind"),
        (lambda: cyclr.cycles(examples=-1, batch=1, updates=9), "-1 is no number of this kind"),
        (lambda: cyclr.Schedule("step(lr=1, gamma=0.1, every=2ep)", updates=10), "epoch"),
        (lambda: cyclr.Schedule("fixed(lr=1)", updates=9, examples=3), "go together"),
        (lambda: cyclr.Schedule("fixed(lr=1)", updates=9).at(-1), "update = -1"),
        (lambda: cyclr.Schedule("fixed(lr=1)", updates=9).lr([3, -2]), "update = -2"),
        (lambda: cyclr.Schedule("fixed(lr=1)", updates=9).lr([0.5]), "whole numbers"),
        (lambda: cyclr.cycles(updates=3, examples=100, batch=10), "a training of 3 updates is too short for cycles"),
    ],
)
def test_bad_values_are_value_errors_with_the_message_of_the_library(make, message):
    with pytest.raises(cyclr.CyclrError, match=message) as raised:
        make()
    assert isinstance(raised.value, ValueError)


def test_it_pickles_and_copies():
    schedule = cyclr.Schedule("triangular(base=0, max=1, step=2ep)", epochs=8, examples=1000, batch=100)
    for other in (pickle.loads(pickle.dumps(schedule)), copy.deepcopy(schedule)):
        assert other == schedule and other.at(33) == schedule.at(33) and repr(other) == repr(schedule)
    assert schedule == cyclr.Schedule(schedule.spec, updates=80, examples=1000, batch=100)
    assert schedule != cyclr.Schedule(schedule.spec, updates=81, examples=1000, batch=100)
    hyper = cyclr.Hyper(0.1, momentum=0.9)
    assert pickle.loads(pickle.dumps(hyper)) == hyper
    assert repr(hyper) == "Hyper(lr=0.1, momentum=0.9)"
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(schedule, protocol)) == schedule


def test_positions_and_troughs():
    schedule = cyclr.Schedule("triangular(base=0, max=1, step=10)", updates=50)
    assert schedule.troughs() == [20, 40] and schedule.troughs(limit=1) == [20]
    assert schedule.position(25) == (0, 1, 0.25)
    assert cyclr.Schedule("fixed(lr=1)", updates=9).position(3) is None


def test_plot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    schedule = cyclr.Schedule("triangular(base=0, max=1, step=10, momentum=0.8..0.9)", updates=40)
    line = schedule.plot().lines[0]
    assert line.get_ydata().tolist() == schedule.curve().tolist()


def test_import_needs_no_other_package():
    code = (
        "import sys; sys.modules['numpy'] = None; import cyclr;print(cyclr.Schedule('rex(lr=1)', updates=9).at(0).lr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1.0\n"


def test_advice():
    cycles = cyclr.cycles(epochs=16, examples=1000, batch=10)
    assert (cycles.step, cycles.cycles, cycles.updates, cycles.short) == (200, 4, 1600, False)
    spec = cyclr.cyclical("step(lr=0.1, gamma=0.1, every=50%)", epochs=80, examples=1000, batch=10)
    assert str(spec).startswith("triangular2(base=0.1, max=0.5, step=")
    assert cyclr.base_from_max(0.12, 4) == pytest.approx((0.03, 0.04))


def test_judging_runs():
    reference, better = [71.0, 72.0, 71.5], [73.1, 74.0, 73.6]
    judged = cyclr.judge(reference, {"a": better, "b": reference}, margin=0.5)
    assert judged["a"].verdict == "better" and judged["a"].difference.n == 3
    assert judged["b"].verdict == "undecided" and judged["b"].obstacle
    assert cyclr.summary([71.0, 72.0, 73.0]).sd == 1.0
    with pytest.raises(cyclr.CyclrError):
        cyclr.judge(reference, {"a": [1.0]}, margin=0.5)
