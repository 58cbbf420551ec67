"""What a script does at the head of its epochs, with its passes over the training data, and beside them."""

import ast
import pathlib
import random

import pytest
from forked import Forked, alone

pytest.importorskip("torch")

from cyclr.torch._generators import Generators

SCRIPT = pathlib.Path(__file__).parent / "own_loop" / "passes.py"


@pytest.fixture
def start(tmp_path, ends_with_test):
    def one(*arguments):
        return ends_with_test(Forked(SCRIPT, *arguments, log=tmp_path / "log"))

    return one


def losses_alone(log, kind):
    printed = alone(SCRIPT, kind, log=log)
    return ast.literal_eval(next(line for line in printed.splitlines() if "losses" in line).removeprefix("losses "))


def losses_of(made):
    return [metrics[0]["value"] for metrics in made]


def goes_on_from(start, tmp_path, kind, *counts):
    """Whether a run of 35 updates is the same if it goes on from states of it, in another process."""
    straight, made = start(kind), []
    assert straight.initialize(seed=1)["snapshots"]
    for count in counts:
        made += losses_of(straight.updates(count - len(made)))
        straight.result("state", path=str(tmp_path / f"state-{count}"))
    made += losses_of(straight.updates(35 - len(made)))
    measured = straight.result("evaluate", split="test")
    for count in counts:
        other = start(kind)
        other.initialize(seed=2)
        other.result("restore", path=str(tmp_path / f"state-{count}"))
        assert losses_of(other.updates(35 - count)) == made[count:]
        assert other.result("evaluate", split="test") == measured
    return True


def refused(start, tmp_path, kind, count):
    """The reason for which a run does not go on from one of its states."""
    straight, other = start(kind), start(kind)
    assert straight.initialize(seed=1)["snapshots"]
    straight.updates(count)
    straight.result("state", path=str(tmp_path / "state"))
    other.initialize(seed=2)
    return other.ask("restore", path=str(tmp_path / "state"))["error"]["message"]


def test_what_the_head_of_an_epoch_changes_is_changed_once(start, tmp_path):
    """A registered number, a registered generator that it draws from, and a number of a module."""
    assert goes_on_from(start, tmp_path, "head", 10, 23)


def test_a_run_goes_back_to_the_end_of_an_epoch_and_amid_one_in_its_own_process(start, tmp_path):
    driver = start("head")
    driver.initialize(seed=1)
    made = losses_of(driver.updates(10))
    driver.result("state", path=str(tmp_path / "between"))
    made += losses_of(driver.updates(3))
    driver.result("state", path=str(tmp_path / "within"))
    made += losses_of(driver.updates(15))
    driver.result("restore", path=str(tmp_path / "between"))
    assert losses_of(driver.updates(18)) == made[10:]
    driver.result("restore", path=str(tmp_path / "within"))
    assert losses_of(driver.updates(15)) == made[13:]


def test_a_registered_generator_that_gives_the_batches_goes_on(start, tmp_path):
    assert goes_on_from(start, tmp_path, "noise", 4, 23)


def test_a_registered_generator_of_the_loop_goes_on(start, tmp_path):
    assert goes_on_from(start, tmp_path, "registered mixup", 23)


@pytest.mark.parametrize("kind", ["mixup", "forgotten noise"])
def test_a_generator_that_is_not_registered_keeps_a_run_from_going_on(start, tmp_path, kind):
    told = "the script drew from a Generator of its own, of which no state is registered (lr.register)"
    assert told in refused(start, tmp_path, kind, 23)


def test_the_generators_of_sympy_decide_nothing():
    """By them torch.compile simplifies the sizes of batches."""
    of_sympy = pytest.importorskip("sympy.core.random")
    generators = Generators()
    for one in (value for value in vars(of_sympy).values() if isinstance(value, random.Random)):
        one.random()
    assert generators.drawn() == {}


@pytest.mark.parametrize("kind", ["late", "later"])
def test_what_is_registered_in_an_epoch_goes_on(start, tmp_path, kind):
    assert goes_on_from(start, tmp_path, kind, 4, 23)


def test_what_was_registered_after_a_state_was_saved_is_no_part_of_it(start, tmp_path):
    driver = start("late")
    driver.initialize()
    driver.result("state", path=str(tmp_path / "state"))
    driver.updates(3)
    answer = driver.ask("restore", path=str(tmp_path / "state"))
    assert "the state holds what 0 calls of lr.register() saved, and here are 1" in answer["error"]["message"]


def test_a_look_at_the_training_data_between_passes_is_the_script_s_own(start, tmp_path):
    driver = start("peek")
    driver.initialize(seed=3)
    assert losses_of(driver.updates(40)) == losses_alone(tmp_path / "alone", "peek")
    assert goes_on_from(start, tmp_path, "peek", 20, 23)


def test_a_second_pass_of_an_epoch_is_not_gone_back_into(start, tmp_path):
    assert "the training data several times in an epoch" in refused(start, tmp_path, "peek, bare", 20)


@pytest.mark.parametrize(("kind", "count"), [("ahead", 23), ("ahead, size given", 1), ("ahead, size given", 23)])
def test_batches_that_are_fetched_ahead_keep_a_run_from_going_on_amid_a_pass(start, tmp_path, kind, count):
    assert "draws batches ahead of its updates" in refused(start, tmp_path, kind, count)


def test_a_batch_size_that_is_given_does_not_keep_a_run_from_going_on(start, tmp_path):
    assert goes_on_from(start, tmp_path, "size given", 1, 23)


@pytest.mark.parametrize("kind", ["sampler", "batch sampler"])
def test_the_epochs_of_a_sampler_are_those_that_the_script_sets(start, tmp_path, kind):
    wanted = losses_alone(tmp_path / "alone", kind)
    driver = start(kind)
    driver.initialize(seed=3)
    assert losses_of(driver.updates(len(wanted) - 1)) == wanted[:-1]


def test_the_order_of_a_list_goes_on(start, tmp_path):
    assert goes_on_from(start, tmp_path, "list", 4, 20, 23)
    told = "the script put other batches into the list train=... than it had at first"
    assert told in refused(start, tmp_path, "new list", 23)


def test_the_epochs_of_a_sampler_go_on(start, tmp_path):
    """The script, which leaves its passes after 3 batches, counts its epochs from 0 again."""
    straight = start("sampler")
    straight.initialize(seed=1)
    made = losses_of(straight.updates(5))
    straight.result("state", path=str(tmp_path / "state"))
    made += losses_of(straight.updates(6))
    other = start("sampler")
    other.initialize(seed=2)
    other.result("restore", path=str(tmp_path / "state"))
    assert losses_of(other.updates(6)) == made[5:]


def test_an_evaluation_may_go_through_the_training_data(start, tmp_path):
    measured, quiet = start("statistics"), start("statistics")
    for driver in (measured, quiet):
        driver.initialize(seed=1)
        driver.updates(7)
    assert measured.result("evaluate", split="validation")["metrics"][0]["count"] == 50
    assert measured.updates(18) == quiet.updates(18)


@pytest.mark.parametrize("kind", ["estimate", "next"])
def test_other_passes_over_the_training_data_are_as_in_the_loop_alone(start, tmp_path, kind):
    # Between epochs it draws, which does not run under cyclr.
    count = 10 if kind == "estimate" else 39
    driver = start(kind)
    driver.initialize(seed=3)
    assert losses_of(driver.updates(count)) == losses_alone(tmp_path / "alone", kind)[:count]


def test_an_estimate_amid_a_pass_goes_on(start, tmp_path):
    assert goes_on_from(start, tmp_path, "estimate", 4)
