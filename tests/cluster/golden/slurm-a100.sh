#!/bin/bash
# gan-sweep on Slurm: Ray inside one allocation of 2 nodes with 4 x A100 each. Everything ends with the job.
#
# From zero to a running sweep, on the machine from which you submit:
#   1. ~/gan-sweep/venv holds Python 3.11.7 with everything, in a home folder that all nodes share:
#        uv venv --python 3.11.7 ~/gan-sweep/venv
#        uv pip install --python ~/gan-sweep/venv/bin/python -r requirements.lock "ray[default]==2.60.0"
#        uv pip install --python ~/gan-sweep/venv/bin/python --no-deps dist/gan_sweep-0.1.0-py3-none-any.whl
#   2. (umask 077; ray get-auth-token --generate > /dev/null); chmod 600 ~/.ray/auth_token
#                                         the cluster's password, once; nodes read it from the shared home folder
#   3. gan-sweep cluster validate FILE    finds mistakes in this file
#   4. sbatch FILE launch --space ralsgan_motorbike --data /shared/photos --name bikes --resume
#                                         runs `gan-sweep launch ...` in the allocation, and ends with it; a job that
#                                         is requeued, or submitted again, goes on with the sweep of that name;
#                                         without arguments Ray stays up for jobs until the time is over or step 5
#   5. gan-sweep cluster down FILE        tells this script alone, so that running trials are saved and the sweep ends
#                                         in order. A plain scancel tells every process at once, Ray's too: the sweep
#                                         is cut off, and goes on from its checkpoints where it is submitted again

#SBATCH --job-name=gan-sweep
# One Ray worker per node, with all of the node's GPUs that are asked for here.
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
# Where the cluster names its GPU types (sinfo --format=%G), take the name in: --gpus-per-node=a100:4
#SBATCH --cpus-per-task=16
#SBATCH --mem=64G
#SBATCH --time=24:00:00
#SBATCH --output=gan-sweep-%j.log
# Two minutes before the time is over the script is told, so that trials are saved and Ray ends in order.
#SBATCH --signal=B:TERM@120
#SBATCH --no-requeue

set -euo pipefail
umask 077

# The token: a file that only you can read. Its place is passed on, never what is in it.
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH="${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token}"
if [[ ! -s $RAY_AUTH_TOKEN_PATH ]]; then
    echo "no token in $RAY_AUTH_TOKEN_PATH: ray get-auth-token --generate > /dev/null" >&2
    exit 2
fi
chmod 600 "$RAY_AUTH_TOKEN_PATH"

# Every command comes from this environment.
export PATH="$HOME/gan-sweep/venv/bin:$PATH"
run=(env)
export RAY_USAGE_STATS_ENABLED=0
# Ray is told to end when the sweep has ended: it need not wait 30 seconds for others to leave.
export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0
export GAN_SWEEP_BUCKET="${GAN_SWEEP_BUCKET:-/shared/sweeps}"
# Where you pay by the hour, US dollars, for `launch --max-cost` and the results. No table has your cluster's prices.
# export GAN_SWEEP_GPU_PRICE=X GAN_SWEEP_HEAD_PRICE=Y

# Versions must be these to the patch; Ray refuses others later and less clearly.
found=$("${run[@]}" python -c 'import platform, ray; print(platform.python_version(), ray.__version__)')
if [[ $found != "3.11.7 2.60.0" ]]; then
    echo "Python and Ray are $found here, and 3.11.7 2.60.0 where this file was made" >&2
    exit 2
fi

# Ports of this job alone: several jobs may share a node.
offset=$((SLURM_JOB_ID % 5000))
port=$((20000 + offset))
dashboard=$((25000 + offset))
# MLflow's is the same in your next job too: a sweep that goes on there is tracked where it was.
tracking=$((30000 + UID % 5000))
head_agent=$((35000 + offset)) worker_agent=$((40000 + offset))
# The address by which other nodes reach this one: Debian's /etc/hosts has 127.0.1.1 beside a machine's own name.
for head_ip in $(hostname --ip-address) $(hostname --all-ip-addresses) 127.0.0.1; do
    [[ $head_ip == 127.* || $head_ip == *:* ]] || break
done
address="$head_ip:$port"
started="" mlflow=""

