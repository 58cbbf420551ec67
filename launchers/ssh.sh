#!/bin/sh
# ssh.sh DIR UNIT...: hosts that share DIR, one unit a host at a time, by GNU parallel. HOSTS=n1,n2,2/n3 names them; 2/n3 takes
# two at a time. DIR and the command's folder have the same path everywhere.
dir=$1; shift
parallel --sshlogin "$HOSTS" --retries 3 cyclr work "$dir" ::: "$@"
