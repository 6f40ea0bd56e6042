#!/usr/bin/env bash
# Runs one config on this machine, in one process or in several.
# Needs: the package installed (python -m pip install -e . -c constraints.txt).
# Usage: launch/local.sh [-n PROCESSES] CONFIG WORKDIR [--config.key=value ...]
# With -n 2 and more, the processes meet at a free port of 127.0.0.1, and each
# gets an equal share of the GPUs, if there are any. SIGTERM and SIGINT are
# passed on to all. If one fails, the others get SIGTERM, GRACE seconds later
# (20) SIGKILL, and the exit code is that of the first.
set -euo pipefail

refuse() {
  echo "$1" >&2
  exit 2
}

usage="Usage: launch/local.sh [-n PROCESSES] CONFIG WORKDIR [--config.key=value]"
count=1
if [ "${1:-}" = -n ]; then
  [ "$#" -ge 2 ] || refuse "$usage"
  count=$2
  shift 2
fi
[[ "$count" =~ ^[1-9][0-9]*$ && "$#" -ge 2 && "$1" != -* ]] || refuse "$usage"
program=(python -m revive_jax.main --config="$1" --workdir="$2" "${@:3}")
if [ "$count" -eq 1 ]; then
  exec "${program[@]}"
fi

gpus=()
if command -v nvidia-smi >/dev/null; then
  all=$(nvidia-smi -L | sed -n 's/^GPU \([0-9]*\):.*/\1/p' | paste -sd, -) ||
    all=
  IFS=, read -ra gpus <<<"${CUDA_VISIBLE_DEVICES-$all}"
fi
share=$((${#gpus[@]} / count))
if [ "${#gpus[@]}" -gt 0 ] && [ "$share" -eq 0 ]; then
  refuse "There are fewer GPUs (${#gpus[@]}) than processes ($count)."
fi

port=$((20000 + RANDOM % 12000)) # Below those that systems give to clients.
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
  port=$((20000 + RANDOM % 12000))
done

pids=()
tell() { # Sends a signal to all that still run.
  local pid
  for pid in "${pids[@]}"; do
    kill -s "$1" "$pid" 2>/dev/null || true
  done
}
trap 'tell TERM' TERM HUP
trap 'tell INT' INT

set -m # Without job control, SIGINT is ignored by what runs in the background.
for ((i = 0; i < count; i++)); do
  if [ "$share" -gt 0 ]; then
    mine=("${gpus[@]:i*share:share}")
    printf -v CUDA_VISIBLE_DEVICES '%s,' "${mine[@]}"
    export CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES%,}
  fi
  "${program[@]}" --distributed="127.0.0.1:$port,$count,$i" </dev/null &
  pids+=("$!")
done
set +m

code=0
deadline=
while [ "${#pids[@]}" -gt 0 ]; do
  sleep 0.2 || true
  for i in "${!pids[@]}"; do
    if kill -0 "${pids[i]}" 2>/dev/null; then
      continue
    fi
    status=0
    wait "${pids[i]}" || status=$?
    unset "pids[i]"
    if [ "$status" -ne 0 ] && [ "$code" -eq 0 ]; then
      echo "Process $i ended with exit code $status; the others are ended." >&2
      code=$status
      deadline=$((SECONDS + ${GRACE:-20}))
      tell TERM
    fi
  done
  if [ -n "$deadline" ] && [ "$SECONDS" -ge "$deadline" ]; then
    tell KILL
  fi
done
exit "$code"
