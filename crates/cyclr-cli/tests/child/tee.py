"""Runs a child between cyclr and a file: `tee.py FILE COMMAND…` appends every message that goes by to FILE, `> ` before
requests and `< ` before answers.

    cyclr train --updates 100 --policy 'fixed(lr=0.1)' -- python3 tee.py messages.txt python3 train.py
"""

import os
import subprocess
import sys
import threading

read, write = map(int, os.environ["CYCLR_FD"].split(","))
to_child, from_child = os.pipe(), os.pipe()
identity = lambda fd: f"{os.fstat(fd).st_dev}:{os.fstat(fd).st_ino}"  # noqa: E731
ends = (to_child[0], from_child[1])
env = {**os.environ, "CYCLR_FD": "{},{}".format(*ends), "CYCLR_PIPES": ",".join(map(identity, ends))}
child = subprocess.Popen(sys.argv[2:], env=env, pass_fds=(to_child[0], from_child[1]))
os.close(to_child[0])
os.close(from_child[1])


def carry(source, target, mark):
    with open(source, "rb") as lines, open(target, "wb") as out, open(sys.argv[1], "ab") as file:
        for line in lines:
            file.write(mark + line)
            file.flush()
            out.write(line)
            out.flush()


threading.Thread(target=carry, args=(read, to_child[1], b"> "), daemon=True).start()
carry(from_child[0], write, b"< ")
sys.exit(child.wait())
