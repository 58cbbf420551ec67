#!/usr/bin/env bash
# Builds and installs the package in an environment of its own (.venv) and tests it there.
#
#     test.sh            does both of these
#     test.sh prepare    makes the environment
#     test.sh check      builds, installs and tests
#
# torch is installed unless the python3 in use has it, or CYCLR_CI_WITHOUT_TORCH=1 says not to: what needs it is skipped
# then. What needs Lightning, transformers or Keras is tested where those are installed (CYCLR_CI_INTEGRATIONS=1 does it).
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TERM_COLOR=never PIP_DISABLE_PIP_VERSION_CHECK=1

prepare() {
  python3 -m venv .venv
  # Before other installations are in sight, in which they may be too, without their commands.
  .venv/bin/pip install --quiet ruff mypy
  if python3 -c 'import torch' 2>/dev/null; then
    # An installation that is there already is used as it is.
    inside=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
    python3 -c 'import site; print(*site.getsitepackages(), sep="\n")' >"$inside/outside.pth"
  elif [ -z "${CYCLR_CI_WITHOUT_TORCH:-}" ]; then
    .venv/bin/pip install --quiet torch
  else
    echo 'torch is not installed: what needs it is skipped'
  fi
  if [ -n "${CYCLR_CI_INTEGRATIONS:-}" ]; then
    .venv/bin/pip install --quiet lightning 'jsonargparse[signatures]' transformers accelerate keras jax optax scikit-learn
  fi
}

check() {
  cargo fmt --check
  cargo clippy --locked --all-targets -- -D warnings
  # Built as tests are: an optimised build of everything takes minutes.
  MATURIN_PEP517_ARGS='--profile dev' .venv/bin/pip install --quiet '.[test]'
  .venv/bin/ruff check --quiet .
  .venv/bin/ruff format --quiet --check .
  .venv/bin/mypy --no-error-summary
  .venv/bin/python -m pytest --quiet --numprocesses auto
}

case "${1:-}" in
  '')
    prepare
    check
    ;;
  prepare | check) "$1" ;;
  *)
    echo "$1 is none of its parts: prepare, check" >&2
    exit 2
    ;;
esac
