import os
import pathlib
import subprocess
import sys

import pytest
from driver import Driver
from forked import Forked

torch = pytest.importorskip("torch")


EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
SCRIPT = EXAMPLES / "torch_fashion.py"


@pytest.fixture
def start(tmp_path, ends_with_test):
    def one():
        with (tmp_path / "log").open("a") as log:
            return ends_with_test(Driver(SCRIPT, log=log))

    return one


def test_a_script_is_a_child(start, tmp_path):
    driver = start()
    info = driver.initialize(seed=1)
    assert (info["examples"], info["batch"], info["validation"], info["test"]) == (9000, 100, 1000, 2000)
    assert info["momentum"] and info["weight_decay"] and info["snapshots"]

    first = driver.updates(7)
    assert [metric["name"] for metric in first[0]] == ["loss", "accuracy"]
    assert first[0][1]["correct"] == round(first[0][1]["value"] * 100) and first[0][1]["direction"] == "higher"
    driver.result("state", path=str(tmp_path / "state"))
    measured = driver.result("evaluate", split="validation")
    assert len(measured["correct"]) == 1000
    assert measured["correct"].count("1") == measured["metrics"][1]["correct"]
    # Past the end of an epoch, so that the order of the data is that of two passes.
    straight = driver.updates(95)
    assert driver.shutdown() == 0

    other = start()
    other.initialize(seed=1)
    assert other.updates(7) == first, "the seed decides everything"
    third = start()
    third.initialize(seed=2)
    assert third.updates(3) != first[:3]
    third.result("restore", path=str(tmp_path / "state"))
    assert third.updates(95) == straight, "a state restores everything"


def test_the_batch_is_cyclrs_where_it_says(start):
    info = start().initialize(batch=50)
    assert info["batch"] == 50


def test_alone_it_trains_by_itself():
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True)
    assert "Metric(name='accuracy'" in done.stdout


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("nothing", None),
        ("average", "AveragedModel"),
        ("workers", "persistent workers"),
        ("loader", "the random numbers of the loader's `numbers` cannot be saved"),
    ],
)
def test_what_a_state_would_lack_is_named_and_no_snapshots_are_offered(tmp_path, ends_with_test, argument, said):
    driver = ends_with_test(
        Forked(pathlib.Path(__file__).parent / "own_loop" / "lacking.py", argument, log=tmp_path / "log")
    )
    info = driver.initialize(seed=1)
    assert info["snapshots"] == (said is None)
    assert info["validation"] == 200, "examples, and not the four batches of a list"
    if argument != "workers":
        # A process of the forkserver has none.
        assert len(driver.updates(12)) == 12
        assert len(driver.result("evaluate", split="validation")["correct"]) == 200
    assert driver.shutdown() == 0
    log = (tmp_path / "log").read_text()
    assert (said or "") in log and ("starts over" in log) == (said is not None)


@pytest.mark.skipif("CYCLR_CI_INTEGRATIONS" not in os.environ, reason="CYCLR_CI_INTEGRATIONS is not set")
def test_a_compiled_training_goes_on_from_its_state_in_another_process(tmp_path):
    made = []
    with open(tmp_path / "log", "w") as log:
        for is_restored in (False, True):
            driver = Driver(pathlib.Path(__file__).parent / "own_loop" / "compiled.py", log=log)
            assert driver.initialize(seed=1)["snapshots"]
            if is_restored:
                driver.result("restore", path=str(tmp_path / "state"))
            else:
                driver.updates(10)
                driver.result("state", path=str(tmp_path / "state"))
            made.append(driver.updates(15))
            assert driver.shutdown() == 0
    assert made[0] == made[1]
