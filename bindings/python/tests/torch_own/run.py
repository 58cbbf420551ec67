"""Runs torch's own tests of `CyclicLR` and `OneCycleLR` against cyclr's classes.

    python run.py PATH

PATH is a checkout of PyTorch of about the installed version, or its file test/optim/test_lrscheduler.py; the tests need the
package expecttest. Every test in which torch's classes are constructed is run again with ours in their place. The exit code
says whether ours pass all that torch's pass.

Recorded: torch 2.15.0 and the file of commit 01f9ef32, its tests of the two schedulers: of 34 tests torch's classes pass
34 and ours 34. So there are no intended differences in what torch tests.
"""

import functools
import importlib.util
import pathlib
import sys
import unittest

import cyclr.torch
import torch
from torch.optim import lr_scheduler

NAMES = ("CyclicLR", "OneCycleLR")


def load(path: pathlib.Path, name: str):
    """The test module, with its imports bound to the classes that torch.optim.lr_scheduler holds now."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    return module


def cases(module) -> list[unittest.TestCase]:
    """All tests of a module, but not those that it imports."""
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, unittest.TestCase)]
    names = unittest.TestLoader().getTestCaseNames
    return [kind(name) for kind in kinds if kind.__module__ == module.__name__ for name in names(kind)]


def results(path: pathlib.Path, name: str, classes: list[type]) -> dict[str, str]:
    """What came of each test that constructs one of the classes."""
    constructed = 0

    def counting(init):
        @functools.wraps(init)
        def wrapped(*args, **kwargs):
            nonlocal constructed
            constructed += 1
            return init(*args, **kwargs)

        return wrapped

    for of_one in classes:
        setattr(lr_scheduler, of_one.__name__, of_one)
        of_one.__init__ = counting(of_one.__init__)
    told = {}
    for test in cases(load(path, name)):
        before, outcome = constructed, unittest.TestResult()
        test.run(outcome)
        bad = [*outcome.failures, *outcome.errors, *outcome.skipped]
        if constructed > before:
            told[test.id().split(".", 1)[1]] = bad[0][1].strip().splitlines()[-1] if bad else "ok"
    return told


def main() -> int:
    path = pathlib.Path(sys.argv[1])
    if path.is_dir():
        path = path / "test" / "optim" / "test_lrscheduler.py"
    torchs = results(path, "of_torchs", [getattr(lr_scheduler, name) for name in NAMES])
    ours = results(path, "of_ours", [getattr(cyclr.torch, name) for name in NAMES])
    print(f"torch {torch.__version__}, tests of {path.name} in which the classes are constructed: {len(torchs)}")
    passed = [name for name, told in torchs.items() if told == "ok"]
    failed = {name: ours.get(name, "ours were not constructed") for name in passed if ours.get(name) != "ok"}
    for name, told in failed.items():
        print(f"{name}: {told}")
    print(f"torch's pass {len(passed)}; of these ours pass {len(passed) - len(failed)}")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
