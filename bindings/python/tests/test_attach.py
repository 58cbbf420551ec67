import ast
import pathlib
import subprocess
import sys

import cyclr
import pytest
from cyclr._measured import evaluation_of, objective_of
from driver import Driver

QUADRATIC = pathlib.Path(__file__).parent / "own_loop" / "quadratic.py"


@pytest.fixture
def start(tmp_path, ends_with_test):
    def one(*arguments):
        with (tmp_path / "log").open("w") as log:
            return ends_with_test(Driver(QUADRATIC, *arguments, log=log))

    return one


def losses_of(made):
    return [metrics[0]["value"] for metrics in made]


def losses_alone():
    done = subprocess.run([sys.executable, str(QUADRATIC)], capture_output=True, text=True, check=True)
    return ast.literal_eval(done.stdout.removeprefix("losses "))


def test_a_loop_without_torch_is_driven_and_alone_follows_its_schedule(start):
    driver = start()
    info = driver.initialize(seed=3)
    assert (info["examples"], info["batch"], info["validation"], info["test"]) == (60, 10, 20, 20)
    assert info["objective"] == {"name": "distance", "direction": "lower", "unit": "own"}
    made = losses_of(driver.updates(7, lr=0.2))
    [distance] = driver.result("evaluate", split="test")["metrics"]
    assert distance["name"] == "distance" and distance["count"] == 20
    made += losses_of(driver.updates(17, lr=0.2))
    assert made == losses_alone()
    assert len(driver.updates(50)) == 50, "epochs go on"
    assert driver.shutdown() == 0


def test_numpy_is_seeded_though_it_is_imported_later():
    numpy = pytest.importorskip("numpy")
    script = "import cyclr; cyclr.begin(seed=2**40 + 5); import numpy; print(numpy.random.random())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert float(done.stdout) == numpy.random.RandomState(5).random()


@pytest.mark.parametrize("arguments", [[], ["own"]])
def test_its_state_has_the_place_in_the_data_and_the_epoch(start, tmp_path, arguments):
    """Also if the order of an epoch is drawn from a generator that is saved."""
    straight = start(*arguments)
    assert straight.initialize(seed=1)["snapshots"]
    straight.updates(10)
    straight.result("state", path=str(tmp_path / "within"))
    straight.updates(2)
    straight.result("state", path=str(tmp_path / "between"))
    wanted = losses_of(straight.updates(30))
    for name, skipped in (("between", 0), ("within", 2)):
        other = start(*arguments)
        other.initialize(seed=2)
        other.result("restore", path=str(tmp_path / name))
        assert losses_of(other.updates(30 + skipped))[skipped:] == wanted
        # And once more, in the middle of the epochs.
        other.result("restore", path=str(tmp_path / "between"))
        assert losses_of(other.updates(2)) == wanted[:2]
        other.result("restore", path=str(tmp_path / "between"))
        assert losses_of(other.updates(30)) == wanted


def test_what_an_evaluation_may_return():
    accuracy, perplexity = objective_of(("accuracy", "higher")), objective_of(("perplexity", "lower"))
    assert accuracy.unit == "points" and perplexity.unit == "own"
    assert evaluation_of(0.5, accuracy, 10).metrics == [cyclr.Metric("accuracy", 0.5, 10, "higher")]
    counted = evaluation_of({"loss": 1.0, "correct": 3, "count": 4}, accuracy, 10)
    assert counted.metrics == [cyclr.Metric.loss(1.0, 4), cyclr.Metric.accuracy(3, 4)]
    assert evaluation_of({"perplexity": 7}, perplexity, 10).metrics == [cyclr.Metric("perplexity", 7.0, 10, "lower")]


@pytest.mark.parametrize(
    ("result", "objective", "reason"),
    [
        (None, None, "returned nothing"),
        (0.5, None, "say what it is"),
        ({"loss": 1.0}, ("accuracy", "higher"), "the objective is `accuracy`"),
        ({"accuracy": 93.0}, ("accuracy", "higher"), "return a fraction of 1"),
        ({"correct": 14}, ("accuracy", "higher"), "14 correct of 10 examples: let it measure the split"),
        ({"correct": 0.8}, None, "returned 0.8 for `correct`, which counts examples"),
        ({"correct": 3, "count": 9.5}, None, "returned 9.5 for `count`"),
        ({"speed": 1.0}, None, "may be better if it is higher or if it is lower"),
        ([cyclr.Metric("a", 1.0, 1, "lower")], ("a", "higher"), "give both the same direction"),
    ],
)
def test_what_it_may_not_return(result, objective, reason):
    with pytest.raises(cyclr.CyclrError, match=reason):
        evaluation_of(result, objective_of(objective), 10)
