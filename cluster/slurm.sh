#!/usr/bin/env bash
# Slurm: one Ray cluster for the time of a job, with a task on each node. Fill in the #SBATCH lines; then, from the
# project's folder, which is one that every node sees and where cluster/setup.sh has run:
#
#     sbatch cluster/slurm.sh --data /shared/wbc --storage /shared/runs
#
# What time ran out for, or what was preempted, goes on when the same is submitted again; a requeued job does by itself.
#SBATCH --job-name=wbc-study
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=wbc-study-%j.log
set -euo pipefail
export PATH=$PWD/.venv/bin:$PATH
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300 RAY_py_gcs_connect_timeout_s=300  # the head may start slowly
# Only this job's own tasks may use its cluster, whatever token is in a home.
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN

read -r head < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
exec srun --export=ALL --cpus-per-task="$SLURM_CPUS_PER_TASK" \
  ray symmetric-run --address "$head:6379" --min-nodes "$SLURM_JOB_NUM_NODES" \
  --num-cpus "$SLURM_CPUS_PER_TASK" --disable-usage-stats -- python study/run.py "$@"
