#!/bin/sh
# Compares the engine with PyTorch on this machine and writes RESULTS.md beside this file.
#
#   bench/speed/run.sh [--cifar FOLDER] [--rounds N] [--seconds S] [--nets a,b]
#
# Needs python3 with venv, cargo, and a quiet machine. PYTHON names a Python that has torch already; without it a virtual
# environment is made here, once.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
if [ -z "${PYTHON:-}" ]; then
    [ -d "$here/venv" ] || python3 -m venv "$here/venv"
    PYTHON="$here/venv/bin/python"
    "$PYTHON" -m pip install --quiet -r "$here/requirements.txt"
fi
cd "$root"
cargo build --release --quiet -p cyclr-engine --example bench_speed
target=${CARGO_TARGET_DIR:-$root/target}
exec "$PYTHON" "$here/bench.py" --engine "$target/release/examples/bench_speed" "$@"
