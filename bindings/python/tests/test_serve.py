import pathlib
import subprocess
import sys
import time

import cyclr
import pytest
from driver import Driver
from test_find import Quadratic

SCRIPT = """
import sys, time
sys.path.insert(0, {tests!r})
import cyclr
from test_find import Quadratic

class Slow(Quadratic):
    def updates(self, hypers):
        if hypers[0].lr == 1234:
            time.sleep(600)
        if hypers[0].lr == 4321:
            raise LookupError("no such batch")
        return super().updates(hypers)

print("this is the log", flush=True)
outcome = cyclr.serve(Slow, policy="fixed(lr=0.1)", updates=50)
print("ended with", outcome and outcome.updates_done)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(tests=str(pathlib.Path(__file__).parent)))
    return path


@pytest.fixture
def start(tmp_path, ends_with_test):
    """Starts a script, given as text, as a child."""

    def one(text):
        path = tmp_path / "child.py"
        path.write_text(text)
        with (tmp_path / "log").open("w") as log:
            return ends_with_test(Driver(path, log=log))

    return one


@pytest.fixture
def driver(script, start):
    return start(script.read_text())


def test_a_whole_conversation(driver, tmp_path):
    info = driver.initialize(seed=3)
    expected = {"protocol": 1, "examples": 1000, "batch": 10, "validation": 100, "test": 100, "momentum": True}
    expected |= {
        "weight_decay": False,
        "snapshots": True,
        "given_weights": False,
        "averages": False,
        "ensembles": False,
    }
    assert info == expected

    made = driver.updates(5)
    here = Quadratic(cyclr.Run(3)).updates([cyclr.Hyper(0.1)] * 5)
    assert made == [
        [{"name": "loss", "value": metric.value, "count": 10, "direction": "lower"} for metric in metrics]
        for metrics in here
    ]

    first = driver.result("evaluate", split="validation")
    assert driver.result("state", path=str(tmp_path / "state")) == {}
    driver.updates(20)
    assert driver.result("evaluate", split="validation") != first
    assert driver.result("restore", path=str(tmp_path / "state")) == {}
    assert driver.result("evaluate", split="validation") == first
    assert driver.shutdown() == 0
    assert (tmp_path / "log").read_text() == "this is the log\nended with None\n"


def test_what_is_not_finite_has_a_name_and_ends_the_updates(driver):
    driver.initialize()
    made = driver.updates(500, lr=1e9)
    assert len(made) < 500 and made[-1][0]["value"] in ("Infinity", "NaN")
    assert all(isinstance(metrics[0]["value"], float) for metrics in made[:-1])


def test_unknown_fields_are_ignored_and_missing_ones_named(driver):
    info = driver.result("initialize", protocol=1, seed=0, data_seed=0, batch=None, colour="blue")
    assert info["examples"] == 1000
    assert driver.result("updates", updates=[{"lr": 0.1, "later": 1}])
    for method, params, name in [
        ("updates", {}, "updates"),
        ("updates", {"updates": [{"momentum": 0.9}]}, "lr"),
        ("evaluate", {}, "split"),
        ("state", {}, "path"),
    ]:
        error = driver.ask(method, **params)["error"]
        assert error["code"] == -32602 and f"`{name}` is missing" in error["message"]


def test_errors_are_answers_and_the_run_goes_on(driver, tmp_path):
    assert driver.ask("updates", updates=[])["error"]["message"] == "the first request must be `initialize`"
    assert driver.ask("initialize", protocol=2, seed=0, data_seed=0, batch=None)["error"]["code"] == -32602
    driver.initialize()
    assert driver.ask("model")["error"]["code"] == -32601
    assert driver.send(b"no JSON")["error"]["code"] == -32700
    assert driver.send(b"[]")["error"]["code"] == -32600
    assert driver.ask("evaluate", split="train")["error"]["code"] == -32602
    failed = driver.ask("updates", updates=[{"lr": 4321}])["error"]
    assert failed["message"] == "LookupError: no such batch"
    assert "Traceback" in (tmp_path / "log").read_text()
    assert len(driver.updates(1)) == 1


NUMPY = """
import numpy as np, cyclr

class Counted:
    info = cyclr.TrainerInfo(examples=np.int64(100), batch=np.int32(10), validation=np.uint8(3), momentum=np.bool_(True))
    def __init__(self, run):
        pass
    def updates(self, hypers):
        return [[cyclr.Metric.loss(np.float32(0.5), np.int64(10)), cyclr.Metric.accuracy(np.int64(9), np.int64(10))]]
    def evaluate(self, split):
        return cyclr.Evaluation([cyclr.Metric.accuracy(np.array([1, 0, 1]).sum(), 3)], np.array([True, False, True]))

cyclr.serve(Counted)
"""


def test_numbers_may_be_numpys(start):
    driver = start(NUMPY)
    info = driver.initialize()
    assert (info["examples"], info["batch"], info["validation"], info["momentum"]) == (100, 10, 3, True)
    [[loss, accuracy]] = driver.updates(1)
    assert (loss["value"], loss["count"]) == (0.5, 10)
    assert (accuracy["value"], accuracy["correct"]) == (0.9, 9)
    measured = driver.result("evaluate", split="validation")
    assert measured["correct"] == "101" and measured["metrics"][0]["correct"] == 2
    assert driver.shutdown() == 0


LEAVING = """
import sys, time, cyclr

def build(run):
    sys.exit("there are no data here")

try:
    cyclr.serve(build)
except SystemExit:
    time.sleep(2)
    raise
"""


def test_a_script_that_exits_has_its_last_words(start, tmp_path):
    driver = start(LEAVING)
    driver.sink.write(
        b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", '
        b'"params": {"protocol": 1, "seed": 0, "data_seed": 0, "batch": null}}\n'
    )
    driver.sink.flush()
    assert driver.source.readline() == b""
    driver.hang_up()
    assert driver.process.wait(timeout=20) == 1
    assert (tmp_path / "log").read_text() == "there are no data here\n"


def test_it_ends_when_cyclr_is_gone(driver):
    driver.initialize()
    driver.hang_up()
    driver.process.wait(timeout=20)


def test_it_ends_in_the_middle_of_an_update_when_cyclr_is_gone(driver):
    driver.initialize()
    driver.sink.write(b'{"jsonrpc": "2.0", "id": 9, "method": "updates", "params": {"updates": [{"lr": 1234}]}}\n')
    driver.sink.flush()
    time.sleep(0.5)
    assert driver.process.poll() is None
    driver.hang_up()
    driver.process.wait(timeout=20)


def test_alone_the_script_trains_by_itself(script):
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == "this is the log\nended with 50\n"
    with pytest.raises(ValueError, match="give policy"):
        cyclr.serve(Quadratic)
