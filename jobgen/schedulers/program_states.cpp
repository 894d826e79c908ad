// SPDX-License-Identifier: BSD-3-Clause
// What the parts of a job script leave for others to read, and what they hear from others.
//
// No command substitution may stand where signals are listened to: bash 5.2 runs a trap that is
// due while it parses `$(...)` as a part of it, and then forgets the signal or ends with code 2. So
// functions leave what they find in variables, and pipes end in `read` (lastpipe).
#include "jobgen/schedulers/scheduler.hpp"

namespace xpcs::jobgen {

const char* program_states() {
    return R"bash(# ---- states: each is a JSON file that appears complete or not at all ----

now() { TZ=UTC0 printf -v time '%(%Y-%m-%dT%H:%M:%SZ)T' -1; }  # sets time

say() {
    now
    printf '%s %s: %s\n' "$time" "$job_name" "$*" >&2
    printf '%s %s\n' "$time" "$*" >>"$run_dir/job.log" || true
}

put() {  # put FILE FORMAT ARGUMENT...: FILE holds what printf makes of the rest, in one step
    local file=$1 hidden=$1.$BASHPID.tmp
    shift
    # shellcheck disable=SC2059  # a format of ours
    printf "$@" >"$hidden" && mv -fT -- "$hidden" "$file"
}

member() {  # member KEY TEXT: one more member of the JSON object in `object`
    local LC_ALL=C text=$2
    text=${text//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    text=${text//$'\t'/\\t}
    text=${text//$'\r'/\\r}
    text=${text//[$'\001'-$'\037'$'\177']/?}
    object+=",\"$1\":\"$text\""
}

number() { object+=",\"$1\":$(($2))"; }  # number KEY VALUE

begin_state() {  # begin_state KIND STATE CODE: readers rely on the first two members
    now
    finished=''
    case $2 in done | failed | stopped) finished=$time ;; esac
    object="{\"state\":\"$2\",\"exit_code\":$3,\"schema\":1,\"kind\":\"$1\""
}

run_state() {  # run_state STATE CODE: of the current run
    local object finished
    begin_state run "$1" "$2"
    member step "$step"
    number number "$number"
    member id "$id"
    member name "$name"
    member raw "$raw"
    member qmap "$qmap"
    member result "$result"
    member report "$report_dir"
    member reason "$reason"
    member note "$note"
    member job_id "$job_id"
    member host "$host"
    member gpu "$gpu"
    member started "$started"
    member updated "$time"
    member finished "$finished"
    put "$run_dir/runs/$number.json" '%s}\n' "$object"
}

job_state() {  # job_state STATE CODE REASON
    local object finished
    begin_state job "$1" "$2"
    member name "$job_name"
    member deployment "$deployment"
    member scheduler "$scheduler"
    member job_id "$job_id"
    member array_index "$array_index"
    number restarts "$restarts"
    member made_by "$made_by"
    number pid "$$"
    member host "$host"
    number runs $((last - first + 1))
    number 'done' "$n_done"
    number failed "$n_failed"
    member reason "$3"
    member started "$job_started"
    member updated "$time"
    member finished "$finished"
    put "$run_dir/status${array_index:+-$array_index}.json" '%s}\n' "$object"
}

new_directory() {  # new_directory PREFIX: sets directory to one that nobody else has
    local i
    for ((i = 0; i < 9; i++)); do
        directory=$1-$BASHPID-$RANDOM
        if mkdir -m 700 -- "$directory"; then return 0; fi
    done
    return 1
}

# ---- children and signals ----

stopping=''  # the signal that asked this process to stop
ready=no    # whether the environment is set up
children=()

# shellcheck disable=SC2317  # called by the traps
halt() {
    stopping=$1
    local pid
    for pid in "${children[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
    done
}

listen() {
    local signal
    for signal in TERM INT HUP USR1 USR2 XCPU; do
        # shellcheck disable=SC2064  # the name is meant now
        trap "halt $signal" "$signal"
    done
}

attend() {  # attend COMMAND...: runs it so that a signal reaches it; its exit code
    [[ -z $stopping ]] || return 75
    "$@" 9>&- &  # the lock is not for what a child leaves behind
    local pid=$! code=0
    children=("$pid")
    [[ -z $stopping ]] || halt "$stopping"  # a signal that came before it was known
    wait_for "$pid" || code=$?
    children=()
    [[ -z $stopping || $code == 0 ]] || return 75
    ((code != 143)) || return 75  # SIGTERM before the program could listen
    return "$code"
}

wait_for() {  # wait_for PID: its exit code, however often a signal interrupts the waiting
    local code again
    while :; do
        code=0
        wait "$1" || code=$?
        kill -0 "$1" 2>/dev/null || break
    done
    if ((code > 128)); then
        again=0
        wait "$1" 2>/dev/null || again=$?
        [[ $again == 127 ]] || code=$again
    fi
    return "$code"
}

)bash";
}

}  // namespace xpcs::jobgen
