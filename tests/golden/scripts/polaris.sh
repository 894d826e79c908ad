#!/bin/bash -l
#PBS -N xpcs-G001_a
#PBS -A XPCS8
#PBS -q preemptable
#PBS -l select=1:system=polaris
#PBS -l place=scatter
#PBS -l walltime=01:00:00
#PBS -l filesystems=home:eagle
#PBS -j oe
#PBS -o /data/2025-1/comm202503/analysis/Multitau/xpcs-G001_a.job/
#PBS -r y

# Made by xpcs-jobgen 1.2.3 for deployment polaris (polaris) with:
#   xpcs-jobgen script --deployment polaris

set -euo pipefail
shopt -s nullglob
umask o-w

job_name=xpcs-G001_a
deployment=polaris
made_by='xpcs-jobgen 1.2.3'
scheduler=pbs
run_dir=/data/2025-1/comm202503/analysis/Multitau/xpcs-G001_a.job
job_id=${PBS_JOBID:-}
array_index=''
restarts=0
nodes=1
launch_always=no
gpus_per_node=4  # -1: counted when the job starts
gpu_cpus=('24-31,56-63' '16-23,48-55' '8-15,40-47' '0-7,32-39')  # CPUs near GPU 0, 1...
device=''
workers=1  # runs at the same time per GPU
node_local=/local/scratch
stage=yes
report=auto
programs=''
runs_per_element=0
max_restarts=3

environment() {  # of the machine and the deployment
    set +eu  # module functions use unset variables
    export TMPDIR=/tmp
    export http_proxy=http://proxy.alcf.anl.gov:3128
    export https_proxy=http://proxy.alcf.anl.gov:3128
    set -eu
}

launch() {  # the same program once on every node
    mpiexec -n "$nodes" --ppn 1 --depth=64 --cpu-bind depth --hostfile "${PBS_NODEFILE:-}" "$@"
}

requeue() {  # puts this job back into the queue
    return 1
}

n_runs=1
run_data() {  # run_data NUMBER: sets what belongs to one run
    case $1 in
    1)
        name=G001_a id=eb1333ea496387fc overwrite=no
        raw=/data/2025-1/comm202503/data/G001_a/G001_a.h5
        qmap=/data/2025-1/comm202503/qmap_d36.h5
        output=/data/2025-1/comm202503/analysis/Multitau
        options=(--begin-frame=10)
        ;;
    *) return 96 ;;
    esac
}

# ---- states: each is a JSON file that appears complete or not at all ----

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

# ---- the steps of one run; each sets `reason` and returns an exit code when it fails ----

last_words() {  # last_words [PREFIX]: the last line of the log becomes the reason
    local line=''
    grep -v '^[[:space:]]*$' "$log" 2>/dev/null | tail -n 1 | cut -c 1-500 | IFS= read -r line || true
    reason=${1:+$1: }$line
}

finished_before() {  # whether an earlier attempt has put a good result in place
    local marker=$run_dir/runs/$number.result its_id=''
    [[ -r $marker ]] || return 1
    { IFS= read -r its_id && IFS= read -r -d '' result; } <"$marker" || { result=''; return 1; }
    if [[ $its_id == "$id" && -f $result ]] && xpcs-corr inspect --require-result "$result" >/dev/null 2>&1; then
        return 0
    fi
    result=''
    return 1
}

prepare() {
    step=prepare
    run_state running 0
    command -v xpcs-corr >/dev/null || { reason='program xpcs-corr is not in PATH'; return 69; }
    [[ -f $raw && -r $raw ]] || { reason="raw file $raw cannot be read"; return 66; }
    [[ -f $qmap && -r $qmap ]] || { reason="q-map $qmap cannot be read"; return 66; }
    part=$output/.xpcs-$id.part
    { mkdir -p -- "$output" && rm -rf -- "$part" && mkdir -- "$part"; } 2>>"$log" ||
        { last_words "output directory $output"; return 73; }
}

stage_in() {  # input to the disk of the node, if it has room
    raw_here=$raw qmap_here=$qmap
    [[ $stage == yes && -n $node_local ]] || return 0
    step='stage in'
    run_state running 0
    if [[ ! -d $node_local || ! -w $node_local ]]; then
        note="no node-local disk at $node_local, input read in place"
        return 0
    fi
    local from=${raw%/*} files need=0 free=0 directory=''
    if [[ ${from##*/} == "$name"* ]]; then
        files=("$from"/*)  # a directory of its own
    else
        files=("$from/${name%_master}"* "$from"/*_metadata.hdf)
    fi
    du -sckL -- "${files[@]}" 2>/dev/null | tail -n 1 | cut -f 1 | read -r need || true
    df -Pk -- "$node_local" | awk 'NR == 2 { print $4 }' | read -r free || true
    if ((${need:-0} + ${need:-0} / 10 > ${free:-0})); then
        note="node-local disk has ${free:-0} KiB free, ${need:-0} needed: input read in place"
        return 0
    fi
    new_directory "$node_local/xpcs" 2>>"$log" || { reason="no directory in $node_local"; return 73; }
    scratch=$directory
    mkdir -- "$scratch/qmap" || return 73
    attend cp -RL -- "${files[@]}" "$scratch/" 2>>"$log" || { last_words staging; return 74; }
    attend cp -L -- "$qmap" "$scratch/qmap/" 2>>"$log" || { last_words staging; return 74; }
    raw_here=$scratch/${raw##*/} qmap_here=$scratch/qmap/${qmap##*/}
}

