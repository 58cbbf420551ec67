"""The seeds of a script that seeds itself."""

import random

import pytest

torch = pytest.importorskip("torch")

from cyclr.torch._seeds import _moved  # noqa: E402


@pytest.mark.parametrize("argument", [{"a": 3}, {"seed": 3}, 3, "numpy"], ids=str)
def test_a_seed_is_moved_however_it_is_given(argument):
    given = []
    seed = _moved(lambda *args, **kwargs: given.extend([*args, *kwargs.values()]), 2)
    if argument == "numpy":
        seed(pytest.importorskip("numpy").int64(3))
    elif isinstance(argument, dict):
        seed(**argument)
    else:
        seed(argument)
    assert given == [2_000_009]


def test_what_is_no_seed_of_the_scripts_stays():
    given = []
    for by, seeds in [(0, [3]), (2, [None, "text", 0.5])]:
        for one in seeds:
            _moved(given.append, by)(one)
    assert given == [3, None, "text", 0.5]
    _moved(random.seed, 0)(1)
