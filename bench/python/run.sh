#!/bin/sh
# Compares the range test with those of torch-lr-finder, fastai and Lightning, and writes RESULTS.md beside this file.
#
#   bench/python/run.sh --cifar FOLDER [--only overhead|stability|accuracy|report] [--smoke] [--processes N] [--rounds N]
#
# FOLDER has CIFAR-10's binary files. What was measured is kept in raw.jsonl, line by line: the same command goes on where it was
# stopped. `--only overhead` needs a quiet machine; the other parts do not, and take most of an hour on two cores. Needs python3 with
# venv, and cargo. PYTHON names a Python that has everything already; without it a virtual environment is made here, once.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
if [ -z "${PYTHON:-}" ]; then
    [ -d "$here/venv" ] || python3 -m venv "$here/venv"
    PYTHON="$here/venv/bin/python"
    "$PYTHON" -m pip install --quiet -r "$here/requirements.txt" "$root/bindings/python"
fi
exec "$PYTHON" "$here/bench.py" "$@"
