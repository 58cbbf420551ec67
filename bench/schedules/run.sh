#!/usr/bin/env bash
# One table: nanoseconds for the rate of one update, ours by `cargo bench` (divan, medians), and beside it torch's
# schedulers where python3 can import torch (PYTHON=… names another interpreter).
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cd "$here/../.."
python="${PYTHON:-python3}"

rows="$(cargo bench --quiet -p cyclr --bench at | "$python" "$here/divan_medians.py")"
if "$python" -c 'import torch' 2>/dev/null; then
    rows+=$'\n'"$("$python" "$here/torch_step.py")"
else
    echo "torch is not installed: its rows are left out" >&2
fi

uname -srm >&2
if [ -r /proc/cpuinfo ]; then grep -m1 'model name' /proc/cpuinfo | sed 's/^[^:]*: //' >&2; fi
printf '%s\n' "$rows" | awk -F'\t' '
    BEGIN { printf "%-52s %12s\n", "rate of one update", "ns (median)" }
    { printf "%-52s %12s\n", $1, $2 }'
