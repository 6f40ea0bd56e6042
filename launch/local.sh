#!/usr/bin/env bash
# Runs one config on this machine.
# Needs: the package installed (python -m pip install -e . -c constraints.txt).
# Usage: launch/local.sh CONFIG WORKDIR [--config.key=value ...]
set -euo pipefail
if [ "$#" -lt 2 ]; then
  echo "Usage: launch/local.sh CONFIG WORKDIR [--config.key=value ...]" >&2
  exit 2
fi
exec python -m revive_jax.main --config="$1" --workdir="$2" "${@:3}"
