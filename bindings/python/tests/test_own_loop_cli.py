"""A loop of one's own under the real command."""

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


def test_a_run_does_not_go_on_with_other_data(tmp_path):
    script = [sys.executable, str(OWN_LOOP / "labelled.py"), str(tmp_path)]

    def run(*words):
        return subprocess.run([*CYCLR, *words], capture_output=True, text=True)

    (tmp_path / "labels").write_text("01" * 50)
    policy = ["--policy", "fixed(lr=0.1)", "--updates", "10"]
    assert run("train", *policy, "--out", str(tmp_path / "run"), "--", *script).returncode == 0
    (tmp_path / "labels").write_text("10" + "01" * 49)
    longer = ["resume", str(tmp_path / "run"), "--updates", "20", "--stretch"]
    refused = run(*longer)
    assert refused.returncode != 0 and "the data are not those that" in refused.stderr, refused.stderr
    (tmp_path / "labels").write_text("01" * 50)
    assert run(*longer).returncode == 0


def test_a_script_that_sets_its_own_rate_is_refused(tmp_path):
    options = [
        "--budget",
        "40",
        "--seeds",
        "3",
        "--margin",
        "1",
        "--bounds",
        "0.01..0.3",
        "--out",
        str(tmp_path / "runs"),
    ]
    script = ["--", sys.executable, str(OWN_LOOP / "lacking.py"), "schedule"]
    done = subprocess.run([*CYCLR, "compare", *options, *script], capture_output=True, text=True)
    assert done.returncode == 2 and "the rate is not obeyed" in done.stderr, done.stderr


def events(folder):
    """The updates and evaluations of a run, without their times."""
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    kept = [line for line in lines if line["event"] in ("updated", "evaluated")]
    return [{key: value for key, value in line.items() if "seconds" not in key} for line in kept]
