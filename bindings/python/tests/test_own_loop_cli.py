"""Loops of one's own under the real command: minutes of training."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.skipif("CYCLR_CI_INTEGRATIONS" not in os.environ, reason="CYCLR_CI_INTEGRATIONS is not set")

OWN_LOOP = pathlib.Path(__file__).parent / "own_loop"
CYCLR = [sys.executable, "-m", "cyclr"]
ATTACHED = ["--", sys.executable, str(OWN_LOOP / "attached.py")]


def test_find_needs_no_line(tmp_path):
    script = [*CYCLR, "drive", "--epochs-argument=--epochs", str(OWN_LOOP / "plain.py")]
    done = subprocess.run([*CYCLR, "find", "--json", "--budget", "2000", "--", *script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "max_lr" in done.stdout


def test_compare_comes_to_a_verdict(tmp_path):
    options = ["--budget", "300", "--seeds", "3", "--arm", "fixed", "--arm", "triangular2", "--margin", "1"]
    command = [*CYCLR, "compare", *options, "--out", str(tmp_path / "runs"), *ATTACHED]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "triangular2" in done.stdout and "n = 3" in done.stdout
    assert (tmp_path / "runs" / "report.html").exists()


def test_a_run_that_is_stopped_and_resumed_is_the_straight_one(tmp_path):
    def command(name):
        policy = ["--policy", "triangular(base=0.01, max=0.1, step=20)", "--updates", "240"]
        return [*CYCLR, "train", *policy, "--out", str(tmp_path / name), *ATTACHED]

    subprocess.run(command("whole"), check=True)
    cut = subprocess.Popen(command("cut"))
    log = tmp_path / "cut" / "events.jsonl"
    while not log.exists() or len(log.read_text().splitlines()) < 130:
        time.sleep(0.05)
    cut.send_signal(signal.SIGINT)
    assert cut.wait(timeout=120) == 130
    subprocess.run([*CYCLR, "resume", str(tmp_path / "cut")], check=True)
    assert events(tmp_path / "cut") == events(tmp_path / "whole")


def events(folder):
    """The updates and evaluations of a run, without their times."""
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    kept = [line for line in lines if line["event"] in ("updated", "evaluated")]
    return [{key: value for key, value in line.items() if "seconds" not in key} for line in kept]
