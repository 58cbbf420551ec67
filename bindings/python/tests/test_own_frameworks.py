"""Loops of frameworks under cyclr: their losses are those of the loop alone."""

import ast
import importlib.util
import os
import pathlib

import pytest
from forked import Forked, alone

pytest.importorskip("torch")
pytestmark = pytest.mark.skipif("CYCLR_CI_INTEGRATIONS" not in os.environ, reason="CYCLR_CI_INTEGRATIONS is not set")
OWN_LOOP = pathlib.Path(__file__).parent / "own_loop"

SCRIPTS = [
    # The last: updates after which the script alone measures, which takes random numbers.
    ("hf.py", ["--log"], "transformers", {}, 10),
    ("hf.py", ["--log", "--accumulate", "2"], "transformers", {}, 5),
    ("lightning_fit.py", ["--gamma", "1"], "lightning", {}, 10),
    ("lightning_fit.py", ["--accumulate", "2"], "lightning", {}, 5),
    ("keras_fit.py", [], "keras", {"KERAS_BACKEND": "torch"}, 10),
    ("keras_fit.py", ["--accumulate", "2"], "keras", {"KERAS_BACKEND": "torch"}, 5),
    ("keras_fit.py", [], "jax", {"KERAS_BACKEND": "jax"}, 20),
]
OF_ITS_OWN = [
    # What sets rates, stops or counts beside cyclr, in the driven script alone.
    ("hf.py", ["--log"], ["--stopping"], {}, 10),
    ("lightning_fit.py", [], ["--plateau"], {}, 10),
    ("lightning_fit.py", [], ["--one-cycle"], {}, 10),
    ("keras_fit.py", [], ["--schedule", "0.5"], {"KERAS_BACKEND": "torch"}, 10),
    ("keras_fit.py", ["--accumulate", "2"], ["--scaled"], {"KERAS_BACKEND": "torch"}, 5),
]


@pytest.fixture
def start(tmp_path, ends_with_test):
    def one(name, *arguments, environment):
        return ends_with_test(Forked(OWN_LOOP / name, *arguments, log=tmp_path / "log", environment=environment))

    return one


def skip_without(*libraries):
    for needed in libraries:
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")


def losses_of(made):
    return [metrics[0]["value"] for metrics in made]


@pytest.mark.parametrize(("name", "arguments", "own", "environment", "count"), OF_ITS_OWN)
def test_what_a_script_does_of_its_own_changes_nothing(start, tmp_path, name, arguments, own, environment, count):
    skip_without({"hf.py": "transformers", "lightning_fit.py": "lightning", "keras_fit.py": "keras"}[name])
    printed = alone(OWN_LOOP / name, *arguments, log=tmp_path / "alone", environment=environment)
    wanted = losses_alone(printed, 2 if "--accumulate" in arguments else 1, count)
    lr = 0.01 if name == "hf.py" else 0.1
    driver = start(name, *arguments, *own, environment=environment)
    driver.initialize(seed=3)
    made = losses_of(driver.updates(count, lr=lr))
    assert made == pytest.approx(wanted, rel=1e-4)
    assert len(driver.updates(20, lr=lr)) == 20
    assert driver.shutdown() == 0


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_batches_that_keras_skips_are_no_updates(start, tmp_path, backend):
    """The first gradients overflow: the scale is halved, and no weight changes."""
    skip_without("keras", backend)
    environment = {"KERAS_BACKEND": backend}
    printed = alone(
        OWN_LOOP / "keras_fit.py", "--scaled", "--overflow", log=tmp_path / "alone", environment=environment
    )
    # Of the first epoch: then the script alone measures, which takes random numbers.
    losses, iterations = (printed_list(printed, name)[:10] for name in ("losses", "iterations"))
    wanted = [loss for loss, done, before in zip(losses, iterations, [0, *iterations]) if done > before]
    assert 3 < len(wanted) < 10
    driver = start("keras_fit.py", "--scaled", "--overflow", environment=environment)
    driver.initialize(seed=3)
    assert losses_of(driver.updates(len(wanted), lr=1e-4)) == pytest.approx(wanted, rel=1e-4)
    assert driver.shutdown() == 0


