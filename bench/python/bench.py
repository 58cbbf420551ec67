"""Runs what is not measured yet, keeps it in raw.jsonl, and writes RESULTS.md. Started by run.sh."""

import argparse
import datetime
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import cyclr
import torch
from tqdm import tqdm

import training
from report import ARMS, machine, spec, versions, write
from tools import TESTS, silent

HERE = Path(__file__).parent
# Updates of the tests that are timed; those of torch-lr-finder, fastai and Lightning are their defaults.
TIMED = {"cyclr": 300, "torch-lr-finder": 100, "fastai": 100, "Lightning": 100}
LONG = {"cyclr": 1000}
# What records must share to stand in one table: the budget of a training, and what the tests' updates are divided by.
FULL = {"train_updates": 500, "scale": 1}
SMOKE = {"train_updates": 18, "scale": 10}


class Raw:
    """What was measured: a file that is only appended to, a record of JSON a line, after a line that says how."""

    def __init__(self, path, how):
        self.path = path
        if not path.exists():
            path.write_text(json.dumps(how) + "\n")
        text = path.read_text()
        # A line that was cut off is no record.
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            path.write_text(whole)
        kept, *self.records = map(json.loads, whole.splitlines())
        if kept != how:
            raise SystemExit(
                f"{path} was measured with {kept}, and this would be with {how}: move it away, or use --out"
            )

    def add(self, **record):
        """Keeps a record."""
        record["date"] = str(datetime.date.today())
        self.records.append(record)
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def of(self, part):
        """The records of a part."""
        return [record for record in self.records if record["part"] == part]


def prepare(folder, threads):
    """What a process needs once."""
    global TRAIN, TEST
    torch.set_num_threads(threads)
    TRAIN, TEST = training.read(folder)


def stability(tool, seed, scale):
    """The answers of a tool for one draw of initial weights and order."""
    model, batches = training.net(seed), training.loader(TRAIN)
    began = time.process_time()
    answers, updates, said = silent(TESTS[tool], model, batches, seed, **shorter(tool, scale))
    cpu = round(time.process_time() - began, 1)
    return {
        "part": "stability",
        "tool": tool,
        "seed": seed,
        "answers": answers,
        "updates": updates,
        "cpu_s": cpu,
        "said": said,
    }


