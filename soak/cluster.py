"""Makes comparisons on a real Slurm of three emulated nodes, stops their units in every way that a cluster has, and compares
what comes of them with comparisons made on one machine.

    python3 soak/cluster.py [--cyclr target/release/cyclr] [--only embedded] [--only child] [--short]

Needs root and Debian's packages slurm-wlm and munge, which it installs. In each comparison one unit is requeued, one killed
with SIGKILL, one pre-empted with grace, one runs into its time limit, and one node is lost; then everything is cancelled and
the coordinator killed, and `cyclr resume --on` ends it. It ends with 0 if `result.json` is the same but for times and places,
and nothing that was done was made again. Takes about five minutes a comparison. With --short, a unit is requeued and one is
killed, and that is all.

    unshare --net --pid --fork --mount-proc sh -c 'ip link set lo up; exec python3 soak/cluster.py --ray'

does the same on a real Ray of two nodes, of which one is lost while it works. It needs `ray` on the PATH (`pip install ray`)
and takes three minutes for both comparisons. The namespaces keep Ray on loopback, and end what it has started.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
LAUNCHERS = HERE.parent / "launchers"
ARMS = ["--arm", "fixed", "--arm", "linear", "--seeds", "2"]
WORK = {
    "embedded": [*ARMS, "--validation", "300", "--budget", "200"],
    "child": [*ARMS, "--budget", "1500", "--margin", "0.01", "--", sys.executable, str(HERE / "child.py")],
}
# The words of a record that differ from machine to machine and from run to run.
PLACES = {"pace", "machines", "locks", "processor", "cores"}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cyclr", default=str(HERE.parent / "target/release/cyclr"))
    options.add_argument("--ray", action="store_true", help="Ray instead of Slurm")
    options.add_argument("--only", action="append", choices=WORK)
    options.add_argument("--short", action="store_true", help="one requeue and one kill")
    options = options.parse_args()
    # What was started is stopped, also where a time limit ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    binaries = Path(options.cyclr).resolve().parent
    if options.ray:
        on_ray(binaries, options.only or WORK)
    else:
        on_slurm(binaries, options.only or WORK, short_comparison if options.short else comparison)
    print("ok")


def on_slurm(binaries, names, make):
    install()
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        slurm = Slurm(Path(folder) / "slurm", binaries)
        try:
            for name in names:
                make(slurm, Path(folder) / name, WORK[name])
                slurm.mend()
        finally:
            slurm.stop()


def on_ray(binaries, names):
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        ray = Ray(Path(folder) / "ray", binaries)
        for name in names:
            one_node_lost(ray, Path(folder) / name, WORK[name])
            ray.add_node()


def install():
    if not shutil.which("slurmctld"):
        for command in (["update", "-qq"], ["install", "-yqq", "--no-install-recommends", "slurm-wlm", "munge"]):
            subprocess.run(["apt-get", *command], check=True, stdout=subprocess.DEVNULL)


def comparison(slurm, folder, work):
    many = folder / "many"
    coordinator = begin(slurm, folder, work)
    before = slurm.states()
    stop_units(slurm, many)
    until(lambda: finished(many, "final"), "a final run is finished")
    say("everything is cancelled, and the coordinator killed")
    coordinator.kill()
    coordinator.wait()
    slurm.run("scancel", "--user", "root")
    until(lambda: not slurm.tasks(), "nothing runs")
    done = {path: path.stat().st_mtime_ns for path in finished(many, "*")}
    resumed = slurm.cyclr(["resume", str(many), "--on", str(slurm.LAUNCHER)], folder / "resumed.log")
    code = resumed.wait()
    assert code == 0, f"resume ended with {code}: {(folder / 'resumed.log').read_text()[-2000:]}"
    check_same(folder)
    again = [str(path) for path, time in done.items() if path.stat().st_mtime_ns != time]
    assert not again, f"made again: {again}"
    states = {state: n - before.get(state, 0) for state, n in slurm.states().items()}
    assert states["TIMEOUT"] > 0, states
    say(f"the results are the same; {len(done)} runs were done before, and none was made again; Slurm's: {states}")


def short_comparison(slurm, folder, work):
    coordinator = begin(slurm, folder, work)
    stop_units(slurm, folder / "many", ["requeued", "killed"])
    code = coordinator.wait()
    assert code == 0, f"compare ended with {code}: {(folder / 'many.log').read_text()[-2000:]}"
    check_same(folder)
    say("the results are the same")


def begin(engine, folder, work):
    """Makes the comparison on one machine, and begins it on many: the coordinator."""
    folder.mkdir()
    place = work.index("--") if "--" in work else len(work)
    command, rest = ["compare", *work[:place], "--out"], work[place:]
    say(f"{folder.name}: on one machine")
    # Its jobs change nothing; that of a command would be one.
    engine.cyclr([*command, str(folder / "one"), "--jobs", "4", *rest], folder / "one.log").wait()
    say("on many")
    on = ["--on", str(engine.LAUNCHER)]
    return engine.cyclr([*command, str(folder / "many"), *on, *rest], folder / "many.log")


def check_same(folder):
    one, made = (timeless(json.loads((folder / name / "result.json").read_text())) for name in ("one", "many"))
    assert one == made, "the results differ"
    failed = list((folder / "many").rglob("failed.json"))
    assert not failed, f"failed: {failed}"


def one_node_lost(ray, folder, work):
    coordinator = begin(ray, folder, work)

    def begun():
        return [log for log in folder.glob("many/tuning/*/*/events.jsonl") if log.stat().st_size]

    until(lambda: len(begun()) > 1, "two units have begun")
    unit = ray.lose(until(ray.at_work, "a unit at work"))
    say(f"{unit}: its node is lost")
    code = coordinator.wait()
    assert code == 0, f"compare ended with {code}: {(folder / 'many.log').read_text()[-2000:]}"
    check_same(folder)
    say("the results are the same")


def stop_units(slurm, many, chosen=None):
    """The ways in which a unit is stopped, or those that are chosen, one after the other, on units that are at work."""
    begun, limited = set(), {}

    def next_task():
        """A task that is at work, was not stopped before, and does not share the node of the one that waits for its limit."""
        tasks = [t for t in slurm.tasks() if t["id"] not in begun and t["node"] != limited.get("node")]
        for task in tasks:
            unit = slurm.unit(task)
            if unit and logged(many / unit) > 0:
                begun.add(task["id"])
                return task, unit
        return None

    def stop(how, action):
        task, unit = until(next_task, f"a task to be {how}")
        say(f"{unit} on {task['node']}: {how}")
        action(task)

    def limit(task):
        limited.update(task)
        os.kill(slurm.pid(task), signal.SIGSTOP)
        slurm.run("scontrol", "update", f"jobid={task['id']}", "timelimit=1")

    ways = {
        "run into its time limit": limit,
        "requeued": lambda task: slurm.run("scontrol", "requeue", task["id"]),
        "killed": lambda task: os.kill(slurm.pid(task), signal.SIGKILL),
        "pre-empted with grace": lambda task: slurm.preempt(task["node"]),
        "on a node that is lost": lambda task: slurm.lose(task["node"]),
    }
    for how in chosen or ways:
        stop(how, ways[how])


class Engine:
    """What has units made."""

    def __init__(self, binaries, **variables):
        path = f"{binaries}:{os.environ['PATH']}"
        self.env = {**os.environ, "PATH": path, "CYCLR_CPU": "portable", **variables}

    def cyclr(self, arguments, log):
        """cyclr, at work in the folder of its log."""
        with open(log, "w") as file:
            streams = {"stdout": file, "stderr": subprocess.STDOUT}
            return subprocess.Popen(["cyclr", *arguments], env=self.env, cwd=log.parent, **streams)


class Ray(Engine):
    """A head that makes nothing, and two nodes of one CPU."""

    LAUNCHER = LAUNCHERS / "ray_launch.py"
    ADDRESS = "127.0.0.1:6379"

    def __init__(self, root, binaries):
        super().__init__(binaries, RAY_ADDRESS=self.ADDRESS, RAY_USAGE_STATS_ENABLED="0")
        self.start("--head", "--port=6379", "--num-cpus=0", "--include-dashboard=false", f"--temp-dir={root}")
        self.add_node()
        self.add_node()

    def add_node(self):
        self.start(f"--address={self.ADDRESS}", "--num-cpus=1")

    def start(self, *arguments):
        small = ["--num-gpus=0", f"--object-store-memory={80 << 20}"]
        subprocess.run(["ray", "start", *arguments, *small], env=self.env, check=True, stdout=subprocess.DEVNULL)

    def at_work(self):
        """A process that is `cyclr work`, or nothing."""
        found = subprocess.run(["pgrep", "-f", "^cyclr work"], check=False, capture_output=True, text=True)
        return found.stdout.split()[-1] if found.stdout else None

    def lose(self, pid):
        """Kills the node of this process and all that runs there, and says what the process was."""
        words = of_process(pid, "args")
        while not of_process(pid, "args").split()[0].endswith("raylet/raylet"):
            pid = of_process(pid, "ppid")
        for process in [pid, *below(pid)]:
            os.kill(int(process), signal.SIGKILL)
        return words.split()[-1]


def of_process(pid, what):
    return subprocess.run(
        ["ps", "-o", f"{what}=", "-p", pid], check=True, capture_output=True, text=True
    ).stdout.strip()


def below(pid):
    """All processes that a process has started, and those that they have."""
    found = subprocess.run(["pgrep", "-P", pid], check=False, capture_output=True, text=True).stdout.split()
    return found + [process for child in found for process in below(child)]


class Slurm(Engine):
    LAUNCHER = LAUNCHERS / "slurm.sh"

    def __init__(self, root, binaries):
        super().__init__(binaries, SLURM_CONF=str(root / "slurm.conf"))
        self.root = root
        self.lost = []
        self.script("start")

    def script(self, what):
        subprocess.run([str(HERE / "slurm/start.sh"), str(self.root), what], check=True)

    def stop(self):
        self.script("stop")

    def run(self, *command):
        done = subprocess.run(command, env=self.env, check=True, capture_output=True, text=True)
        return done.stdout

    def tasks(self):
        """The tasks that run."""
        rows = self.run("squeue", "-h", "-r", "-t", "RUNNING", "-p", "main", "-o", "%A %N").split("\n")
        return [dict(zip(("id", "node"), row.split())) for row in rows if len(row.split()) == 2]

    def pid(self, task):
        """The process of a task that is `cyclr work`."""
        mark = f"SLURM_JOB_ID={task['id']}".encode()
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    if b"work" in words and words[0].endswith(b"cyclr"):
                        return int(entry.name)
            except OSError:
                pass  # It has ended meanwhile.
        return None

    def unit(self, task):
        """What a task makes; nothing if it has ended."""
        try:
            return Path(f"/proc/{self.pid(task)}/cmdline").read_bytes().split(b"\0")[3].decode()
        except (OSError, IndexError):
            return None

    def preempt(self, node):
        """A job of a partition that comes before takes a whole node for a moment."""
        self.run("sbatch", "-p", "urgent", "--nodelist", node, "--exclusive", "--output=/dev/null", "--wrap", "sleep 2")

    def lose(self, node):
        """The daemon of a node and all that runs there."""
        lost = [pid for task in self.tasks() if task["node"] == node and (pid := self.pid(task))]
        os.kill(int((self.root / f"{node}.pid").read_text()), signal.SIGKILL)
        for pid in lost:
            os.kill(pid, signal.SIGKILL)
        self.lost.append(node)

    def mend(self):
        """Lost nodes come back, for the next comparison."""
        for node in self.lost:
            self.run("slurmd", "-N", node, "-f", str(self.root / "slurm.conf"))
        self.lost.clear()

    def states(self):
        """How many jobs ended in each state."""
        states, log = {}, self.root / "jobcomp.txt"
        for line in log.read_text().splitlines() if log.exists() else []:
            state = line.split("JobState=")[1].split()[0]
            states[state] = states.get(state, 0) + 1
        return states


def logged(unit):
    log = unit / "events.jsonl"
    return log.stat().st_size if log.exists() else 0


def finished(folder, stage):
    return list(folder.glob(f"{stage}/**/result.json"))


def until(found, what, seconds=300):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds} s")


def timeless(value):
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if "seconds" not in k and k not in PLACES}
    return [timeless(v) for v in value] if isinstance(value, list) else value


def say(line):
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    main()
