#!/bin/sh
# ssh.sh DIR UNIT...: hosts that share DIR, by GNU parallel. HOSTS=1/n1,4/n2 names them, and how many units each takes at a
# time. One whose host is lost is tried on another, one that failed is not. DIR and the command's folder have the same path
# everywhere, and `ssh n1 cyclr --version` works without a password.
dir=$1; shift
parallel --sshlogin "$HOSTS" --retries 3 --ssh 'ssh -o ConnectTimeout=10 -o ServerAliveInterval=10' \
    'cyclr work {1} {2} || test -e {1}/{2}/failed.json' ::: "$dir" ::: "$@"
