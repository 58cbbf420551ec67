"""Scripts behind launchers and frameworks under the real command, to bounds and to a verdict: minutes of training."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.skipif("CYCLR_CI_INTEGRATIONS" not in os.environ, reason="CYCLR_CI_INTEGRATIONS is not set")

OWN_LOOP = pathlib.Path(__file__).parent / "own_loop"
PYTHON = sys.executable
TORCHRUN = [PYTHON, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
NPM = ["npm", "exec", "--offline", "--call"]
# What each needs, and what it runs.
COMMANDS = {
    "torchrun": ("torch", [*TORCHRUN, str(OWN_LOOP / "ranks.py")]),
    "torchrun, served": ("torch", [*TORCHRUN, str(OWN_LOOP / "ranks.py"), "--serve"]),
    "accelerate": (
        "accelerate",
        [PYTHON, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1", str(OWN_LOOP / "accelerated.py")],
    ),
    "npm": ("npm", [*NPM, f"{PYTHON} {OWN_LOOP / 'accelerated.py'}"]),
    "lightning cli": ("typeshed_client", [PYTHON, str(OWN_LOOP / "lightning_cli.py"), "fit"]),
}


def cyclr(*words, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [PYTHON, "-m", "cyclr", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_bounds_are_found_and_policies_compared(tmp_path, name):
    needed, command = COMMANDS[name]
    if not (shutil.which(needed) or importlib.util.find_spec(needed)):
        pytest.skip(f"{needed} is not installed")
    found = cyclr("find", "--json", "--budget", "600", "--", *command, folder=tmp_path)
    assert '"max_lr"' in found
    options = ["--budget", "60", "--seeds", "3", "--margin", "5", "--bounds", "0.05..0.5"]
    arms = ["--arm", "fixed", "--arm", "triangular2"]
    said = cyclr("compare", *options, *arms, "--out", "c", "--", *command, folder=tmp_path)
    assert "triangular2" in said and "n = 3" in said
    # A run that prints nothing has no log.
    logs = [log.read_text() for log in (tmp_path / "c" / "final").rglob("output.log")]
    assert not any("the end" in log for log in logs), "what comes after the loop does not run"


def test_two_processes_are_driven_with_no_line_changed(tmp_path):
    command = [*TORCHRUN, "-m", "cyclr", "drive", str(OWN_LOOP / "ranks.py"), "--unaware"]
    assert '"max_lr"' in cyclr("find", "--json", "--budget", "600", "--", *command, folder=tmp_path)
