import ast
import itertools
import pathlib
import random
import struct
import zlib

import pytest
from forked import Forked, alone

torch = pytest.importorskip("torch")

import cyclr  # noqa: E402
from cyclr.torch._checksum import checksum_of  # noqa: E402
from cyclr.torch._examples import batch_size, given, held_out_count, loader_size  # noqa: E402
from cyclr.torch._held_out import splits  # noqa: E402
from cyclr.torch._losses import Losses  # noqa: E402
from cyclr.torch._registered import without_place  # noqa: E402
from cyclr.torch._state import capture_model, restore_model  # noqa: E402
from torch.utils.data import (  # noqa: E402
    BatchSampler,
    DataLoader,
    IterableDataset,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
)

OWN_LOOP = pathlib.Path(__file__).parent / "own_loop"


@pytest.fixture
def start(tmp_path, ends_with_test):
    """Starts a script of `own_loop` as a child."""

    def one(name, *arguments):
        return ends_with_test(Forked(OWN_LOOP / name, *arguments, log=tmp_path / "log"))

    return one


def losses_alone(log, *arguments):
    line = next(line for line in alone(OWN_LOOP / "many.py", *arguments, log=log).splitlines() if "losses" in line)
    return ast.literal_eval(line.removeprefix("losses "))


def losses_of(made):
    return [metrics[0]["value"] for metrics in made]


def test_alone_the_lines_change_nothing(tmp_path):
    printed = [alone(OWN_LOOP / name, log=tmp_path / "log") for name in ("attached.py", "plain.py")]
    assert printed[0] == printed[1] and "accuracy" in printed[0]


def test_the_losses_are_those_of_the_loop_alone_whoever_listens(start, tmp_path):
    driver = start("many.py")
    info = driver.initialize(seed=3)
    assert (info["examples"], info["batch"], info["validation"], info["test"]) == (320, 20, 50, 50)
    assert info["snapshots"] and info["momentum"] and not info["given_weights"]
    driver.result("evaluate", split="validation")
    made = losses_of(driver.updates(5))
    measured = driver.result("evaluate", split="validation")["metrics"]
    assert measured[1]["count"] == 50 and measured[1]["correct"] > 25
    driver.result("state", path=str(tmp_path / "state"))
    made += losses_of(driver.updates(30)) + losses_of(driver.updates(29))
    assert made == losses_alone(tmp_path / "alone")
    assert driver.shutdown() == 0
    log = (tmp_path / "log").read_text()
    assert "one held-out split of 100 examples: 50 are validation and 50 are test" in log
    assert "losses" not in log, "what comes after the loop does not run"


def test_a_restored_run_goes_on_as_the_straight_one(start, tmp_path):
    """From the end of an epoch of 16 updates, and from the middle of two; with an average of the weights that is registered."""
    straight = start("many.py", "--ema", "registered")
    straight.initialize(seed=1)
    made, done = [], (5, 16, 20)
    for count in done:
        made += losses_of(straight.updates(count - len(made)))
        straight.result("state", path=str(tmp_path / f"state-{count}"))
    made += losses_of(straight.updates(40))
    measured = straight.result("evaluate", split="test")

    other = start("many.py", "--ema", "registered")
    assert other.initialize(seed=2)["snapshots"]
    for count in (16, 20, 5):
        other.result("restore", path=str(tmp_path / f"state-{count}"))
        assert losses_of(other.updates(60 - count)) == made[count:]
        assert other.result("evaluate", split="test") == measured


@pytest.mark.parametrize(("leaves", "way"), [("slice", "batches"), ("break", "batches"), ("slice", "bare")])
def test_passes_that_are_left_early_are_left_there_by_a_restored_run_too(start, tmp_path, leaves, way):
    """The script counts from 0 in it: what is left of a pass of 7 updates is known by the passes before."""
    arguments = ["--leaves", leaves, "--way", way, "--epochs", "9"]
    straight = start("many.py", *arguments)
    straight.initialize(seed=1)
    made = []
    for count in (3, 10, 14, 19):
        made += losses_of(straight.updates(count - len(made)))
        straight.result("state", path=str(tmp_path / f"state-{count}"))
    made += losses_of(straight.updates(20))
    for count in (10, 14, 19):
        other = start("many.py", *arguments)
        other.initialize(seed=2)
        other.result("restore", path=str(tmp_path / f"state-{count}"))
        assert losses_of(other.updates(39 - count)) == made[count:]
    other = start("many.py", *arguments)
    other.initialize(seed=2)
    other.result("restore", path=str(tmp_path / "state-3"))
    with pytest.raises(ValueError):
        other.updates(36)
    assert other.process.wait(timeout=60) == 1
    assert "was restored in the middle of the first" in (tmp_path / "log").read_text()


