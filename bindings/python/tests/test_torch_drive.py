import ast
import pathlib

import pytest
from forked import Forked, alone

torch = pytest.importorskip("torch")

import cyclr  # noqa: E402
from cyclr.torch._drive import MANY_EPOCHS, _Driven, with_epochs  # noqa: E402

UNAWARE = pathlib.Path(__file__).parent / "own_loop" / "unaware.py"


@pytest.fixture
def start(tmp_path, ends_with_test):
    """Starts the script as a child, driven."""

    def one(*arguments, before=()):
        return ends_with_test(Forked(*before, UNAWARE, *arguments, log=tmp_path / "log", drive=True))

    return one


def losses_alone(tmp_path, *arguments):
    return ast.literal_eval(alone(UNAWARE, *arguments, log=tmp_path / "alone").removeprefix("losses "))


def losses_of(made):
    return [metrics[0]["value"] for metrics in made]


def ends_with(driver, tmp_path, count=40):
    """What the script says when it cannot go on."""
    with pytest.raises(ValueError):
        driver.updates(count)
    assert driver.process.wait(timeout=60) == 1
    return (tmp_path / "log").read_text()


def test_the_losses_are_the_scripts_own_and_its_scheduler_is_overridden(start, tmp_path):
    """Its two optimizers keep their factors; 33 updates end with the script itself."""
    driver = start("--gamma", "0.1")
    info = driver.initialize()
    assert (info["examples"], info["batch"], info["validation"], info["snapshots"]) == (330, 30, 0, False)
    made = losses_of(driver.updates(20) + driver.updates(13))
    assert made == losses_alone(tmp_path)
    assert driver.shutdown() == 0
    log = (tmp_path / "log").read_text()
    assert log.count("the script's StepLR sets the rate too") == 1


def test_momentum_that_a_scheduler_of_the_script_moves_is_named_with_it(start, tmp_path):
    """Cyclr sets none, so the script's stays."""
    driver = start("--cycle-momentum")
    driver.initialize()
    driver.updates(30)
    log = (tmp_path / "log").read_text()
    assert log.count("the script's CyclicLR sets the rate too") == 1
    assert "overridden at every update; the momentum that it sets is not" in log


def test_other_seeds_make_other_runs_though_the_script_seeds_itself(start, tmp_path):
    driver = start()
    driver.initialize(seed=1)
    assert losses_of(driver.updates(2)) != losses_alone(tmp_path)[:2]


def test_what_it_trains_on_is_told_from_what_it_measures_between(start, tmp_path):
    """Also if the pass over the training data began before."""
    driver = start("--kind", "validating")
    info = driver.initialize()
    assert (info["examples"], info["batch"]) == (330, 30)
    assert losses_of(driver.updates(20)) == losses_alone(tmp_path, "--kind", "validating")[:20]


def test_an_epoch_is_a_pass_over_the_loader_that_the_loop_goes_through(start):
    """It may take batches of another one beside."""
    info = start("--kind", "beside").initialize()
    assert (info["examples"], info["batch"]) == (330, 30)


def test_a_trial_before_the_loop_is_no_part_of_the_first_update(start, tmp_path):
    driver = start("--kind", "trial")
    assert driver.initialize()["batch"] == 30
    assert losses_of(driver.updates(3)) == losses_alone(tmp_path, "--kind", "trial")[1:4]


def test_ratios_of_groups_that_the_script_changes_are_named(capsys):
    """As where it unfreezes a group, or warms up from 0 by hand."""
    weights = [torch.nn.Parameter(torch.ones(1)) for _ in range(3)]
    optimizer = torch.optim.SGD([{"params": [one], "lr": lr} for one, lr in zip(weights, (0.2, 0.0, 0.1))])
    driven = _Driven(optimizer, None, False)
    for place in range(3):
        driven.set(cyclr.Hyper(0.4))
        assert [group["lr"] for group in optimizer.param_groups] == [0.4, 0.0, 0.2]
        if place > 0:
            optimizer.param_groups[0]["lr"], optimizer.param_groups[1]["lr"] = 0.2, 0.02
    told = capsys.readouterr().err
    assert told.count("the script sets the rate too") == 1
    assert told.count("the script gives group 1 of 3 0.1 times the rate of group 0: it keeps 0 times") == 1


