"""Held-out data that do not tell their length."""

import itertools

import pytest

torch = pytest.importorskip("torch")

import cyclr  # noqa: E402
from cyclr.torch import _trainer  # noqa: E402
from cyclr.torch._held_out import splits  # noqa: E402
from torch.utils.data import DataLoader, IterableDataset  # noqa: E402


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
    assert splits(Again(), Again(), 0, say=False)[1] == {"validation": 12, "test": 12}


@pytest.mark.parametrize(
    "once", [batches(), DataLoader(Stream(iter([(0.0, 1), (0.0, 1)])))], ids=["generator", "stream"]
)
def test_what_can_be_gone_through_once_is_refused(once):
    with pytest.raises(cyclr.CyclrError, match="the test loader gives its batches once"):
        splits(4, once, 0, say=False)


def test_one_without_an_end_is_said_and_refused(monkeypatch, capsys):
    monkeypatch.setattr(_trainer, "SAY_AFTER", 0.0)
    monkeypatch.setattr(_trainer, "MOST_EXAMPLES", 1000)
    with pytest.raises(
        cyclr.CyclrError, match="the validation loader has given 1004 examples and seems to have no end"
    ):
        splits(itertools.cycle(list(batches())), 4, 0, say=False)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "the validation loader does not tell its length" in said
