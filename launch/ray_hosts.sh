#!/usr/bin/env bash
# Starts, or stops, a Ray cluster on machines of your own, over ssh.
# Needs: the package with the extra `cluster` (and `cuda` on those with GPUs) on
#   each, of one version; ssh without questions; storage that all see at the
#   same place. No port but 22 need be open to others than these machines.
# Usage: launch/ray_hosts.sh start HEAD [HOST ...]
#        launch/ray_hosts.sh stop HEAD [HOST ...]
# Then, on HEAD, and again after whatever happened to it:
#   revive-jax --mode=archive --input=/shared/manifest.csv \
#     --workdir=/shared/run --config.archive.address=HEAD:6379
# RAY is the program on the hosts (ray), as /opt/revive/bin/ray.
# By hand, without ssh:
#   on HEAD:  RAY_USAGE_STATS_ENABLED=0 ray start --head --port=6379 \
#               --include-dashboard=false
#   on HOST:  RAY_USAGE_STATS_ENABLED=0 ray start --address=HEAD:6379
set -euo pipefail
usage="Usage: launch/ray_hosts.sh start|stop HEAD [HOST ...]"
if [ "$#" -lt 2 ] || [[ "$1" != start && "$1" != stop ]]; then
  echo "$usage" >&2
  exit 2
fi
verb=$1
head=$2
shift 2
ray="RAY_USAGE_STATS_ENABLED=0 ${RAY:-ray}"

on() { # Runs a command on a machine; says which one could not.
  ssh -o BatchMode=yes "$1" "$2" || {
    echo "On $1 this failed: $2" >&2
    return 1
  }
}

if [ "$verb" = stop ]; then
  for host in "$@" "$head"; do
    on "$host" "$ray stop"
  done
  exit
fi
on "$head" "$ray start --head --port=6379 --include-dashboard=false"
for host in "$@"; do
  on "$host" "$ray start --address=$head:6379"
done
echo "The cluster answers at $head:6379."