@pytest.mark.parametrize(("rates", "scales"), [((0.1, 0.1), (1.0, 0.2)), ((0.1, 0.02), (0.0, 0.0))])
def test_ratios_are_those_before_the_first_update(rates, scales):
    """A scheduler may have made them; while it warms up from 0, they are those that it begins with."""
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in rates]
    optimizer = torch.optim.SGD(groups)
    torch.optim.lr_scheduler.LambdaLR(optimizer, [lambda _, scale=scale: scale for scale in scales])
    _Driven(optimizer, None, False).set(cyclr.Hyper(0.4))
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.4, 0.08])


@pytest.mark.parametrize("kind", ["amp", "fused"])
def test_steps_that_amp_skips_are_no_updates(start, tmp_path, kind):
    """An optimizer that is fused skips them by itself."""
    losses = losses_alone(tmp_path, "--kind", kind)
    driver = start("--kind", kind)
    assert driver.initialize()["batch"] == 30
    made = losses_of(driver.updates(30))
    assert made == [loss for place, loss in enumerate(losses) if place % 11 > 0]


def test_a_step_within_a_step_is_a_part_of_it(start, tmp_path):
    """Optimizers that hold another, or call the base class's step, are set once, and are trained as plain ones are."""
    driver = start("--kind", "holding")
    assert driver.initialize()["batch"] == 30
    made = losses_of(driver.updates(20))
    assert made == losses_alone(tmp_path, "--kind", "holding")[:20]
    assert "sets the rate too" not in (tmp_path / "log").read_text()


def test_a_script_that_ends_early_says_both_numbers_and_which_argument_helps(start, tmp_path):
    driver = start()
    driver.initialize()
    log = ends_with(driver, tmp_path)
    assert "ended after 33 updates, and cyclr asks for at least 40" in log and "--epochs-argument" in log


def test_a_named_argument_makes_the_script_long_enough(start):
    driver = start("--epochs", "1", before=["--epochs-argument=--epochs"])
    driver.initialize()
    assert len(driver.updates(40)) == 40
    assert driver.shutdown() == 0


def test_its_epochs_are_replaced_in_every_form():
    many = f"--epochs={MANY_EPOCHS}"
    for arguments in (["--epochs", "3", "-x"], ["--epochs=3", "-x"], ["-x"], ["-x", "--epochs", "3"]):
        assert with_epochs(arguments, "--epochs") == ["-x", many]
    assert with_epochs(["max_epochs=3"], "max_epochs") == [f"max_epochs={MANY_EPOCHS}"]
    assert with_epochs(["--epochs", "3"], None) == ["--epochs", "3"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("lbfgs", "LBFGS measures the loss several times in an update"),
        ("list", "no DataLoader was seen"),
        ("stream", "does not say how many examples it gives: give them before the script"),
        ("own", "no torch.optim.Optimizer made a step (33 losses were propagated)"),
        ("checkpoint", "the script loads a state of training into its Adam, so that it goes on from a checkpoint"),
    ],
)
def test_what_hooks_cannot_see_is_refused_by_name(start, tmp_path, kind, reason):
    driver = start("--kind", kind)
    with pytest.raises(ValueError):
        driver.initialize()
    assert driver.process.wait(timeout=60) == 1
    assert reason in (tmp_path / "log").read_text()


def test_what_an_optimizer_has_before_its_first_step_is_no_checkpoint(start, tmp_path):
    driver = start("--kind", "prepared")
    driver.initialize()
    assert losses_of(driver.updates(20)) == losses_alone(tmp_path, "--kind", "prepared")[:20]


@pytest.mark.parametrize(("kind", "factor", "times"), [("two losses", 2, 1), ("parts", 1, 0), ("plain", 1, 0)])
def test_more_losses_than_batches_are_named(start, tmp_path, kind, factor, times):
    """Unless the loop divides them by their number."""
    driver = start("--kind", kind)
    driver.initialize()
    made = losses_of(driver.updates(5))
    wanted = losses_alone(tmp_path, "--kind", kind)[:5]
    assert made == pytest.approx([factor * loss for loss in wanted], rel=1e-6)
    told = "an update propagates 2 losses of one training batch, and their mean is reported"
    assert (tmp_path / "log").read_text().count(told) == times


def test_a_script_that_trains_twice_says_so(start, tmp_path):
    driver = start("--kind", "twice")
    driver.initialize()
    log = ends_with(driver, tmp_path)
    assert "after 33 updates of one training the script began another, with another Adam" in log


def test_divergence_ends_the_answer(start):
    driver = start()
    driver.initialize()
    made = driver.updates(30, lr=1e38)
    assert len(made) < 30 and made[-1][0]["value"] in ("NaN", "Infinity")
    assert driver.shutdown() == 0
