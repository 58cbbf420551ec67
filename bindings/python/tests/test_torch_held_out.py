"""Held-out data that do not tell their length."""

import itertools

import pytest

torch = pytest.importorskip("torch")

import cyclr  # noqa: E402
from cyclr._place import Place  # noqa: E402
from cyclr.torch import _examples  # noqa: E402
from cyclr.torch._held_out import splits  # noqa: E402
from torch.utils.data import (  # noqa: E402
    DataLoader,
    DistributedSampler,
    IterableDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
)


def batches(count=3):
    return ((torch.rand(4, 2), torch.zeros(4)) for _ in range(count))


class Again:
    def __iter__(self):
        return batches()


class Stream(IterableDataset):
    def __init__(self, source):
        self.source = source

    def __iter__(self):
        return iter(self.source)


def test_a_loader_without_a_length_is_counted():
    assert splits(None, Again(), Again(), 0, say=False)[1] == {"validation": 12, "test": 12}


def test_a_tensor_is_a_data_set():
    halves, counts = splits(None, DataLoader(torch.arange(10), batch_size=2), None, 0, say=False)
    assert counts == {"validation": 5, "test": 5}
    seen = [value for half in halves.values() for batch in half for value in batch.tolist()]
    assert sorted(seen) == list(range(10))


def test_a_pass_may_be_of_unknown_length():
    assert Place(DataLoader(Stream([1, 2]))).length == Place(iter([1, 2])).length == float("inf")
    assert Place(DataLoader([1, 2])).length == Place([1, 2]).length == 2


@pytest.mark.parametrize(
    "once", [batches(), DataLoader(Stream(iter([(0.0, 1), (0.0, 1)])))], ids=["generator", "stream"]
)
def test_what_can_be_gone_through_once_is_refused(once):
    with pytest.raises(cyclr.CyclrError, match="the test loader gives its batches once"):
        splits(None, 4, once, 0, say=False)


def test_one_without_an_end_is_said_and_refused(monkeypatch, capsys):
    monkeypatch.setattr(_examples, "SAY_AFTER", 0.0)
    monkeypatch.setattr(_examples, "MOST_EXAMPLES", 1000)
    with pytest.raises(
        cyclr.CyclrError, match="the validation loader has given 1004 examples and seems to have no end"
    ):
        splits(None, itertools.cycle(list(batches())), 4, 0, say=False)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "the validation loader does not tell its length" in said


DATA = TensorDataset(torch.arange(100))


def by(places, **settings):
    return DataLoader(DATA, batch_size=4, sampler=SubsetRandomSampler(places), **settings)


def shown(halves):
    return {name: sorted(value for (batch,) in half for value in batch.tolist()) for name, half in halves.items()}


def test_a_sampler_that_takes_a_part_is_obeyed():
    """The rest of the data set may be what is trained on."""
    halves, counts = splits(None, by(range(80, 100)), None, 0, say=False)
    assert counts == {"validation": 10, "test": 10}
    assert sorted(value for half in shown(halves).values() for value in half) == list(range(80, 100))
    halves, counts = splits(None, by([81, 80, 84]), by([99, 98]), 0, say=False)
    assert counts == {"validation": 3, "test": 2}
    assert shown(halves) == {"validation": [80, 81, 84], "test": [98, 99]}
    dropping = by(range(7), drop_last=True), by(range(7, 9))
    assert splits(None, *dropping, 0, say=False)[1] == {"validation": 4, "test": 2}


def test_samplers_that_share_examples_are_refused():
    again = DataLoader(TensorDataset(DATA.tensors[0]), sampler=[84, 85])
    for test in (by(range(84, 90)), again):
        with pytest.raises(cyclr.CyclrError, match="share 2 examples" if test is again else "share 6 examples"):
            splits(None, by(range(80, 90)), test, 0, say=False)


class Weighted(torch.utils.data.WeightedRandomSampler):
    """Does not tell which examples it draws."""

    def __init__(self):
        super().__init__([1.0] * 100, 10)


@pytest.mark.parametrize(
    ("train", "held_out", "reason"),
    [
        (DATA, DATA, "are the same data"),
        (by(range(80, 100)), by(range(80, 100)), "are the same data"),
        (DataLoader(DATA, shuffle=True), DataLoader(TensorDataset(*DATA.tensors)), "are the same data"),
        (by(range(85)), by(range(80, 100)), "share 5 examples"),
        (
            DataLoader(Subset(DATA, range(85))),
            DataLoader(Subset(Subset(DATA, range(50, 100)), [30, 40])),
            "share 1 examples",
        ),
    ],
)
@pytest.mark.parametrize("name", ["validation", "test"])
def test_what_is_trained_on_is_no_held_out_data(train, held_out, reason, name):
    others = {"validation": None, "test": None, name: held_out}
    with pytest.raises(cyclr.CyclrError, match=f"train and {name} {reason}: .* hold examples out"):
        splits(train, *others.values(), 0, say=False)


def test_data_that_are_not_known_to_be_apart_are_named(capsys):
    own = DataLoader(DATA, sampler=Weighted())
    assert splits(own, by([98]), by([99]), 0, say=True)[1] == {"validation": 1, "test": 1}
    told = capsys.readouterr().err.splitlines()
    assert [line.split(" draw")[0] for line in told] == ["cyclr: train and validation", "cyclr: train and test"]
    other = DataLoader(TensorDataset(torch.arange(100)), sampler=Weighted())
    splits(other, by([98]), by([99]), 0, say=True)
    splits(by(range(90)), by([98]), by([99]), 0, say=True)
    splits([(1, 2)], [(1, 2)], 5, 0, say=True)
    assert capsys.readouterr().err == ""


def test_a_sampler_of_ones_own_cannot_be_halved():
    class Sampler:
        def __iter__(self):
            return iter([80, 81])

        def __len__(self):
            return 2

    with pytest.raises(cyclr.CyclrError, match=r"cannot be halved: .* without a sampler of your own"):
        splits(None, DataLoader(DATA, sampler=Sampler()), None, 0, say=False)


def test_halves_are_shared_out_to_the_processes_as_the_whole_was():
    ranks = [DataLoader(DATA, 4, sampler=DistributedSampler(DATA, 2, rank)) for rank in (0, 1)]
    made = [splits(None, loader, None, 0, say=False) for loader in ranks]
    assert [counts for _, counts in made] == [{"validation": 50, "test": 50}] * 2
    parts = [shown(halves) for halves, _ in made]
    assert [len(part["validation"]) for part in parts] == [25, 25]
    assert sorted(value for part in parts for half in part.values() for value in half) == list(range(100))


def test_shuffled_examples_are_measured_in_one_order():
    """`cyclr train --stop-when plateau` compares the examples of two evaluations one by one."""
    x = torch.randn(40, 3)
    held_out = DataLoader(TensorDataset(x, (x[:, 0] > 0.5).long()), batch_size=8, shuffle=True)
    loss = torch.nn.functional.cross_entropy
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    trainer = cyclr.torch.Trainer(model, optimizer, loss, held_out, validation=held_out)
    first = trainer.evaluate("validation").correct
    torch.rand(5)
    assert 0 < sum(first) < 40 and trainer.evaluate("validation").correct == first
