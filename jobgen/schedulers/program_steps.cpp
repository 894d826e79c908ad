// SPDX-License-Identifier: BSD-3-Clause
// One run of a job script, from the raw file to the report.
#include "jobgen/schedulers/scheduler.hpp"

namespace xpcs::jobgen {

const char* program_steps() {
    return R"bash(# ---- the steps of one run; each sets `reason` and returns an exit code when it fails ----

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

)bash";
}

}  // namespace xpcs::jobgen
