#!/usr/bin/env bash
# A real Slurm of three emulated nodes on this machine, for tests. As root, after: apt-get install slurm-wlm munge
#
#   start.sh FOLDER        starts munged, slurmctld and three slurmd, and returns when the nodes are idle
#   start.sh FOLDER stop   cancels what runs there, and ends exactly those processes
#
# FOLDER is scratch. Then: export SLURM_CONF=FOLDER/slurm.conf
set -euo pipefail
root=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
export SLURM_CONF=$root/slurm.conf

stop() {
    local name pid
    scancel --user="$(id -un)" 2>/dev/null || true
    for _ in $(seq 200); do [ -z "$(squeue -h 2>/dev/null)" ] && break; sleep 0.1; done
    for name in n1 n2 n3 slurmctld munge/munged; do
        [ -s "$root/$name.pid" ] || continue
        pid=$(cat "$root/$name.pid")
        kill "$pid" 2>/dev/null || continue
        for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
    done
}
if [ "${2:-start}" = stop ]; then stop; exit; fi

port=${SLURM_TEST_PORT:-26817}
mkdir -p "$root"/{ctld,n1,n2,n3,munge}
sed -e "s|@ROOT@|$root|g; s|@HOST@|$(hostname -s)|g; s|@USER@|$(id -un)|g; s|@PORT@|$port|g" \
    -e "s|@PORT1@|$((port + 1))|; s|@PORT2@|$((port + 2))|; s|@PORT3@|$((port + 3))|" \
    "$here/slurm.conf.example" > "$root/slurm.conf"
# Character devices that are always there stand for GPUs: Slurm counts and hands them out, and nothing opens them.
printf 'NodeName=n[1-2] Name=gpu File=%s\n' /dev/null /dev/zero > "$root/gres.conf"

# --force: the folders above may be writable by others, as /tmp is.
[ -s "$root/munge/key" ] || (umask 077; head -c 1024 /dev/urandom > "$root/munge/key")
munged --force --key-file="$root/munge/key" --socket="$root/munge/munge.socket" --pid-file="$root/munge/munged.pid" \
    --log-file="$root/munge/munged.log" --seed-file="$root/munge/seed" --num-threads=1
# -i: goes on where the state of an earlier start is missing.
slurmctld -i -f "$root/slurm.conf"
for node in n1 n2 n3; do slurmd -N "$node" -f "$root/slurm.conf"; done
for _ in $(seq 200); do
    [ "$(sinfo -h -N -o '%N %T' 2>/dev/null | sort -u | grep -c ' idle$')" = 3 ] && exit 0
    sleep 0.05
done
sinfo -N -l >&2
exit 1
