#!/bin/bash
#SBATCH --job-name=gan-sweep
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=a100:2
#SBATCH --mem=64G
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --output=gan-sweep-%j.log

set -euo pipefail
source "$HOME/gan-sweep/bin/activate"
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH="$HOME/.ray/auth_token"

nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
head=${nodes[0]}

srun --nodes=1 --ntasks=1 -w "$head" \
  ray start --head --node-ip-address="$head" --port=6379 --num-cpus=0 --block &

for node in "${nodes[@]:1}"; do
  srun --nodes=1 --ntasks=1 -w "$node" ray start --address="$head:6379" --block &
done

gan-sweep launch --space ralsgan_motorbike --data "$DATA"
