#!/bin/sh
# local.sh DIR UNIT...: this machine, one unit for each core at a time; JOBS=1 says one. What cyclr does without a launcher,
# for tests, and to start from.
dir=$1; shift
printf '%s\0' "$@" | xargs -0 -n 1 -P "${JOBS:-$(nproc)}" cyclr work "$dir"