def test_a_pass_that_is_left_anywhere_cannot_be_gone_back_into(start, tmp_path):
    driver = start("many.py", "--leaves", "anywhere")
    driver.initialize(seed=1)
    driver.updates(13)
    driver.result("state", path=str(tmp_path / "state"))
    other = start("many.py", "--leaves", "anywhere")
    other.initialize(seed=1)
    refused = other.ask("restore", path=str(tmp_path / "state"))
    assert "leaves its passes over the training data at different places" in refused["error"]["message"]


def test_state_that_is_not_registered_is_named_and_no_snapshots_are_offered(start, tmp_path):
    driver = start("many.py", "--ema", "forgotten")
    assert not driver.initialize()["snapshots"]
    assert "no state of AveragedModel is registered" in (tmp_path / "log").read_text()


def test_state_that_could_run_code_when_read_is_named_and_no_snapshots_are_offered(start, tmp_path):
    driver = start("many.py", "--ema", "object")
    assert not driver.initialize()["snapshots"]
    assert "weights_only=True, and what is registered holds argparse.Namespace" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(("divided", "counts"), [(True, "updates"), (False, "updates"), (True, "batches")])
def test_micro_batches_are_averaged_and_skipped_steps_are_no_updates(start, tmp_path, divided, counts):
    """Also where the loop counts each micro-batch."""
    arguments = ["--amp", "--accumulate", "4", "--counts", counts, *(["--divided"] if divided else [])]
    losses = losses_alone(tmp_path / "alone", *arguments, "--epochs", "1")
    means = [sum(losses[place : place + 4]) / 4 for place in (0, 4, 8, 12)]
    driver = start("many.py", *arguments)
    assert driver.initialize(seed=3)["batch"] == 80
    made = losses_of(driver.updates(3))
    assert made == pytest.approx(means[1:], rel=1e-6)


def test_an_accumulation_that_is_not_named_is_refused(start, tmp_path):
    """An epoch would seem to have four times its updates."""
    driver = start("many.py", "--accumulate", "4", "--silent")
    driver.initialize()
    with pytest.raises(ValueError):
        driver.updates(3)
    assert driver.process.wait(timeout=60) == 1
    told = "each update takes 4 batches of train=..., and attach() says 1: give accumulate=4"
    assert told in (tmp_path / "log").read_text()


def test_an_accumulation_that_the_loop_does_not_make_is_refused(start, tmp_path):
    driver = start("overlooked.py", "miscounted")
    driver.initialize()
    with pytest.raises(ValueError):
        driver.updates(3)
    assert driver.process.wait(timeout=60) == 1
    assert "each update takes 1 batches of train=..., and attach() says 2" in (tmp_path / "log").read_text()


def test_an_evaluation_of_both_halves_at_once_is_refused(start):
    driver = start("many.py", "--whole")
    driver.initialize()
    refused = driver.ask("evaluate", split="validation")
    assert (
        "evaluate(split) goes through the whole of the held-out data, which were halved" in refused["error"]["message"]
    )


def test_the_steps_of_an_optimizer_that_is_held_are_updates(start, tmp_path):
    """It is measured in its own mode of evaluation, and its state is known."""
    losses = losses_alone(tmp_path / "alone", "--holding", "--epochs", "1")
    driver = start("many.py", "--holding")
    assert driver.initialize(seed=3)["snapshots"]
    assert "metrics" in driver.result("evaluate", split="validation")
    assert losses_of(driver.updates(16)) == losses


OVERLOOKED = {
    "momentum": "no state of CyclicLR is registered",
    "average": "no state of a copy of the weights is registered",
    "vector": "no state of a copy of the weights is registered",
    "loss": "no state of Centred is registered",
    "copy": "no state of Kept is registered",
    "noise": "the random numbers of the data set's `noise` cannot be saved",
    "accumulation": "a pass of 10 batches ends in the middle of an update of 4",
}