correlate() {
    step=correlate
    run_state running 0
    local code=0 arguments=(-r "$raw_here" -q "$qmap_here" -o "$part" "${options[@]}")
    case $gpu in
    cpu) arguments+=(--device=cpu) ;;
    all) arguments+=(--device=gpu:all) ;;
    auto) arguments+=(--device=auto) ;;
    *)
        export CUDA_VISIBLE_DEVICES=$gpu
        arguments+=(--device=gpu:0)
        ;;
    esac
    if ((threads > 0)) && [[ " ${options[*]} " != *" --threads="* ]]; then
        arguments+=(--threads="$threads")
    fi
    attend "${bind[@]}" xpcs-corr "${arguments[@]}" >>"$log" 2>&1 || code=$?
    if ((code > 128)); then
        last_words "xpcs-corr was ended by signal $((code - 128))"
    elif ((code > 0)); then
        last_words
    fi
    return "$code"
}

check() {  # a run that reports success has a result
    step=check
    run_state running 0
    local found=("$part"/*_results.hdf)
    if ((${#found[@]} != 1)); then
        reason="xpcs-corr reported success and left ${#found[@]} result files, 1 expected"
        return 70
    fi
    made=${found[0]}
    local code=0
    attend xpcs-corr inspect --require-result "$made" >>"$log" 2>&1 || code=$?
    ((code == 0)) || last_words 'result does not pass inspection'
    return "$code"
}

mark() {  # notes the result before it appears, so that no rerun makes it twice
    put "$run_dir/runs/$number.result" '%s\n%s\0' "$id" "$1"
}

place() {
    step=place
    run_state running 0
    local file=${made##*/} target n=0
    target=$output/$file
    if [[ $overwrite == yes ]]; then
        { mark "$target" && mv -fT -- "$made" "$target"; } 2>>"$log" ||
            { last_words "$target"; return 74; }
    else
        while :; do
            if [[ ! -e $target && ! -L $target ]]; then
                mark "$target" || return 74
                # A hard link never replaces what another job put there meanwhile.
                ln -T -- "$made" "$target" 2>>"$log" && break
                if [[ ! -e $target ]]; then
                    mv -nT -- "$made" "$target" 2>>"$log" || { last_words "$target"; return 74; }
                    [[ -e $made ]] || break
                fi
            fi
            n=$((n + 1))
            target=$output/${file%.hdf}_$n.hdf
        done
    fi
    result=$target
}

make_report() {
    [[ $report != off ]] || return 0
    step=report
    run_state running 0
    if ! command -v xpcs-portal >/dev/null; then
        if [[ $report == required ]]; then
            reason='program xpcs-portal is not in PATH'
            return 69
        fi
        note="${note:+$note; }no report: program xpcs-portal is not in PATH"
        return 0
    fi
    local stem=${result##*/} code=0
    stem=${stem%.hdf}
    rm -rf -- "$part" && mkdir -- "$part" || return 73
    attend xpcs-portal report "$result" -o "$part/report" >>"$log" 2>&1 || code=$?
    if ((code > 0)); then
        last_words report
        return "$code"
    fi
    if ! { mkdir -p -- "$output/resources" &&
        { [[ ! -e $output/resources/$stem ]] || mv -T -- "$output/resources/$stem" "$part/before"; } &&
        mv -T -- "$part/report" "$output/resources/$stem"; } 2>>"$log"; then
        last_words "$output/resources/$stem"
        return 74
    fi
    report_dir=$output/resources/$stem
}

has_report() {
    local stem=${result##*/}
    [[ $report == off || -d $output/resources/${stem%.hdf} ]] ||
        { [[ $report == auto ]] && ! command -v xpcs-portal >/dev/null; }
}

do_run() {  # do_run NUMBER: all steps; 0, or the exit code of the step that failed
    number=$1
    run_data "$number" || return $?
    now
    step=prepare reason='' note='' result='' report_dir='' part='' scratch='' made='' started=$time
    log=$run_dir/runs/$number.log
    local code=0
    if finished_before && has_report; then
        report_dir=${result##*/}
        report_dir=$output/resources/${report_dir%.hdf}
        [[ -d $report_dir ]] || report_dir=''
        step='done' note='done before'
        run_state 'done' 0
        say "run $number ($name): done before"
        return 0
    fi
    : >"$log"
    if [[ -n $result ]]; then
        # Only the report is missing.
        part=$output/.xpcs-$id.part
        mkdir -p -- "$part" || code=73
        ((code > 0)) || make_report || code=$?
    else
        { prepare && stage_in && correlate && check && place && make_report; } || code=$?
    fi
    [[ -z $part ]] || rm -rf -- "$part"
    [[ -z $scratch ]] || rm -rf -- "$scratch"
    if ((code == 0)); then
        step='done'
        run_state 'done' 0
        say "run $number ($name): done, $result${note:+ ($note)}"
    elif ((code == 75)); then
        reason=${stopping:+signal $stopping}
        run_state stopped 75
        say "run $number ($name): stopped${reason:+ by $reason}"
    else
        reason=${reason:-exit code $code}
        run_state failed "$code"
        say "run $number ($name): failed at $step with exit code $code: $reason"
    fi
    return "$code"
}

# ---- workers: one per GPU, each takes the next run that nobody has ----

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
