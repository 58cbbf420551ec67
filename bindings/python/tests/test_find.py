import math

import cyclr
import numpy as np
import pytest


class Quadratic:
    """A noisy quadratic: gradient descent at rates below 2 / curvature is stable."""

    def __init__(self, run, curvature=1.0, momentum=0.0):
        self.random = np.random.default_rng(run.seed)
        self.place, self.speed, self.curvature, self.momentum = np.ones(100), np.zeros(100), curvature, momentum
        self.info = cyclr.TrainerInfo(
            examples=1000, batch=10, validation=100, test=100, momentum=True, snapshots=True, weight_decay=False
        )

    def loss(self):
        with np.errstate(over="ignore"):
            return float(self.curvature * (self.place**2).mean() / 2)

    def updates(self, hypers):
        made = []
        for hyper in hypers:
            made.append([cyclr.Metric.loss(self.loss() + 0.005 * self.random.standard_normal(), 10)])
            if not math.isfinite(made[-1][0].value):
                break
            noise = 0.05 * self.random.standard_normal(100)
            with np.errstate(over="ignore", invalid="ignore"):
                self.speed = (hyper.momentum or self.momentum) * self.speed - self.curvature * (self.place + noise)
                self.place = self.place + hyper.lr * self.speed
        return made

    def evaluate(self, split):
        assert split in ("validation", "test")
        return cyclr.Evaluation([cyclr.Metric.loss(self.loss(), 100)])

    def state(self):
        return self.place.tobytes()

    def restore(self, state):
        self.place = np.frombuffer(state).copy()


def test_bounds_lie_below_the_rate_at_which_the_bowl_is_unstable():
    found = cyclr.find(Quadratic, updates=1500)
    assert 750 <= found.updates <= 1500 and len(found.curves) == 1 and len(found.probes) >= 5
    bounds = found.bounds
    assert 0 < bounds.base_lr.low <= bounds.base_lr.value < bounds.max_lr.value <= bounds.max_lr.high < 2
    assert bounds.max_lr.value == pytest.approx(25 * bounds.base_lr.value)
    fixed = found.suggest(policy="fixed", examples=1000, batch=10, updates=1500)
    assert str(fixed) == f"fixed(lr={bounds.fixed_lr:.3g})"
    level = found.suggest(policy="triangular", examples=1000, batch=10, updates=1500)
    assert f"max={bounds.max_lr.value / 1.4:.3g}" in str(level)
    assert found.curves[0].loss and found.curves[0].figure is None
    assert repr(found).startswith("Found(answer=Bounds(base_lr=Estimate(") and "another seed" in str(found)


def test_a_budget_decides_the_cost():
    found = cyclr.find(Quadratic, budget=20_000)
    assert 1000 <= found.updates <= 2000
    assert found.answer == cyclr.find(Quadratic, updates=2000).answer


def test_a_short_budget_gives_what_a_readable_test_needs():
    # A tenth is 400. Batches of 10 need probes of 150 updates, five of them, and their sweep.
    found = cyclr.find(Quadratic, budget=4000)
    assert 400 < found.updates <= 900
    assert found.answer == cyclr.find(Quadratic, updates=900).answer


def test_a_sweep_of_ones_own_is_read_by_itself():
    found = cyclr.find(Quadratic, sweep=cyclr.Sweep(1e-5, 10, 300, "exponential"))
    assert found.probes == [] and len(found.curves) == 3 and found.answer == found.reading.answer
    assert "3 repeats" in found.bounds.max_lr.interval


def test_the_same_seed_finds_the_same():
    assert cyclr.find(Quadratic, updates=600, seed=4) == cyclr.find(Quadratic, updates=600, seed=4)
    assert cyclr.find(Quadratic, updates=600, seed=4) != cyclr.find(Quadratic, updates=600, seed=5)


def test_a_recorded_curve_reads_as_it_did():
    found = cyclr.find(Quadratic, updates=1500)
    assert cyclr.read_bounds(found.curves) == found.reading
    suggestions = found.reading.suggestions[0]
    assert 0 < suggestions.valley < 10