@pytest.mark.parametrize("kind", OVERLOOKED)
def test_what_else_later_updates_depend_on_is_named_and_no_snapshots_are_offered(start, tmp_path, kind):
    driver = start("overlooked.py", kind)
    assert not driver.initialize()["snapshots"]
    assert f"{OVERLOOKED[kind]}" in (tmp_path / "log").read_text()


REGISTERED = ["registered momentum", "registered average", "registered optimizer"]


@pytest.mark.parametrize("kind", [*REGISTERED, "bare weight", "ratio", "lookahead"])
def test_what_is_registered_or_trained_goes_on_with_the_run(start, tmp_path, kind):
    straight, other = start("overlooked.py", kind), start("overlooked.py", kind)
    straight.initialize(seed=1)
    straight.updates(14)
    straight.result("state", path=str(tmp_path / "state"))
    assert other.initialize(seed=2)["snapshots"]
    other.result("restore", path=str(tmp_path / "state"))
    assert other.updates(20) == straight.updates(20)


def test_optimizers_keep_the_ratio_that_their_rates_have_before_the_first_update(start, tmp_path):
    """Not the one that they had when the loop was attached. If the script changes it later, that is said."""
    driver = start("overlooked.py", "ratio")
    driver.initialize()
    driver.updates(5)
    told = "the script gives another optimizer (SGD) 1 times the rate of the first: it keeps 0.1 times"
    assert (tmp_path / "log").read_text().count(told) == 1


@pytest.mark.parametrize("kind", ["beside", "critic"])
def test_what_a_script_begins_anew_amid_a_pass_keeps_it_from_going_on_there(start, tmp_path, kind):
    straight = start("overlooked.py", kind)
    straight.initialize(seed=1)
    straight.updates(14)
    straight.result("state", path=str(tmp_path / "within"))
    straight.updates(6)
    straight.result("state", path=str(tmp_path / "between"))
    other = start("overlooked.py", kind)
    other.initialize(seed=2)
    refused = other.ask("restore", path=str(tmp_path / "within"))
    assert "it cannot go on in the middle of a pass over the training data" in refused["error"]["message"]
    other.result("restore", path=str(tmp_path / "between"))
    assert other.updates(15) == straight.updates(15)


@pytest.mark.parametrize("count", [10, 14])
def test_an_iterator_of_another_loader_that_is_kept_keeps_a_run_from_going_on(start, tmp_path, count):
    """Also from between two passes."""
    straight, other = start("overlooked.py", "kept open"), start("overlooked.py", "kept open")
    straight.initialize(seed=1)
    straight.updates(count)
    straight.result("state", path=str(tmp_path / "state"))
    other.initialize(seed=2)
    refused = other.ask("restore", path=str(tmp_path / "state"))
    assert "start this run anew" in refused["error"]["message"]


def test_an_optimizer_that_is_yet_to_make_a_step_keeps_a_run_from_going_on_amid_a_pass(start, tmp_path):
    """The first two updates are alike, and the script counts from 0 to the third."""
    straight, other = start("overlooked.py", "late critic"), start("overlooked.py", "late critic")
    straight.initialize(seed=1)
    straight.updates(2)
    straight.result("state", path=str(tmp_path / "state"))
    other.initialize(seed=2)
    refused = other.ask("restore", path=str(tmp_path / "state"))
    assert "not all its optimizers make a step in each update" in refused["error"]["message"]


def test_an_evaluation_leaves_no_trace_in_models_that_were_not_given(start):
    measured, quiet = start("overlooked.py", "no model"), start("overlooked.py", "no model")
    for driver in (measured, quiet):
        assert not driver.initialize(seed=1)["snapshots"]
        driver.updates(3)
    measured.result("evaluate", split="validation")
    assert measured.updates(12) == quiet.updates(12)


def test_an_evaluation_that_propagates_leaves_no_trace(start):
    """Neither in the gradients nor in the loss of the next update."""
    measured, quiet = start("overlooked.py", "attack"), start("overlooked.py", "attack")
    for driver in (measured, quiet):
        driver.initialize(seed=1)
        driver.updates(3)
    measured.result("evaluate", split="validation")
    assert measured.updates(12) == quiet.updates(12)


