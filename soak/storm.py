"""Kills cyclr at random moments until its work is done, and compares what it leaves with an uninterrupted run.

    python3 soak/storm.py [--kills 1000] [--seed 1] [--cyclr target/release/cyclr]

Each round takes one kind of work at one CPU level, starts it, kills it with SIGKILL (now and then another signal), and
resumes it until it is done. The files must then equal those of a straight run but for times. After each kill no process
may be left and no temporary folder. Linux only. It ends with 0 if nothing differs and nothing is left.
"""

import argparse
import csv
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHILD = ["--", sys.executable, str(HERE / "child.py")]
TRIANGULAR = "triangular(base=0.003, max=0.03, step=50)"
POLICY = ["--policy", TRIANGULAR]
SHORT = ["--policy", "triangular(base=0.003, max=0.03, step=5)"]
LEVELS = ["portable", "avx2"]
# After this many kills a round is left to end, so that every round ends.
MOST_KILLS = 40
# How long what is left of a killed process may take to go.
GRACE = 10.0


class Work:
    """Something to do in a folder: how it is begun, and how it goes on."""

    def __init__(self, begin, extend=None, timed=False):
        # A run by the clock makes as many updates as it can: it is compared with a run of that many.
        self.begin, self.extend, self.timed = begin, extend, timed

    def command(self, out):
        if not any((out / name).exists() for name in ("run.json", "comparison.json")):
            place = self.begin.index("--") if "--" in self.begin else len(self.begin)
            return [*self.begin[:place], "--out", str(out), *self.begin[place:]]
        more = self.extend if self.extend and not json.loads((out / "run.json").read_text())["changes"] else []
        return ["resume", str(out), *more]

    def prepare(self, storm, out, level):
        """What is not to be killed: a run that will be extended is finished first."""
        if self.extend:
            subprocess.run([storm.cyclr, *self.command(out)], check=True, env=storm.env(level), **QUIET)


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
COMPARE = ["compare", "--arm", "fixed", "--arm", "linear", "--seeds", "2"]
WORK = {
    "train": Work(["train", "--updates", "800", "--optimizer", "adamw", *POLICY]),
    "extension": Work(["train", "--updates", "200", *POLICY], ["--updates", "800", "--keep-shape"]),
    "child": Work(["train", "--updates", "1000", *POLICY, *CHILD]),
    "compare": Work([*COMPARE, "--budget", "60", "--budgets", "1/2,1"]),
    "train for a time": Work(["train", "--time", "3s", *POLICY], timed=True),
    "extended child": Work(["train", "--updates", "200", *POLICY, *CHILD], ["--updates", "1000", "--keep-shape"]),
    "train a convolutional net": Work(["train", "--net", "lenet", "--updates", "50", "--crop", "2", "--flip", *SHORT]),
    "compare children": Work([*COMPARE, "--budget", "150", "--margin", "0.01", *CHILD]),
    "train until a plateau": Work(["train", "--updates", "1500", "--stop-when", "plateau", *POLICY]),
    "stretched extension": Work(["train", "--updates", "200", *POLICY], ["--updates", "800", "--stretch"]),
}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--cyclr", default=str(HERE.parent / "target/release/cyclr"))
    options.add_argument("--only", action="append", help="rounds of this kind alone; can be repeated")
    options = options.parse_args()
    names = [name for name in WORK if not options.only or name in options.only]
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        storm = Storm(options.cyclr, Path(folder), random.Random(options.seed))
        rounds = [(name, level) for name in names for level in LEVELS]
        while storm.kills < options.kills:
            storm.round(*rounds[storm.rounds % len(rounds)])
        sys.exit(storm.report())


