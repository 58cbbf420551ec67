#!/usr/bin/env python3
"""ray_launch.py DIR UNIT...: a Ray task for each unit. Fill in the CPUs and GPUs of a run; a task whose node is lost is tried
again on another, and goes on from where it was saved."""

import subprocess
import sys

import ray

ray.init()  # RAY_ADDRESS says where


@ray.remote(num_cpus=1, num_gpus=0, max_retries=-1)
def work(folder, unit):
    return subprocess.run(["cyclr", "work", folder, unit], check=False).returncode


folder, *units = sys.argv[1:]
sys.exit(max(ray.get([work.remote(folder, unit) for unit in units])))