def test_more_losses_than_batches_are_named(start, tmp_path):
    driver = start("overlooked.py", "two losses")
    driver.initialize()
    driver.updates(5)
    told = "an update propagates 2 losses of one training batch, and their mean is reported: give the one that counts"
    assert (tmp_path / "log").read_text().count(told) == 1


def test_a_module_that_is_not_registered_is_measured_in_evaluation_mode(start):
    """And trains on in its own."""
    driver = start("overlooked.py", "measured copy")
    driver.initialize()
    driver.updates(3)
    assert driver.result("evaluate", split="validation")["metrics"]
    driver.updates(3)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("one split", "evaluate('test') goes through the validation data alone"),
        ("whole count", "returned the count of all 100 held-out examples, which were halved"),
    ],
)
def test_figures_of_other_examples_than_those_of_the_split_are_refused(start, kind, reason):
    driver = start("overlooked.py", kind)
    driver.initialize()
    driver.updates(3)
    assert reason in driver.ask("evaluate", split="test")["error"]["message"]


def test_a_loader_that_cannot_be_gone_back_into_is_named(start, tmp_path):
    driver = start("many.py", "--way", "sampler")
    assert not driver.initialize()["snapshots"]
    assert "the order of Sorted is not known: a run that is stopped starts over" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("way", "said"),
    [
        # Another run may have saved it.
        ("checkpoint", "the script loads a state of training into its SGD"),
        ("no loader", "the length of an epoch is not known: give train=..., or examples="),
    ],
)
def test_a_checkpoint_of_the_script_s_own_and_an_epoch_of_unknown_length_are_refused(start, tmp_path, way, said):
    driver = start("overlooked.py", way)
    with pytest.raises(ValueError):
        driver.initialize()
    assert driver.process.wait(timeout=60) == 1
    assert said in (tmp_path / "log").read_text()


def test_a_loop_that_counts_no_update_is_ended(start, tmp_path):
    driver = start("many.py", "--counts", "nothing")
    driver.initialize()
    with pytest.raises(ValueError):
        driver.updates(1)
    assert driver.process.wait(timeout=60) == 1
    assert "a whole pass over the training batches made no update" in (tmp_path / "log").read_text()


def test_a_bare_loop_is_driven_too_and_ends_with_the_run(start, tmp_path):
    driver = start("many.py", "--way", "bare")
    assert driver.initialize(seed=3)["snapshots"]
    made = losses_of(driver.updates(20))
    driver.result("state", path=str(tmp_path / "state"))
    straight = losses_of(driver.updates(60))
    assert made[:16] == losses_alone(tmp_path / "alone")[:16], (
        "between epochs the script draws, which does not run here"
    )
    assert driver.shutdown() == 0
    log = (tmp_path / "log").read_text()
    assert "losses" not in log and "what it does between epochs does not run" in log

    other = start("many.py", "--way", "bare")
    other.initialize(seed=4)
    assert losses_of(other.updates(7)) != made[:7]
    other.result("restore", path=str(tmp_path / "state"))
    assert losses_of(other.updates(60)) == straight


def test_a_loop_that_ends_too_early_says_both_numbers(start, tmp_path):
    driver = start("many.py", "--way", "list", "--epochs", "1")
    driver.initialize()
    with pytest.raises(ValueError):
        driver.updates(40)
    driver.process.wait(timeout=60)
    assert "the loop ended after 16 updates, and cyclr asks for at least 40" in (tmp_path / "log").read_text()


def test_divergence_ends_the_answer_at_the_first_loss_that_is_not_finite(start):
    driver = start("many.py")
    driver.initialize()
    made = driver.updates(60, lr=1e30)
    assert len(made) < 60 and made[-1][0]["value"] in ("NaN", "Infinity")
    assert all(isinstance(loss, float) for loss in losses_of(made)[:-1])
    assert driver.shutdown() == 0