def test_a_split_that_keras_makes_is_refused(start, tmp_path):
    skip_without("keras")
    driver = start("keras_fit.py", "--split", environment={"KERAS_BACKEND": "torch"})
    with pytest.raises(ValueError):
        driver.initialize(seed=3)
    assert driver.process.wait(timeout=60) == 1
    assert "validation_split = 0.2: cut the data before fit" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("name", ["hf.py", "lightning_fit.py", "keras_fit.py"])
def test_training_data_are_no_held_out_data(start, tmp_path, name):
    skip_without({"hf.py": "transformers", "lightning_fit.py": "lightning", "keras_fit.py": "keras"}[name])
    driver = start(name, "--leaky", environment={"KERAS_BACKEND": "torch"})
    with pytest.raises(ValueError):
        driver.initialize(seed=3)
    assert driver.process.wait(timeout=60) == 1
    assert "train and validation are the same data" in (tmp_path / "log").read_text()


def losses_alone(printed, each, count):
    """What the first updates, of several losses each, show in a script that prints its losses."""
    losses = printed_list(printed, "losses")
    return [sum(losses[place * each : (place + 1) * each]) / each for place in range(count)]


def printed_list(printed, name):
    line = next(line for line in printed.splitlines() if line.startswith(f"{name} "))
    return ast.literal_eval(line.removeprefix(f"{name} "))


@pytest.mark.parametrize(("name", "arguments", "library", "environment", "count"), SCRIPTS)
def test_the_losses_are_those_of_the_loop_alone(start, tmp_path, name, arguments, library, environment, count):
    skip_without(library, "keras" if environment else library)
    printed = alone(OWN_LOOP / name, *arguments, log=tmp_path / "alone", environment=environment)
    # Elsewhere than with Hugging Face each is of a batch.
    wanted = losses_alone(printed, 2 if "--accumulate" in arguments and name != "hf.py" else 1, count)
    lr = 0.01 if name == "hf.py" else 0.1
    driver = start(name, *arguments, environment=environment)
    info = driver.initialize(seed=3)
    batch = 40 if "--accumulate" in arguments else 20
    assert (info["examples"], info["batch"], info["validation"], info["test"]) == (200, batch, 30, 30)
    assert not info["snapshots"] and not info["given_weights"]
    made = losses_of(driver.updates(3, lr=lr))
    first = driver.result("evaluate", split="validation")
    assert first == driver.result("evaluate", split="validation"), "an evaluation leaves no trace"
    assert info["objective"]["name"] in [metric["name"] for metric in first["metrics"]]
    driver.result("evaluate", split="test")
    made += losses_of(driver.updates(count - 3, lr=lr))
    assert made == pytest.approx(wanted, rel=1e-4)
    # Past the end of the script's own epochs.
    assert len(driver.updates(40, lr=lr)) == 40
    assert driver.shutdown() == 0
    assert "losses" not in (tmp_path / "log").read_text(), "what comes after the loop does not run"


@pytest.mark.parametrize("by", ["callback", "module"])
def test_an_average_that_lightning_makes_is_what_is_measured(start, tmp_path, by):
    """Made of the weights of all updates, the last too."""
    skip_without("lightning")
    printed = alone(OWN_LOOP / "lightning_fit.py", "--averaged", by, log=tmp_path / "alone")
    plain, _ = printed_list(alone(OWN_LOOP / "lightning_fit.py", log=tmp_path / "alone"), "measured")
    driver = start("lightning_fit.py", "--averaged", by, environment={})
    driver.initialize(seed=3)
    # In an epoch of 10 updates.
    driver.updates(10)
    halves = [loss_of(driver.result("evaluate", split=split)) for split in ("validation", "test")]
    wanted = printed_list(printed, "measured")[0]
    assert sum(halves) / 2 == pytest.approx(wanted, rel=1e-4) and wanted != pytest.approx(plain, rel=1e-2)
    assert driver.shutdown() == 0


def loss_of(evaluation):
    return next(metric["value"] for metric in evaluation["metrics"] if metric["name"] == "loss")


def test_a_momentum_that_lightning_would_move_is_said_to_stay(start, tmp_path):
    skip_without("lightning")
    driver = start("lightning_fit.py", "--cyclic-momentum", environment={})
    driver.initialize(seed=3)
    assert driver.shutdown() == 0
    assert "the module's CyclicLR is not stepped: momentum stays at 0.9, " in (tmp_path / "log").read_text()
