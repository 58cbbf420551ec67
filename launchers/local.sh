#!/bin/sh
# local.sh DIR UNIT...: this machine, one unit for each core at a time; JOBS=1 says one. What cyclr does without a launcher,
# for tests, and to start from. Each line of the output begins with its unit.
dir=$1; shift
printf '%s\0' "$@" | xargs -0 -n 1 -P "${JOBS:-$(nproc)}" sh -c '
    cyclr work "$1" "$2" 2>&1 | while IFS= read -r line; do printf "%s: %s\n" "$2" "$line"; done
' local.sh "$dir"