def test_what_cannot_be_attached_is_refused():
    weight = torch.nn.Parameter(torch.ones(1))
    cyclr._begun._begun.clear()
    with pytest.raises(cyclr.CyclrError, match=r"call begin\(\) before the model"):
        cyclr.torch.attach(torch.optim.SGD([weight], lr=0.1))
    cyclr.torch.begin()
    with pytest.raises(cyclr.CyclrError, match="LBFGS measures the loss several times"):
        cyclr.torch.attach(torch.optim.LBFGS([weight]))
    with pytest.raises(cyclr.CyclrError, match=r"a TensorDataset, which has no batches: give the DataLoader"):
        cyclr.torch.attach(torch.optim.SGD([weight], lr=0.1), train=TensorDataset(torch.ones(3)))


def test_alone_a_scheduler_of_updates_moves_with_the_optimizers_steps():
    """A loop may count each of its micro-batches."""
    cyclr._begun._begun.clear()
    cyclr.torch.begin()
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=10)
    lr = cyclr.torch.attach(optimizer, accumulate=2, otherwise=scheduler)
    for batch in range(6):
        weight.sum().backward()
        if batch % 2 == 1:
            optimizer.step()
        lr.step()
    assert scheduler.last_epoch == 3


def test_held_out_data_are_halved_or_kept_apart():
    data = TensorDataset(torch.arange(11), torch.arange(11))
    loader = DataLoader(data, batch_size=4)
    for validation, test in [(loader, None), (None, loader), (loader, loader), (loader, DataLoader(data))]:
        halves, counts = splits(None, validation, test, 0, say=False)
        assert counts == {"validation": 6, "test": 5}
        seen = [value for half in halves.values() for batch, _ in half for value in batch.tolist()]
        assert sorted(seen) == list(range(11))
    parts = [DataLoader(Subset(data, places)) for places in (range(6), range(5, 11), range(6, 11))]
    with pytest.raises(cyclr.CyclrError, match="share 1 examples"):
        splits(None, parts[0], parts[1], 0, say=False)
    kept, counts = splits(None, parts[0], parts[2], 0, say=False)
    assert kept == {"validation": parts[0], "test": parts[2]} and counts == {"validation": 6, "test": 5}
    halves, counts = splits(None, [(1, 2), (3, 4), (5, 6)], None, 0, say=False)
    assert halves == {"validation": [(1, 2), (5, 6)], "test": [(3, 4)]}


class Endless(IterableDataset):
    """Has no length."""

    def __iter__(self):
        return itertools.repeat(1)


class OwnBatches:
    """Draws from a generator that nobody knows of."""

    def __iter__(self):
        return iter([[random.Random().randrange(11)]])

    def __len__(self):
        return 1


def test_what_cannot_be_gone_back_into_is_named():
    data = TensorDataset(torch.arange(11))
    assert without_place(DataLoader(data, shuffle=True)) is None and without_place([1, 2]) is None
    batches = BatchSampler(SequentialSampler(data), 2, drop_last=True)
    assert without_place(DataLoader(data, batch_sampler=batches)) is None
    for own in (OwnBatches(), BatchSampler(OwnBatches(), 2, drop_last=True)):
        assert "OwnBatches is not known" in without_place(DataLoader(data, batch_sampler=own))
    assert "persistent workers" in without_place(DataLoader(data, num_workers=1, persistent_workers=True))
    assert "range_iterator is not known" in without_place(DataLoader(data, sampler=iter(range(11))))
    assert "list_iterator is not known" in without_place(iter([1]))
    assert "IterableDataset is not known" in without_place(DataLoader(Endless()), accumulate=2)
    with pytest.raises(ValueError, match="accumulate = 0: it must be at least 1"):
        without_place(DataLoader(data), accumulate=0)
    assert "a pass of 11 batches ends in the middle of an update of 2" in without_place(DataLoader(data), accumulate=2)


def test_the_examples_of_a_batch_are_known_from_a_batch_sampler():
    data = TensorDataset(torch.arange(200))
    sampled = DataLoader(data, batch_sampler=BatchSampler(SequentialSampler(data), 20, drop_last=False))
    assert (loader_size(sampled), given(sampled, 20)) == (20, 200)


