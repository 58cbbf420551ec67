"""Scripts behind launchers, under the real command."""

import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("torch")
soak = pytest.mark.skipif("CYCLR_CI_INTEGRATIONS" not in os.environ, reason="CYCLR_CI_INTEGRATIONS is not set")

OWN_LOOP = pathlib.Path(__file__).parent / "own_loop"
PYTHON = sys.executable
TORCHRUN = [PYTHON, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
TRAIN = ["--updates", "30", "--policy", "fixed(lr=0.1)"]


def cyclr(*words, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [PYTHON, "-m", "cyclr", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_is_trained_behind_torchrun(tmp_path):
    """The one that is tested every time; kinds/ has more of torchrun, accelerate and LightningCLI."""
    said = cyclr("train", *TRAIN, "--out", "run", "--", *TORCHRUN, str(OWN_LOOP / "ranks.py"), folder=tmp_path)
    assert "accuracy" in said
    assert "the end" not in (tmp_path / "run" / "output.log").read_text(), "what comes after the loop does not run"


@soak
def test_a_run_is_trained_behind_npm(tmp_path):
    if shutil.which("npm") is None or importlib.util.find_spec("accelerate") is None:
        pytest.skip("npm or accelerate is not installed")
    command = ["npm", "exec", "--offline", "--call", f"{PYTHON} {OWN_LOOP / 'accelerated.py'}"]
    assert "accuracy" in cyclr("train", *TRAIN, "--out", "run", "--", *command, folder=tmp_path)


@soak
def test_a_training_that_is_served_is_trained_behind_torchrun(tmp_path):
    command = [*TORCHRUN, str(OWN_LOOP / "ranks.py"), "--serve"]
    assert "accuracy" in cyclr("train", *TRAIN, "--out", "run", "--", *command, folder=tmp_path)


@soak
def test_a_job_behind_torchrun_that_is_stopped_loses_no_update(tmp_path):
    """SIGTERM to every process of the job, as a cluster sends it: cyclr's, torchrun's and both that train."""
    command = [*TORCHRUN, str(OWN_LOOP / "ranks.py"), "--defer"]
    (tmp_path / "slow").touch()
    words = [PYTHON, "-m", "cyclr", "train", *TRAIN[:1], "80", *TRAIN[2:], "--out", "run", "--", *command]
    with (tmp_path / "log").open("w") as log:
        job = subprocess.Popen(words, cwd=tmp_path, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})
    events = tmp_path / "run" / "events.jsonl"
    until(lambda: events.exists() and len(updates_in(events)) >= 20)
    for pid in (job.pid, *descendants(job.pid)):
        os.kill(pid, signal.SIGTERM)
    assert job.wait(timeout=60) == 130, (tmp_path / "log").read_text()
    [saved] = [int(path.stem) for path in sorted((tmp_path / "run" / "checkpoints").glob("*.ckpt"))[-1:]]
    made = updates_in(events)
    assert 20 <= len(made) == saved < 80, "what was made is saved, up to the last update"

    (tmp_path / "slow").unlink()
    cyclr("resume", "run", folder=tmp_path)
    cyclr("train", *TRAIN[:1], "80", *TRAIN[2:], "--out", "straight", "--", *command, folder=tmp_path)
    straight = updates_in(tmp_path / "straight" / "events.jsonl")
    assert updates_in(events) == straight and len(straight) == 80


def updates_in(events):
    """The metrics of the updates in a log."""
    lines = [json.loads(line) for line in events.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [line["metrics"] for line in lines if line["event"] == "updated"]


def descendants(pid):
    """The processes that one has started, and theirs."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *descendants(child))]


def until(found):
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@soak
def test_two_processes_are_driven_with_no_line_changed(tmp_path):
    command = [*TORCHRUN, "-m", "cyclr", "drive", str(OWN_LOOP / "ranks.py"), "--unaware"]
    assert '"max_lr"' in cyclr("find", "--json", "--budget", "600", "--", *command, folder=tmp_path)
