"""The scripts of docs/your-script.md and docs/frameworks.md, as they are written there."""

import importlib.util
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
from forked import Forked, alone

pytest.importorskip("torch")
DOCS = pathlib.Path(__file__).parents[3] / "docs"
PAGE = "\n".join((DOCS / name).read_text() for name in ("your-script.md", "frameworks.md"))
SCRIPTS = re.findall(r"<!-- (\S+): (\w+) -->\n```python\n(.*?)```", PAGE, flags=re.S)


def test_every_block_has_a_name_and_a_command():
    assert len(SCRIPTS) == PAGE.count("```python") == 8
    for name, _, _ in SCRIPTS:
        assert re.search(rf"^    cyclr (find|compare) .*-- .*{name}$", PAGE, flags=re.M), name


COMMANDS = re.findall(r"^    cyclr (.*) -- ", re.sub(r" *\\\n *", " ", PAGE), flags=re.M)


@pytest.mark.parametrize("arguments", sorted(set(COMMANDS)))
def test_every_command_has_the_options_that_it_is_given(arguments):
    """Unknown ones are refused before there is help."""
    command = [sys.executable, "-m", "cyclr", *shlex.split(arguments), "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_comparison_costs_six_lines_and_removes_none():
    [script] = [script for name, _, script in SCRIPTS if name == "compare.py"]
    lines = script.splitlines()
    added = [line for line in lines if "# +" in line]
    assert len(added) == 6
    alone = [line for line in lines if "# +" not in line]
    assert not any("cyclr" in line for line in alone)
    compile("\n".join(alone), "compare.py", "exec")


@pytest.mark.parametrize(("name", "what", "script"), SCRIPTS, ids=[name for name, _, _ in SCRIPTS])
def test_a_script_runs_alone_and_under_cyclr(tmp_path, ends_with_test, name, what, script):
    if what not in ("drive", "attach"):
        if "CYCLR_CI_INTEGRATIONS" not in os.environ:
            pytest.skip("CYCLR_CI_INTEGRATIONS is not set")
        if importlib.util.find_spec(what) is None:
            pytest.skip(f"{what} is not installed")
    path = tmp_path / name
    path.write_text(script)
    environment = {"KERAS_BACKEND": "torch"}
    alone(path, log=tmp_path / "alone", environment=environment)

    before = ["--epochs-argument=--epochs"] if what == "drive" else []
    driver = ends_with_test(Forked(*before, path, log=tmp_path / "log", drive=what == "drive", environment=environment))
    info = driver.initialize(seed=1)
    assert info["batch"] == 20 and info["examples"] in (200, 400)
    made = driver.updates(70, lr=0.05)
    assert len(made) == 70 and made[0][0]["name"] == "loss"
    if what != "drive":
        first = driver.result("evaluate", split="validation")
        assert first == driver.result("evaluate", split="validation")
        assert info["objective"]["name"] in [metric["name"] for metric in first["metrics"]]
        driver.result("evaluate", split="test")
    assert driver.shutdown() == 0
