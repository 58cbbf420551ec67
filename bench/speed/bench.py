"""Runs both sides in turn and writes RESULTS.md. Started by run.sh."""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
MODES = ("eager", "channels_last", "compile")
BATCH = 100


def measure(command):
    """The line of JSON that a side prints, or why there is none."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        return {"failed": lines[-1][:200]}
    return json.loads(done.stdout.splitlines()[-1])


def rounds(args, net, threads):
    """The median time of an update of each side: of `args.rounds` turns, the median of their medians."""
    found = {side: [] for side in ("engine", *MODES)}
    facts, failed = {}, {}
    for _ in range(args.rounds):
        for side in found:
            if side in failed:
                continue
            if side == "engine":
                command = [args.engine, net, BATCH, threads, args.seconds]
            else:
                command = [sys.executable, HERE / "torch_side.py", net, side, BATCH, threads, args.seconds]
            result = measure(command)
            if "failed" in result:
                failed[side] = result["failed"]
                continue
            found[side].append(result["median_ms"][0])
            facts[side] = result
    return {side: times for side, times in found.items() if times}, facts, failed


def show(times):
    """median (lowest-highest)"""
    return f"{statistics.median(times):.1f} ({min(times):.1f}-{max(times):.1f})"


def speed_table(args):
    lines = [
        "| net | threads | engine, ms | eager, ms | channels_last, ms | compile, ms | × eager | × best of torch | engine, GFLOP/s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    notes = []
    for net in args.nets.split(","):
        for threads in (2, 1):
            found, facts, failed = rounds(args, net, threads)
            middle = {side: statistics.median(times) for side, times in found.items()}
            ours = middle["engine"]
            best = min(middle[mode] for mode in MODES if mode in middle)
            cells = [show(found[mode]) if mode in found else "failed" for mode in MODES]
            flops = facts["engine"]["gflop_per_update"] / ours * 1e3
            ratios = f"{middle['eager'] / ours:.2f} | {best / ours:.2f} | {flops:.0f}"
            lines.append(f"| {net} | {threads} | {show(found['engine'])} | {' | '.join(cells)} | {ratios} |")
            print(lines[-1], flush=True)
            notes += [f"{net}, {threads} threads, {side}: {why}" for side, why in failed.items()]
    return lines, notes


def side_by_side_table(args):
    lines = ["| net | one run, ms | two runs, ms each | throughput of two over one |", "|---|---|---|---|"]
    for net in args.nets.split(","):
        alone, pairs = [], []
        for _ in range(args.rounds):
            alone += measure([args.engine, net, BATCH, 1, args.seconds])["median_ms"]
            pairs.append(measure([args.engine, net, BATCH, 1, args.seconds, 2])["median_ms"])
        both = [t for pair in pairs for t in pair]
        one = statistics.median(alone)
        gains = [sum(one / t for t in pair) for pair in pairs]
        lines.append(f"| {net} | {show(alone)} | {show(both)} | {statistics.median(gains):.2f} |")
        print(lines[-1], flush=True)
    return lines


def memory_table(args):
    lines = ["| net | peak memory with CIFAR-10, MiB | loading CIFAR-10, s |", "|---|---|---|"]
    for net in [n for n in (*args.nets.split(","), "resnet56") if n != "lenet"]:
        results = [measure([args.engine, net, BATCH, 2, 1, f"cifar={args.cifar}"]) for _ in range(args.rounds)]
        if any("failed" in r for r in results):
            lines.append(f"| {net} | {results[0].get('failed')} | |")
            continue
        peak = max(r["peak_mib"] for r in results)
        lines.append(f"| {net} | {peak:.0f} | {statistics.median(r['load_s'] for r in results):.2f} |")
        print(lines[-1], flush=True)
    return lines


def machine():
    model = platform.processor()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    import torch

    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.split()[1]
    return (
        f"{model}, {os.cpu_count()} cores seen, {platform.system()} {platform.release()}; "
        f"torch {torch.__version__}, Python {platform.python_version()}, rustc {rustc}."
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--nets", default="lenet,cifar10_quick,cifar10_full,resnet20")
    parser.add_argument("--cifar", help="the folder of CIFAR-10's binary files")
    parser.add_argument("--out", default=HERE / "RESULTS.md")
    args = parser.parse_args()

    load = os.getloadavg()[0]
    table, notes = speed_table(args)
    text = [
        "# Speed beside PyTorch",
        "",
        machine(),
        f"Load average at the start: {load:.1f} (another program at work makes all figures worse).",
        "",
        f"One update is forward, backward and SGD with momentum, batch {BATCH}, f32, data in memory as bytes. Each figure is",
        f"the median of n = {args.rounds} turns (lowest-highest); a turn is the median over {args.seconds:g} s of updates in",
        "a fresh process, and the sides take turns. GFLOP/s counts the convolutions and fully connected layers of the whole",
        "update as plain sums of products; where a kernel needs fewer multiplications it can exceed the machine's peak.",
        "",
        *table,
        "",
        *[f"- Failed: {note}" for note in notes],
        "## Two runs side by side, one thread each",
        "",
        *side_by_side_table(args),
        "",
    ]
    if args.cifar:
        text += ["## Memory and loading", "", *memory_table(args), ""]
    pathlib.Path(args.out).write_text("\n".join(text))


if __name__ == "__main__":
    main()