class OfUnknownSize:
    """Gives batches, and does not tell of how many examples."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length


def test_the_examples_of_a_batch_follow_from_those_of_a_pass():
    """A loader that does not tell its batch's would make an update of each example."""
    assert batch_size(OfUnknownSize(10), 200) == 20 and batch_size(OfUnknownSize(10), None) == 1
    assert batch_size(DataLoader(range(200), batch_size=8), 200) == 8
    with pytest.raises(cyclr.CyclrError, match="there are 200 examples, and OfUnknownSize does not tell"):
        batch_size(OfUnknownSize(None), 200)
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    trainer = cyclr.torch.Trainer(torch.nn.Linear(1, 1), optimizer, None, OfUnknownSize(10), examples=200)
    assert (trainer.info.examples, trainer.info.batch) == (200, 20)


def test_what_a_batch_sampler_draws_is_what_is_held_out():
    data = TensorDataset(torch.arange(200))
    chosen = BatchSampler(SubsetRandomSampler(range(150, 190)), 25, drop_last=True)
    halves, counts = splits(None, DataLoader(data, batch_sampler=chosen), None, 0, say=False)
    assert counts == {"validation": 20, "test": 20}
    seen = [value for half in halves.values() for [batch] in half for value in batch.tolist()]
    assert sorted(seen) == list(range(150, 190))
    assert held_out_count("test", DataLoader(data, batch_sampler=chosen)) == 25
    with pytest.raises(cyclr.CyclrError, match="share 10 examples"):
        splits(DataLoader(Subset(data, range(160))), DataLoader(data, batch_sampler=chosen), None, 0, say=False)


def test_a_checksum_is_that_of_the_integers_of_each_split():
    def told(labels, places=range(6), dtype=torch.int64, kind=TensorDataset):
        data = kind(torch.rand(11), torch.tensor(labels).to(dtype))
        return checksum_of(DataLoader(Subset(data, places), shuffle=True), {"validation": 5, "test": None})

    class Lazy(TensorDataset):
        """It may compute its examples."""

    labels = list(range(11))
    crc = zlib.crc32(struct.pack("<6q", *range(6)))
    assert told(labels) == f"CRC-32 of the integers in train {crc:08x}"
    assert told([*labels[:10], 0]) == told(labels), "the last is in no split"
    assert len({told(labels), told(labels[::-1]), told(labels, places=range(5, -1, -1))}) == 3
    assert told(labels, dtype=torch.float32) is None and told(labels, kind=Lazy) is None


def test_a_checksum_of_data_that_are_not_read_is_that_of_the_places_of_what_is_held_out():
    def told(seed):
        parts = torch.utils.data.random_split(range(12), [8, 2, 2], torch.Generator().manual_seed(seed))
        train, validation, test = (DataLoader(part) for part in parts)
        places = [struct.pack("<2q", *loader.dataset.indices) for loader in (validation, test)]
        wanted = f"validation {zlib.crc32(places[0]):08x}, test {zlib.crc32(places[1]):08x}"
        assert checksum_of(train, {"validation": validation, "test": test}) == f"CRC-32 of the places of {wanted}"
        return wanted

    assert told(1) != told(2)
    assert checksum_of(DataLoader(range(12)), {"validation": 5, "test": None}) is None


def test_the_numbers_and_tensors_that_a_module_keeps_belong_to_its_state():
    module = torch.nn.Linear(2, 1)
    module.scale, module.warmth = torch.ones(2), 0.5
    held, state = module.scale, capture_model(module)
    module.scale *= 3
    module.warmth, module.late = 0.1, 1
    restore_model(module, state)
    assert module.warmth == 0.5 and module.scale is held and held.tolist() == [1.0, 1.0]


def test_the_loss_of_an_update_is_the_mean_over_its_micro_batches():
    losses = Losses()
    weight = torch.tensor(2.0, requires_grad=True)
    for divisor, values in [(1, [3.0]), (1, [1.0, 3.0]), (2, [1.0, 3.0]), (4, [1.0, 2.0, 3.0, 2.0])]:
        for value in values:
            loss = weight * torch.tensor([value / 2]).sum()
            losses.add(loss / divisor if divisor > 1 else loss)
        assert losses.take() == sum(values) / len(values)
    # The last accumulation of an epoch is shorter, and divided by as many.
    losses.add(weight * torch.tensor([1.0]).sum() / 4)
    assert losses.take() == 2.0
    assert losses.take() is None
    # It may be the first that a process sees.
    losses = Losses(accumulate=4)
    losses.add(weight * torch.tensor([1.0]).sum() / 4)
    assert losses.take() == 2.0