class Storm:
    def __init__(self, cyclr, folder, chance):
        self.cyclr, self.folder, self.chance = os.path.abspath(cyclr), folder, chance
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        # Every process that comes of this storm has it in its environment.
        self.mark = f"CYCLR_STORM={os.getpid()}-{chance.getrandbits(64):x}"
        self.straight = {}
        self.rounds = self.kills = self.differences = self.failures = self.orphans = self.temporary_left = 0

    def env(self, level):
        name, _, value = self.mark.partition("=")
        return {**os.environ, "TMPDIR": str(self.temporary), "CYCLR_CPU": level, name: value}

    def round(self, name, level):
        work, before = WORK[name], self.kills
        seconds = 3.0 if work.timed else self.straight_run(name, level)[1]
        out = self.folder / "run"
        shutil.rmtree(out, ignore_errors=True)
        work.prepare(self, out, level)
        code, said = self.kill_until_done(work, out, level, seconds)
        killed = record(out)
        if work.timed and code == 0:
            self.run_as_long(name, level, killed["result.json"]["updates_done"])
        straight, _ = self.straight_run(name, level)
        different = differences(straight, killed, work.timed)
        self.rounds += 1
        self.failures += code != 0
        self.differences += bool(different)
        result = "equal" if not different else f"DIFFERENT: {', '.join(different[:5])}"
        if code != 0:
            result += f"; ended with {code}: {said.strip().splitlines()[-1:]}"
        print(f"{name} ({level}): {self.kills - before} kills, {result}; {self.totals()}", flush=True)
        if different or code != 0:
            kept = Path(tempfile.mkdtemp(prefix="storm-kept-"))
            shutil.copytree(out, kept / "killed")
            shutil.copytree(self.straight_folder(name, level), kept / "straight")
            print(f"  both are kept in {kept}", flush=True)

    def straight_folder(self, name, level):
        return self.folder / f"{name}-{level}"

    def straight_run(self, name, level):
        """The record of an uninterrupted run, and the seconds it took."""
        if (name, level) not in self.straight:
            work, out = WORK[name], self.straight_folder(name, level)
            work.prepare(self, out, level)
            began = time.monotonic()
            subprocess.run([self.cyclr, *work.command(out)], check=True, env=self.env(level), **QUIET)
            self.straight[name, level] = record(out), time.monotonic() - began
        return self.straight[name, level]

    def run_as_long(self, name, level, updates):
        """The straight run for one by the clock."""
        out = self.straight_folder(name, level)
        shutil.rmtree(out, ignore_errors=True)
        work = Work(["train", "--updates", str(updates), *POLICY])
        subprocess.run([self.cyclr, *work.command(out)], check=True, env=self.env(level), **QUIET)
        self.straight[name, level] = record(out), 0.0

    def kill_until_done(self, work, out, level, seconds):
        """Starts and resumes the work, with a kill at a random moment of each sitting; its exit code and last words."""
        for sitting in range(MOST_KILLS + 1):
            with open(self.folder / "stderr", "w+b") as errors:
                process = subprocess.Popen(
                    [self.cyclr, *work.command(out)], env=self.env(level), stdout=subprocess.DEVNULL, stderr=errors
                )
                try:
                    process.wait(self.moment(seconds) if sitting < MOST_KILLS else None)
                except subprocess.TimeoutExpired:
                    self.kill(process)
                self.clear_up()
                # A signal that can be caught may come when the work is done.
                if process.returncode >= 0 and process.returncode != 130:
                    errors.seek(0)
                    return process.returncode, errors.read().decode(errors="replace")
        raise AssertionError("the last sitting is left to end")

    def moment(self, seconds):
        """When a sitting is killed: often while it starts, else anywhere."""
        if self.chance.random() < 0.3:
            return self.chance.uniform(0.0, 0.15)
        return self.chance.uniform(0.05, max(0.5, min(seconds, 4.0)))

    def kill(self, process):
        how = self.chance.choices([signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP], [12, 1, 1, 1])[0]
        process.send_signal(how)
        process.wait()
        self.kills += 1

    def clear_up(self):
        """Counts and removes what is left of a process that has ended."""
        deadline = time.monotonic() + GRACE
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in left:
            print(f"  ORPHAN {pid}: {command_line(pid)}", flush=True)
            os.kill(pid, signal.SIGKILL)
        self.orphans += len(left)
        for entry in self.temporary.iterdir():
            print(f"  TEMPORARY FOLDER LEFT: {entry.name}", flush=True)
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            self.temporary_left += 1

    def processes(self):
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and self.is_ours(entry)]

    def is_ours(self, entry):
        try:
            return self.mark.encode() in (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            # It has ended meanwhile, or is another user's.
            return False

    def totals(self):
        return (
            f"{self.kills} kills in {self.rounds} rounds: {self.differences} different, {self.failures} failed, "
            f"{self.orphans} orphans, {self.temporary_left} temporary folders left"
        )

    def report(self):
        print(self.totals())
        return int(any([self.differences, self.failures, self.orphans, self.temporary_left]))


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "ended meanwhile"


# Made again each time, or with times in them that cannot be told from other text.
LEFT_OUT = {".ckpt", ".log", ".html", ".svg", ".png", ".lock"}
NOT_COMPARED = {".lock", "figures.json", "figures.csv", "pace.json", "failed.json"}


def record(folder):
    """What the files of a folder say, without times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in LEFT_OUT and path.name not in NOT_COMPARED:
            name = str(path.relative_to(folder))
            # TensorBoard's files have the time in their names.
            found[name.split(".tfevents")[0]] = content(path)
    return found


def content(path):
    data = path.read_bytes()
    if path.name == "events.jsonl":
        return [without_times(json.loads(line)) for line in data.splitlines()]
    if path.suffix == ".json":
        return without_times(json.loads(data))
    if path.name == "runs.csv":
        rows = csv.DictReader(io.StringIO(data.decode()))
        return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
    if "tfevents" in path.name:
        return len(data)
    return hashlib.sha256(data).hexdigest()


def without_times(value):
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if "seconds" not in k and k != "pace"}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def differences(straight, killed, timed):
    """The names of the files that are not the same."""
    if timed:
        straight, killed = of_training(straight), of_training(killed)
    return [name for name in sorted(straight.keys() | killed.keys()) if straight.get(name) != killed.get(name)]


def of_training(record):
    """What a run by the clock has in common with one of as many updates."""
    events = [event for event in record["events.jsonl"] if event["event"] in ("updated", "evaluated", "tested")]
    return {"events.jsonl": events, "model.safetensors": record["model.safetensors"]}


if __name__ == "__main__":
    main()
