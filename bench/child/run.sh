#!/usr/bin/env bash
# What an update costs behind the seam, over the bare script: bench/child/run.sh [UPDATES]. The script is the tests' bowl with Python's
# standard library alone. Batches are as `cyclr train` makes them, up to 100; one by one is `--evaluate-every 1`.
set -euo pipefail
cd "$(dirname "$0")/../.."
updates=${1:-5000}
cyclr=${CYCLR:-target/release/cyclr}
bowl=crates/cyclr-cli/tests/child/bowl.py
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for round in 1 2 3; do
  for way in "batches" "single --evaluate-every 1"; do
    read -r name options <<<"$way"
    # shellcheck disable=SC2086  # options are words
    "$cyclr" train --updates "$updates" --policy 'fixed(lr=0.1)' --no-test $options --out "$folder/$name-$round" -- \
      python3 "$bowl" --less validation >/dev/null 2>&1
  done
done
python3 - "$folder" "$updates" "$bowl" <<'PY'
import json, os, sys, time
from statistics import median

folder, updates, bowl = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sys.argv = ["bowl.py", "--less", "validation"]
source = open(bowl).read().split("cyclr_child.serve(Bowl())")[0]
names = {"__file__": os.path.abspath(bowl), "__name__": "bowl"}
exec(compile(source, bowl, "exec"), names)


def bare():
    training = names["Bowl"]()
    training.initialize(0, 0, None)
    began = time.perf_counter()
    for _ in range(updates):
        training.update(0.1, None, None)
    return 1e6 * (time.perf_counter() - began) / updates


def driven(name, round):
    result = json.load(open(f"{folder}/{name}-{round}/result.json"))
    return 1e6 * result["compute_seconds"] / result["updates_done"]


base = median(bare() for _ in range(3))
print(f"bare {base:.1f} us an update (median of 3 rounds of {updates})")
for name, goal in (("batches", 50), ("single", 200)):
    own = median(driven(name, round) for round in (1, 2, 3))
    print(f"{name} {own:.1f} us, {own - base:+.1f} us over the bare script (goal: {goal}), ratio {own / base:.2f}")
PY