def test_no_reliable_answer_is_a_result_with_reason_and_advice():
    found = cyclr.find(Quadratic, sweep=cyclr.Sweep(1e-9, 1e-8, 100))
    assert found.answer.kind == "nothing_learnt" and found.bounds is None
    assert "nothing was learnt" in found.answer.reason and "higher rates" in found.answer.advice
    with pytest.raises(cyclr.CyclrError, match="nothing was learnt"):
        found.suggest(epochs=10, examples=1000, batch=10)


def test_a_suggestion_fits_the_budget():
    found = cyclr.find(Quadratic, updates=1500)
    spec = found.suggest(epochs=16, examples=1000, batch=10)
    assert str(spec).startswith("triangular2(base=") and "step=200" in str(spec)
    spec = found.suggest(epochs=16, examples=1000, batch=10, policy="linear")
    assert str(spec) == f"linear(lr={found.bounds.max_lr.value:.3g}, warmup=5%)"
    with pytest.raises(cyclr.CyclrError, match=r'do not complete "step": give one of fixed, .*linear'):
        found.suggest(epochs=16, examples=1000, batch=10, policy="step")


def test_validation_can_be_measured():
    found = cyclr.find(Quadratic, sweep=cyclr.Sweep(1e-3, 3, 200, "exponential"), repeats=2, validation_points=50)
    assert [len(curve.lr) for curve in found.curves] <= [50, 50]


def test_exceptions_of_the_trainer_go_through():
    class Broken(Quadratic):
        def updates(self, hypers):
            if hypers[0].lr > 1e-3:
                raise LookupError("no such batch")
            return super().updates(hypers)

    with pytest.raises(LookupError, match="no such batch"):
        cyclr.find(Broken, updates=600)


def test_ctrl_c_stops_it():
    class Interrupted(Quadratic):
        def updates(self, hypers):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cyclr.find(Interrupted, updates=600)


def test_it_runs_on_the_calling_thread():
    import threading

    threads = set()

    class Noted(Quadratic):
        def updates(self, hypers):
            threads.add(threading.get_ident())
            return super().updates(hypers)

    cyclr.find(Noted, updates=600)
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"budget": 0}, "budget = 0"),
        ({"updates": 30}, "30 updates are too few"),
        ({"sweep": cyclr.Sweep(0, 1, 100), "repeats": 0}, "no repeats"),
        ({"sweep": cyclr.Sweep(1, 0.1, 100)}, "from < to"),
        ({"sweep": cyclr.Sweep(0, 1, 100, "square")}, "linear"),
    ],
)
def test_bad_settings_are_value_errors(settings, message):
    with pytest.raises(cyclr.CyclrError, match=message):
        cyclr.find(Quadratic, **settings)


def test_a_trainer_that_breaks_its_promises_is_an_error():
    class Idle(Quadratic):
        def updates(self, hypers):
            return []

    with pytest.raises(cyclr.TrainerError, match="0 of"):
        cyclr.find(Idle, updates=600)


def test_training_ends_at_a_trough_and_is_read_there():
    outcome = cyclr.train(Quadratic, "triangular(base=0.01, max=0.2, step=50)", updates=250)
    assert (outcome.updates_done, outcome.stop_reason) == (200, "completed")
    assert [done for done, _ in outcome.evaluations] == [100, 200]
    assert outcome.test.metrics[0].value < 0.01
    assert cyclr.train(Quadratic, "fixed(lr=100)", updates=300).stop_reason == "diverged"
    with pytest.raises(cyclr.CyclrError, match="evaluate_every = 0"):
        cyclr.train(Quadratic, "fixed(lr=0.1)", updates=300, evaluate_every=0)


def test_found_is_drawn():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    found = cyclr.find(Quadratic, updates=1500)
    axes = found.plot()
    assert axes.get_xscale() == "log" and len(axes.lines) == 4
