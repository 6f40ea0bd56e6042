#!/usr/bin/env bash
# Runs one config on all workers of a TPU slice that exists; makes nothing.
# Needs: gcloud, logged in, with a project and SSH keys; on each worker the
#   package with the extra `tpu` (python3 -m pip install 'WHEEL[tpu]'), and a
#   WORKDIR and data on a volume that all workers have mounted.
# Usage: launch/tpu.sh NAME ZONE CONFIG WORKDIR [--config.key=value ...]
# CONFIG is the name of one that ships, or a path on the workers. PYTHON: their
# interpreter (python3). DRY_RUN=1 prints the command and runs nothing.
# The same command again resumes. To let a training save and end:
#   gcloud compute tpus tpu-vm ssh NAME --zone=ZONE --worker=all \
#       --command='pkill -TERM -f [r]evive_jax.main'
set -euo pipefail
if [ "$#" -lt 4 ]; then
  echo "Usage: launch/tpu.sh NAME ZONE CONFIG WORKDIR [--config.key=value]" >&2
  exit 2
fi
# Quoted once more, for the shell of the workers.
printf -v remote '%q ' "${PYTHON:-python3}" -m revive_jax.main \
  --config="$3" --workdir="$4" --distributed=auto "${@:5}"
run=(gcloud compute tpus tpu-vm ssh "$1" --zone="$2" --worker=all
  --command="${remote% }")
if [ "${DRY_RUN:-}" = 1 ]; then
  printf '%q ' "${run[@]}"
  echo
  exit
fi
exec "${run[@]}"
