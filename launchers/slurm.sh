#!/bin/bash
# slurm.sh DIR UNIT...: submits itself as a job array, a task for each unit, and waits. Fill in your partition, time limit,
# modules or container; the unit begins again where it was saved if a task is requeued.
#SBATCH --job-name=cyclr --requeue --open-mode=append --output=slurm-%A_%a.log
#SBATCH --cpus-per-task=1
# #SBATCH --partition=gpu --gres=gpu:1 --time=04:00:00
if [ -n "$SLURM_ARRAY_TASK_ID" ]; then
    dir=$1; shift "$((SLURM_ARRAY_TASK_ID + 1))"
    exec cyclr work "$dir" "$1" # no srun and no trap: SIGTERM has to reach cyclr itself
fi
exec 3< <(sbatch --wait --parsable --array=0-$(($# - 2)) "$0" "$@")
read -r id <&3
trap 'scancel "$id"' INT TERM
cat <&3 & wait $!
