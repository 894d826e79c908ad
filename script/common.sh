# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What the scripts of this folder share; sourced, not run.
set -euo pipefail
unset CDPATH

# shellcheck disable=SC2034 # used by those who source this
XPCS_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
XPCS_SCRIPT=$(basename "$0")

say() { printf '%s: %s\n' "$XPCS_SCRIPT" "$*" >&2; }

# die CODE MESSAGE: the exit codes are those of the programs (sysexits.h).
die() {
    local code=$1
    shift
    say "$*"
    exit "$code"
}

# need_value OPTION COUNT: an option that wants a value stands last.
need_value() {
    (($2 >= 2)) || die 64 "$1 needs a value (see --help)"
}

# The comment block on top of a script is its help.
print_help() { sed -n '3,/^$/s/^# \{0,1\}//p' "$0"; }

# Jobs for a build: one per core, but 1.5 GiB of memory for each.
default_jobs() {
    local cores memory_kib limit jobs
    cores=$(nproc)
    memory_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
    if limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null) && [[ $limit =~ ^[0-9]+$ ]]; then
        ((limit / 1024 < memory_kib)) && memory_kib=$((limit / 1024))
    fi
    jobs=$((memory_kib / (1536 * 1024)))
    ((jobs > cores)) && jobs=$cores
    ((jobs < 1)) && jobs=1
    echo "$jobs"
}

# find_nvcc: prints the CUDA compiler's path, also where it is not on PATH; fails if there is none.
find_nvcc() {
    local candidate
    for candidate in "${CUDACXX:-}" "$(command -v nvcc || true)" "${CUDA_HOME:+$CUDA_HOME/bin/nvcc}" \
        "${CUDA_PATH:+$CUDA_PATH/bin/nvcc}" /usr/local/cuda/bin/nvcc; do
        if [[ -n $candidate && -x $candidate ]]; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

# json_get FILE PATH: one value of a JSON file, PATH as a.b.0; empty if it is not there.
json_get() {
    if command -v jq >/dev/null; then
        jq -r --arg path "$2" 'getpath($path | split(".") | map(tonumber? // .)) // empty' "$1"
    elif command -v python3 >/dev/null; then
        python3 -c '
import json, sys
value = json.load(open(sys.argv[1]))
for key in sys.argv[2].split("."):
    try:
        value = value[int(key) if isinstance(value, list) else key]
    except (KeyError, IndexError, TypeError, ValueError):
        sys.exit(0)
print(value if isinstance(value, str) else json.dumps(value))' "$1" "$2"
    else
        die 69 "neither jq nor python3 is there to read $1"
    fi
}