def shorter(tool, scale):
    """The setting of a smoke run: fewer updates of the tests that make many."""
    return {} if scale == 1 or tool not in LONG else {"updates": LONG[tool] // scale}


def accuracy(arm, seed, spec, updates):
    """The test accuracy after training under a spec; a training that diverged is as good as chance."""
    model = training.train(TRAIN, seed, spec, updates)
    per_cent = 10.0 if model is None else training.accuracy(model, TEST)
    return {"part": "accuracy", "arm": arm, "seed": seed, "spec": spec, "per_cent": per_cent, "diverged": model is None}


def stability_jobs(raw, seeds, scale):
    """What stability still lacks."""
    done = {(record["tool"], record["seed"]) for record in raw.of("stability")}
    wanted = [(tool, seed) for seed in range(seeds) for tool in TESTS]
    return [(stability, (*key, scale)) for key in wanted if key not in done]


def accuracy_jobs(raw, seeds, updates):
    """What accuracy still lacks; an arm whose tool had no answer for a seed has no training of it."""
    plan = cyclr.cycles(examples=50_000, batch=training.BATCH, updates=updates)
    answers = {(record["tool"], record["seed"]): record["answers"] for record in raw.of("stability")}
    missing = {(tool, seed) for tool, _, _ in ARMS for seed in range(seeds)} - answers.keys()
    if missing:
        raise SystemExit(f"there is no answer to train at yet of {sorted(missing)}: run --only stability first")
    done = {(*record["arm"], record["seed"]) for record in raw.of("accuracy")}
    jobs = []
    for seed in range(seeds):
        for tool, answer, policy in ARMS:
            policy_there = spec(answers[tool, seed], answer, policy, plan.step)
            if policy_there and (tool, answer, policy, seed) not in done:
                jobs.append((accuracy, ((tool, answer, policy), seed, policy_there, plan.updates)))
    return jobs


def run_jobs(jobs, raw, args):
    """Runs jobs side by side, one thread each, and keeps their records as they come."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(args.processes, spawn, prepare, (args.cifar, 1)) as pool:
        running = [pool.submit(job, *given) for job, given in jobs]
        try:
            for done in tqdm(as_completed(running), total=len(running), mininterval=10):
                raw.add(**done.result())
        finally:
            pool.shutdown(cancel_futures=True)


def overhead(raw, args):
    """Times each test and, in turn before or after it, as many bare updates as it makes."""
    prepare(args.cifar, args.threads)
    session = datetime.datetime.now().isoformat(timespec="seconds")
    where = {"session": session, "machine": machine(), "threads": args.threads, "load": os.getloadavg()[0]}
    # Every round is of the same seed, so that a test makes the same updates; the first one warms up and tells how many.
    made = {tool: timed_test(tool, updates)[1] for tool, updates in TIMED.items()}
    for round_ in tqdm(range(args.rounds)):
        for tool, updates in TIMED.items():
            before = bare(made[tool]) if round_ % 2 else None
            test, made[tool] = timed_test(tool, updates)
            pair = {"test_s": test, "bare_s": before or bare(made[tool]), "updates": made[tool]}
            raw.add(part="overhead", **where, tool=tool, round=round_, **pair)


def timed_test(tool, updates):
    """Seconds and updates of a whole range test: from a net and a loader to the answer, all restored."""
    model, batches = training.net(0), training.loader(TRAIN)
    began = time.perf_counter()
    _, made, said = silent(TESTS[tool], model, batches, 0, updates=updates)
    took = time.perf_counter() - began
    if made == 0:
        raise SystemExit(f"{tool} made no update of {updates}, so there is nothing to time: {said}")
    return took, made


def bare(updates):
    """Seconds of bare updates on the same net and loader."""
    model, batches = training.net(0), training.loader(TRAIN)
    began = time.perf_counter()
    optimizer, batches = training.sgd(model.parameters(), lr=1e-4), training.endless(batches)
    for _ in range(updates):
        training.update(model, optimizer, next(batches))
    return time.perf_counter() - began


def main():
    """Measures and writes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cifar", help="the folder of CIFAR-10's binary files")
    parser.add_argument("--only", choices=("overhead", "stability", "accuracy", "report"))
    parser.add_argument("--smoke", action="store_true", help="tiny counts, to see that all works; needs --out")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder of raw.jsonl and RESULTS.md")
    parser.add_argument("--processes", type=int, default=2, help="of stability and accuracy, one thread each")
    parser.add_argument("--threads", type=int, default=2, help="of what is timed")
    parser.add_argument("--rounds", type=int, default=7, help="of what is timed")
    parser.add_argument("--seeds", type=int, default=10, help="of stability")
    parser.add_argument("--train-seeds", type=int, default=5, help="of accuracy, the first of those")
    args = parser.parse_args()
    settings = SMOKE if args.smoke else FULL
    if args.smoke and args.out == HERE:
        parser.error("--smoke needs --out, so that its figures stay apart")
    if args.only != "report" and not args.cifar:
        parser.error("give CIFAR-10's folder with --cifar")
    args.out.mkdir(parents=True, exist_ok=True)
    how = {**settings, **versions()}
    raw = Raw(args.out / "raw.jsonl", how)
    parts = [args.only] if args.only else ["stability", "accuracy", "overhead"]
    if "stability" in parts:
        run_jobs(stability_jobs(raw, args.seeds, settings["scale"]), raw, args)
    if "accuracy" in parts:
        run_jobs(accuracy_jobs(raw, args.train_seeds, settings["train_updates"]), raw, args)
    if "overhead" in parts:
        overhead(raw, args)
    # Read anew, for another part may have run beside this one.
    write(args.out / "RESULTS.md", Raw(raw.path, how).records, settings, list(TESTS))


if __name__ == "__main__":
    main()