# Every process begins a group of its own, so that its children can be ended with it.
start() {
    setsid "${run[@]}" "$@" &
    started="$! $started"
}

# Whatever happens, nothing that this script started is left behind: last started, first ended. The sweep and Ray have 40
# seconds to end in order; MLflow's server, which goes on for minutes when it is asked to end, has 5.
finish() {
    local status=$? process i patience
    trap - EXIT TERM INT
    for process in $started; do
        [[ $process == "$mlflow" ]] && patience=10 || patience=80
        kill -TERM -- "-$process" 2> /dev/null || true
        for ((i = 0; i < patience; i++)); do
            kill -0 -- "-$process" 2> /dev/null || break
            sleep 0.5
        done
        kill -KILL -- "-$process" 2> /dev/null || true
    done
    exit "$status"
}
trap finish EXIT
trap 'exit 143' TERM INT

# MLflow, for the driver on this node alone: tables beside the sweeps, artifacts in the bucket or shared folder. Its own
# jobs, of which a sweep has none, are off: they would take eight processes and 2 GB.
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
mkdir -p "$HOME/gan-sweep/mlflow"
start mlflow server --host 127.0.0.1 --port "$tracking" \
    --backend-store-uri "sqlite:///$HOME/gan-sweep/mlflow/gan-sweep.db" \
    --serve-artifacts --artifacts-destination "$GAN_SWEEP_BUCKET/mlflow" \
    > "$HOME/gan-sweep/mlflow/gan-sweep-$SLURM_JOB_ID.log" 2>&1
mlflow=$!
export MLFLOW_TRACKING_URI="http://127.0.0.1:$tracking"

# The head, on the first node: without CPUs and GPUs, so that nothing trains on it. Its dashboard listens on 127.0.0.1:
# ssh -L 8265:127.0.0.1:PORT reaches it.
start ray start --head --block --node-ip-address="$head_ip" --port="$port" \
    --num-cpus=0 --num-gpus=0 --dashboard-host=127.0.0.1 --dashboard-port="$dashboard" \
    --dashboard-agent-listen-port="$head_agent"
for ((i = 0; i < 60; i++)); do
    "${run[@]}" ray health-check --address "$address" 2> /dev/null && break
    kill -0 "$!" 2> /dev/null || { echo "the head did not start" >&2; exit 1; }
    sleep 2
done
for ((i = 0; i < 120; i++)); do
    (: < "/dev/tcp/127.0.0.1/$tracking") 2> /dev/null && break
    kill -0 "$mlflow" 2> /dev/null || { echo "MLflow did not start: see $HOME/gan-sweep/mlflow" >&2; exit 1; }
    sleep 1
done

# One worker per node of the allocation, the first one included. A node's agent, which starts submitted jobs, has one fixed
# port where none is given: a second Ray on the node would take no jobs.
setsid srun --kill-on-bad-exit=0 "${run[@]}" ray start --block --address="$address" \
    --num-cpus="${SLURM_CPUS_PER_TASK:-16}" --num-gpus=4 \
    --dashboard-agent-listen-port="$worker_agent" &
started="$! $started"

export RAY_ADDRESS="$address"
# To how many CPUs and GPUs Ray grows: nodes may still be on their way when the sweep is planned.
export GAN_SWEEP_CLUSTER_CPUS=$((${SLURM_JOB_NUM_NODES:-2} * ${SLURM_CPUS_PER_TASK:-16}))
export GAN_SWEEP_CLUSTER_GPUS=$((${SLURM_JOB_NUM_NODES:-2} * 4))
# Sweeps are kept in the bucket, or shared folder, and tracked by the MLflow above, unless the command says otherwise.
sweeps=(--address "$address" --sweeps-dir "$GAN_SWEEP_BUCKET/sweeps")
case "${1:-}" in
    launch) set -- launch "${sweeps[@]}" --tracking-uri "$MLFLOW_TRACKING_URI" "${@:2}" ;;
    resume) set -- resume "${sweeps[@]}" "${@:2}" ;;
esac
if (($#)); then
    # The sweep, whose end is the job's end.
    start gan-sweep "$@"
    wait "$!"
else
    echo "Ray is up at $address, its dashboard at 127.0.0.1:$dashboard on $(hostname)"
    wait
fi
