// SPDX-License-Identifier: BSD-3-Clause
// What every job script does. It relies on bash 4.4, coreutils, util-linux and awk.
//
// Exit codes: 0 every run is done; 75 stopped, a rerun does what is missing; otherwise the code of
// the first run that failed. A run counts as done only when its result was checked and is in place.
#include "jobgen/schedulers/scheduler.hpp"

namespace xpcs::jobgen {

std::string program_text() {
    return std::string(program_states()) + program_steps() +
           R"bash(# ---- workers: one per GPU, each takes the next run that nobody has ----

find_gpus() {  # the devices of this node, one word each
    gpus=()
    local n=$gpus_per_node i
    case $device in
    cpu) gpus=(cpu) ;;
    gpu:all) gpus=(all) ;;
    gpu:*) gpus=("${device#gpu:}") ;;
    *)
        if [[ -n ${CUDA_VISIBLE_DEVICES:-} ]]; then
            IFS=, read -r -a gpus <<<"$CUDA_VISIBLE_DEVICES"
        else
            if ((n < 0)); then
                n=0
                if command -v nvidia-smi >/dev/null; then
                    nvidia-smi -L 2>/dev/null | grep -c '^GPU ' | read -r n || n=0
                fi
            fi
            for ((i = 0; i < n; i++)); do gpus+=("$i"); done
        fi
        ((${#gpus[@]} > 0)) || gpus=(cpu)
        ;;
    esac
}

find_binding() {  # the command that keeps a run on the CPUs near its GPU
    bind=()
    [[ $gpu =~ ^[0-9]+$ ]] || return 0
    local cpus=${gpu_cpus[$gpu]:-}
    if [[ -n $cpus ]] && taskset -c "$cpus" true 2>/dev/null; then
        bind=(taskset -c "$cpus")
    fi
}

worker() {  # worker GPU
    children=()
    listen
    gpu=$1
    find_binding
    local n
    for ((n = first; n <= last; n++)); do
        [[ -z $stopping ]] || break
        if mkdir -- "$claims/$n" 2>/dev/null; then
            do_run "$n" || true
        fi
    done
}

node_work() {  # all workers of this node
    find_gpus
    local started_workers=() w g total=$((${#gpus[@]} * workers)) n_left=$((last - first + 1))
    threads=0
    if ((total > n_left)); then total=$n_left; fi
    if [[ ${gpus[0]} == cpu ]] && ((total > 1)); then
        threads=$((cpus / total))
        if ((threads < 1)); then threads=1; fi
    fi
    for ((w = 0; w < total; w++)); do
        g=${gpus[$((w % ${#gpus[@]}))]}
        worker "$g" &
        started_workers+=("$!")
    done
    children=("${started_workers[@]}")
    [[ -z $stopping ]] || halt "$stopping"
    for w in "${started_workers[@]}"; do
        wait_for "$w" || true
    done
    children=()
}

# ---- the job ----

give_up() {  # give_up CODE REASON: nothing can be run
    trap - EXIT
    say "$2"
    job_state failed "$1" "$2"
    exit "$1"
}

# shellcheck disable=SC2317  # called by a trap
leave() {  # an end that nobody planned still leaves a state
    local code=$? pid
    trap - EXIT
    for pid in "${children[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
        wait_for "$pid" || true
    done
    if [[ $ready == no ]]; then
        [[ -n $stopping ]] || give_up 69 "environment: it ended the script with exit code $code"
        forget_open
    fi
    finish
}

find_part() {  # which runs belong to this job or array element
    first=1 last=$n_runs
    if ((runs_per_element > 0)); then
        if [[ ! $array_index =~ ^[0-9]+$ ]]; then
            echo "$job_name: a job array, and no array index is set" >&2
            exit 96
        fi
        first=$((array_index * runs_per_element + 1))
        last=$((first + runs_per_element - 1))
        if ((last > n_runs)); then last=$n_runs; fi
        if ((first > n_runs)); then
            echo "$job_name: array index $array_index is outside the list of runs" >&2
            exit 96
        fi
    fi
}

lock() {  # the same job never runs twice at the same time
    command -v flock >/dev/null || return 0
    exec 9>>"$run_dir/lock${array_index:+-$array_index}"
    local code=0
    flock -n -E 99 9 || code=$?
    if ((code == 99)); then
        echo "$job_name: is running already in $run_dir" >&2
        exit 75
    fi
}

count_states() {  # sets n_done, n_failed, n_open and the code and reason of the first failure
    n_done=0 n_failed=0 n_open=0 first_code=0 first_reason=''
    local n line state code
    for ((n = first; n <= last; n++)); do
        line=''
        IFS= read -r line 2>/dev/null <"$run_dir/runs/$n.json" || true
        state='' code=0
        if [[ $line =~ ^\{\"state\":\"([a-z]+)\",\"exit_code\":([0-9]+), ]]; then
            state=${BASH_REMATCH[1]} code=${BASH_REMATCH[2]}
        fi
        case $state in
        done) n_done=$((n_done + 1)) ;;
        failed)
            n_failed=$((n_failed + 1))
            if ((first_code == 0)); then
                first_code=$code
                first_reason="run $n failed, see $run_dir/runs/$n.json"
            fi
            ;;
        *) n_open=$((n_open + 1)) ;;
        esac
    done
}

forget_open() {  # states that an attempt left which did not end by itself
    local n
    for ((n = first; n <= last; n++)); do
        rm -f -- "$run_dir/runs/$n.json"
    done
}

finish() {  # the state of the whole job, and its exit code
    trap - EXIT
    count_states
    local code=0 state='done' reason=''
    if ((n_failed > 0)); then
        state=failed code=$first_code reason=$first_reason
    elif ((n_open > 0)) && [[ -z $stopping ]]; then
        state=failed code=70 reason="$n_open runs ended without a state"
    fi
    if ((n_open > 0)) && [[ -n $stopping ]]; then
        state=stopped code=75 reason="signal $stopping with $n_open runs missing"
    fi
    job_state "$state" "$code" "$reason"
    say "$state: $n_done done, $n_failed failed, $n_open missing; exit code $code"
    # Near the end of the walltime, go on in a new job, but only if this one got somewhere.
    if ((code == 75)) && [[ $stopping == USR1 ]] && ((n_done > done_before && restarts < max_restarts)); then
        requeue || true
    fi
    exit "$code"
}

set_up() {
    listen
    environment
    [[ -z $programs ]] || PATH=$programs:$PATH
    shopt -s lastpipe
    ready=yes
}

main() {
    find_part
    host=$(uname -n) cpus=$(nproc)
    now
    n_done=0 n_failed=0 done_before=0 job_started=$time
    if [[ ${1:-} == node ]]; then  # started by launch on one of several nodes
        claims=$2
        set_up
        node_work
        exit 0
    fi
    mkdir -p -- "$run_dir/runs" || exit 73
    lock
    trap leave EXIT
    set_up
    count_states
    done_before=$n_done
    forget_open
    n_done=0 n_failed=0
    job_state running 0 ''
    say "started on $host: ${array_index:+element $array_index, }runs $first to $last"
    new_directory "$run_dir/.claims" || give_up 73 "no directory can be made in $run_dir"
    claims=$directory
    if ((nodes > 1)) || [[ $launch_always == yes ]]; then
        cp -f -- "${BASH_SOURCE[0]}" "$claims/job.sh"
        launch bash "$claims/job.sh" node "$claims" &
        children=("$!")
        [[ -z $stopping ]] || halt "$stopping"
        wait_for "${children[0]}" || true
        children=()
    else
        node_work
    fi
    rm -rf -- "$claims"
    finish
}

main "$@"
)bash";
}

}  // namespace xpcs::jobgen
