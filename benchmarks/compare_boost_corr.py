#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""xpcs-corr and boost_corr side by side: the same file, the same machine, one after the other.

boost-corr comes from PyPI into an environment of its own (--peer-env); both programs correlate the
same file with the same options, g2 is compared lag by lag, and the ratio of the wall times and the
peak memory of both are printed. Only the standard library is needed; the numbers are read with the
h5py of the peer's environment.

    compare_boost_corr.py --set sparse-0.01                    # makes the data, CPU
    compare_boost_corr.py --raw run.bin --qmap qmap.hdf --gpu 0
    compare_boost_corr.py --install-only
    PYTHONPATH=site compare_boost_corr.py --peer-python python3 ...   # nothing is installed

boost-corr asks for Python 3.12 or later. Where only an older one is to be had, the package itself is
installed without that check (its needs are installed with it), and the report says so.

Peak memory is the largest resident size of one process of each program; processes that the peer
starts beside it come on top of that. The peer plans with 36 GB unless told otherwise and is killed
by the system where there is less, so it is told to take seven tenths of what is free (--peer-memory), and is
stopped when it takes nine tenths of it. (boost-corr 0.1.7 fails on Rigaku files where it may plan with
less than about 14 GB: its buffers are then shorter than its batches of 1024 frames.)
"""
import argparse
import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

GEOMETRY = ["--energy", "10", "--distance", "4", "--pixel-size", "76e-6"]
SETS = {
    # name: (options of simulate, shape, ending); "twotime" in the name: two-time maps
    "sparse-0.002": (["--frames", "20000", "--occupancy", "0.002"], "512x1024", ".bin"),
    "sparse-0.01": (["--frames", "20000", "--occupancy", "0.01"], "512x1024", ".bin"),
    "sparse-0.01-short": (["--frames", "2000", "--occupancy", "0.01"], "512x1024", ".bin"),
    "twotime-0.01": (["--frames", "2000", "--occupancy", "0.01"], "512x1024", ".bin"),
    "dense-u16": (["--frames", "1000", "--occupancy", "1.5", "--format", "hdf5",
                   "--sample-bytes", "2"], "512x512", ".h5"),
    "dense-u16-bslz4": (["--frames", "1000", "--occupancy", "1.5", "--format", "hdf5",
                         "--sample-bytes", "2", "--compression", "bslz4"], "512x512", ".h5"),
}
# The peer stores its lower levels and sums their products in bfloat16 (8 significant bits).
# Most values then lie within this of ours; single ones at its worst lags do not.
AGREEMENT = 3e-3
MOST = 0.9
NEEDS = ["h5py", "hdf5plugin", "matplotlib", "numpy", "psutil", "scikit-image", "tqdm",
         "nvidia-ml-py", "torch"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def default_program():
    here = os.path.dirname(os.path.abspath(__file__))
    built = os.path.join(here, "..", "build", "bin", "xpcs-corr")
    return built if os.access(built, os.X_OK) else shutil.which("xpcs-corr") or built


def find_python():
    """The newest Python that the peer supports, else the one that runs this."""
    for name in ("python3.14", "python3.13", "python3.12"):
        path = shutil.which(name)  # which may be a stand-in for one that is not installed
        if path and subprocess.run([path, "--version"], capture_output=True).returncode == 0:
            return path
    return sys.executable


def install(environment, given):
    """Returns (python, note). Throws subprocess.CalledProcessError where pip fails."""
    if given:
        subprocess.run([given, "-c", "import boost_corr, torch, h5py"], check=True)
        return given, "as found"
    python = os.path.join(environment, "bin", "python")
    if not os.path.exists(python):
        say(f"making {environment}")
        subprocess.run([find_python(), "-m", "venv", environment], check=True)
    version = subprocess.run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                             check=True, capture_output=True, text=True).stdout.strip()
    old = tuple(map(int, version.split("."))) < (3, 12)
    found = subprocess.run([python, "-c", "import boost_corr, torch, h5py"], capture_output=True)
    if found.returncode != 0:
        pip = [python, "-m", "pip", "install", "--quiet"]
        if old:
            subprocess.run(pip + ["--no-deps", "--ignore-requires-python", "boost-corr"], check=True)
            subprocess.run(pip + ["--only-binary=:all:"] + NEEDS, check=True)
        else:
            subprocess.run(pip + ["boost-corr"], check=True)
    note = f"Python {version}" + (", older than the package asks for (3.12)" if old else "")
    return python, note


def peer_versions(python):
    code = ("import importlib.metadata as m, torch, json; print(json.dumps({'boost_corr': "
            "m.version('boost-corr'), 'torch': torch.__version__, 'threads': "
            "torch.get_num_threads(), 'gpu': torch.cuda.get_device_name() if "
            "torch.cuda.is_available() else None}))")
    out = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True,
                         env=clean_environment())
    return json.loads(out.stdout.splitlines()[-1])


def clean_environment():
    """Without settings that pin the peer's libraries to an older processor than this one."""
    env = dict(os.environ)
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        env.pop(name, None)
    return env


def free_bytes():
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))


def resident_bytes(pid):
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def run(command, log, timeout):
    """Wall seconds, CPU seconds and peak MiB of a child. `stopped` says why it was stopped: its time,
    or its memory, before the machine has none left for others."""
    say("+ " + " ".join(command))
    with open(log, "wb") as out:
        start = time.monotonic()
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT,
                                 env=clean_environment(), start_new_session=True)
        stopped, most = None, 0.9 * free_bytes()
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - start > timeout:
                stopped = "time"
            elif resident_bytes(child.pid) > most or free_bytes() < 1e9:
                stopped = "memory"
            if stopped:
                os.killpg(child.pid, signal.SIGKILL)
            time.sleep(0.01)
        wall = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    return {"command": command, "status": child.returncode, "stopped": stopped, "wall_s": wall,
            "cpu_s": usage.ru_utime + usage.ru_stime, "peak_MiB": usage.ru_maxrss / 1024}


def warm(path):
    """Into the page cache, so that both programs find the file there. All parts of a 3M run."""
    folder, name = os.path.split(os.path.abspath(path))
    stem = name[:-1] if ".bin.00" in name else name
    total = 0
    for other in sorted(os.listdir(folder)):
        if other == name or (stem != name and other.startswith(stem)):
            with open(os.path.join(folder, other), "rb", buffering=0) as file:
                while block := file.read(1 << 24):
                    total += len(block)
    return total


def is_twotime(name):
    return name.startswith("twotime")


def make_data(program, name, folder):
    simulate, shape, ending = SETS[name]
    rows, cols = shape.split("x")
    raw = os.path.join(folder, name + ending)
    qmap = os.path.join(folder, name + "_qmap.hdf")
    size = ["--rows", rows, "--cols", cols] + GEOMETRY
    if not os.path.exists(raw):
        subprocess.run([program, "simulate", "-o", raw, "--seed", "1", "--beam-y", "-200"] +
                       simulate + size, check=True, stdout=subprocess.DEVNULL)
    if not os.path.exists(qmap):
        # Two-time maps of the peer are those of other pixels unless its mask leaves some out.
        mask = ["--mask-circle", "0,0,20"] if is_twotime(name) else []
        subprocess.run([program, "make-qmap", "-o", qmap, "--beam-x", str(int(cols) / 2),
                        "--beam-y", "-200"] + mask + size, check=True, stdout=subprocess.DEVNULL)
    return raw, qmap


def result_in(folder):
    found = [os.path.join(folder, name) for name in os.listdir(folder)
             if name.endswith("_results.hdf")]
    return found[0] if len(found) == 1 else None


def load(path):
    """Lags and [lag][bin] values of a result: g2, or with two-time maps the means of their diagonals in
    the order of the labels, and the maps."""
    import h5py
    import numpy as np
    with h5py.File(path, "r") as file:
        if "/xpcs/multitau/normalized_g2" in file:
            group = file["/xpcs/multitau"]
            return (np.atleast_1d(np.squeeze(group["delay_list"][()])).astype(np.int64),
                    np.asarray(group["normalized_g2"][()], dtype=np.float64), [])
        group = file["/xpcs/twotime"]
        order = np.argsort(np.ravel(group["processed_bins"][()]))
        values = np.asarray(group["normalized_g2"][()], dtype=np.float64)[:, order]
        maps = [group[f"correlation_map/c2_{i + 1:05d}"][()] for i in order]
        return np.arange(len(values)), values, maps


def map_difference(ours, theirs):
    """Median relative difference of two lists of maps, upper triangles."""
    import numpy as np
    medians = []
    for a, b in zip(ours, theirs):
        rows, cols = np.triu_indices(len(a), 1)
        a, b = a[rows, cols].astype(np.float64), b[rows, cols].astype(np.float64)
        signal = np.isfinite(a) & np.isfinite(b) & (b != 0)
        medians.append(float(np.median(np.abs(a[signal] / b[signal] - 1))))
    return max(medians) if medians else None


def numbers(ours, theirs):
    """Runs in the peer's environment: two results, lag by lag and map by map."""
    import numpy as np
    lag_a, g2_a, maps_a = load(ours)
    lag_b, g2_b, maps_b = load(theirs)
    lags, at_a, at_b = np.intersect1d(lag_a, lag_b, return_indices=True)
    a, b = g2_a[at_a], g2_b[at_b]
    if maps_a and a.shape != b.shape:
        raise SystemExit(f"two-time results of {a.shape} and {b.shape} (lags, bins)")
    signal = np.isfinite(a) & np.isfinite(b) & (b != 0)
    away = np.where(signal, np.abs(a - b) / np.where(signal, np.abs(b), 1), 0)
    print(json.dumps({
        "lags_ours": len(lag_a), "lags_theirs": len(lag_b), "lags_compared": len(lags),
        "values_compared": int(signal.sum()), "largest": float(away.max(initial=0)),
        "median": float(np.median(away[signal])) if signal.any() else None,
        "maps": len(maps_a), "maps_median": map_difference(maps_a, maps_b),
        "share_within": float((away[signal] <= AGREEMENT).mean()) if signal.any() else None,
        "largest_by_lag": [[int(lag), float(row.max())] for lag, row in zip(lags, away)],
    }))


def one(args, python, name, raw, qmap):
    size = warm(raw)
    report = {"data": name, "raw_bytes": size, "normalize_frame": args.normalize_frame}
    with tempfile.TemporaryDirectory(prefix="xpcs-compare-") as scratch:
        folders = {who: os.path.join(scratch, who) for who in ("ours", "theirs")}
        for folder in folders.values():
            os.mkdir(folder)
        common = ["-r", raw, "-q", qmap, "-i", str(args.gpu), "-nf", str(args.normalize_frame), "-w"]
        if is_twotime(name):
            common += ["-t", "Twotime", "--crop-ratio-threshold", "1.1"]
        mine = [args.program] + common + ["-o", folders["ours"], "--progress", "never"]
        if args.threads:
            mine += ["--threads", str(args.threads)]
        times = [run(mine, os.path.join(scratch, "ours.log"), args.timeout)
                 for _ in range(args.repeat)]
        report["xpcs"] = min(times, key=lambda t: t["wall_s"])
        report["xpcs"]["all_wall_s"] = [t["wall_s"] for t in times]
        if any(t["status"] != 0 for t in times):
            sys.stderr.write(open(os.path.join(scratch, "ours.log"), errors="replace").read())
            raise SystemExit(f"xpcs-corr failed on {raw}")
        warm(raw)
        peer = [python, "-c", "from boost_corr.cli import main; main()"] + common
        memory = args.peer_memory or min(36, 0.7e-9 * free_bytes())
        report["boost_corr"] = run(peer + ["-o", folders["theirs"], "--max-memory", f"{memory:.1f}"],
                                   os.path.join(scratch, "theirs.log"), args.timeout)
        status = report["boost_corr"]["status"]
        report["ratio"] = report["boost_corr"]["wall_s"] / report["xpcs"]["wall_s"]
        report["cpu_ratio"] = report["boost_corr"]["cpu_s"] / report["xpcs"]["cpu_s"]
        report["memory_ratio"] = report["boost_corr"]["peak_MiB"] / report["xpcs"]["peak_MiB"]
        if status != 0:
            tail = open(os.path.join(scratch, "theirs.log"), errors="replace").read()[-2000:]
            report["boost_corr"]["output"] = tail
            say(tail)
            report["g2"] = None
        else:
            out = subprocess.run([python, os.path.abspath(__file__), "--numbers",
                                  result_in(folders["ours"]), result_in(folders["theirs"])],
                                 check=True, capture_output=True, text=True)
            report["g2"] = json.loads(out.stdout.splitlines()[-1])
            report["g2"]["agrees"] = (report["g2"]["share_within"] or 0) >= MOST
    return report


def cell(report):
    peer = report["boost_corr"]
    if peer["stopped"] == "time":
        return f"> {peer['wall_s']:.0f} (stopped)", f"> {report['ratio']:.0f}"
    if peer["stopped"] == "memory":
        return "no memory", "-"
    if peer["status"] != 0:
        return f"failed ({peer['status']})", "-"
    return f"{peer['wall_s']:.1f}", f"{report['ratio']:.0f}"


def markdown(document):
    lines = ["| data | -nf | xpcs s (CPU s) | boost_corr s (CPU s) | ratio (CPU) | xpcs GiB | "
             "boost_corr GiB | relative difference of g2 |", "|---|---|---|---|---|---|---|---|"]
    for r in document["runs"]:
        seconds, ratio = cell(r)
        g2 = "-" if r["g2"] is None else (
            f"median {r['g2']['median']:.1e}, {100 * r['g2']['share_within']:.1f} % within "
            f"{AGREEMENT:g}, largest {r['g2']['largest']:.1e} ({r['g2']['lags_compared']} lags)")
        if r["g2"] and r["g2"]["maps"]:
            g2 += f"; {r['g2']['maps']} maps, median {r['g2']['maps_median']:.1e}"
        ours, peer = r["xpcs"], r["boost_corr"]
        lines.append(f"| {r['data']} | {r['normalize_frame']} | {ours['wall_s']:.2f} "
                     f"({ours['cpu_s']:.2f}) | {seconds} ({peer['cpu_s']:.1f}) | {ratio} "
                     f"({r['cpu_ratio']:.0f}) | {ours['peak_MiB'] / 1024:.2f} | "
                     f"{peer['peak_MiB'] / 1024:.2f} | {g2} |")
    return "\n".join(lines) + "\n"


def cpu_name():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file
                        if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], choices=sorted(SETS),
                        help="data to make and compare; may be repeated")
    parser.add_argument("--raw", help="raw file; its metadata file lies beside it")
    parser.add_argument("--qmap", help="q-map of --raw")
    parser.add_argument("--program", default=default_program(), help="xpcs-corr")
    parser.add_argument("--peer-env", default=os.path.join(tempfile.gettempdir(), "boost-corr-env"),
                        help="environment of the peer; made if it is not there")
    parser.add_argument("--peer-python", metavar="FILE",
                        help="a Python that can import boost_corr; nothing is installed")
    parser.add_argument("--dir", help="folder for the data that --set makes; kept")
    parser.add_argument("--gpu", type=int, default=-1, help="GPU of both programs; -1 = CPU")
    parser.add_argument("--normalize-frame", type=int, choices=(0, 1), default=1)
    parser.add_argument("--threads", type=int, default=0, help="of xpcs-corr; 0 = all")
    parser.add_argument("--repeat", type=int, default=3, help="runs of xpcs-corr; the best counts")
    parser.add_argument("--peer-memory", type=float, default=0,
                        help="GB that the peer may plan with; 0 = 0.7 of what is free, at most 36")
    parser.add_argument("--timeout", type=float, default=540, help="seconds of one run")
    parser.add_argument("--report-only", action="store_true",
                        help="exit 0 also where the numbers differ more than the peer's rounding")
    parser.add_argument("--json", help="file for the report")
    parser.add_argument("--install-only", action="store_true")
    parser.add_argument("--numbers", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if bool(args.raw) != bool(args.qmap):
        parser.error("--raw and --qmap belong together")
    if not (args.set or args.raw or args.install_only or args.numbers):
        parser.error("nothing to compare: --set or --raw and --qmap")
    return args


def main():
    args = parse()
    if args.numbers:
        numbers(*args.numbers)
        return 0
    try:
        python, note = install(args.peer_env, args.peer_python)
    except subprocess.CalledProcessError as failure:
        say(f"boost-corr cannot be had here: {' '.join(failure.cmd)} failed")
        return 69
    if args.install_only:
        print(json.dumps(peer_versions(python)))
        return 0
    if not os.access(args.program, os.X_OK):
        say(f"{args.program} is not there: script/build makes it, --program names another")
        return 66
    document = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%MZ"),
                "cpu": cpu_name(), "cores": os.cpu_count(), "load_at_start": os.getloadavg()[0],
                "peer": peer_versions(python), "peer_python": note,
                "xpcs": subprocess.run([args.program, "--version"], check=True, text=True,
                                       capture_output=True).stdout.split("\n")[:4],
                "runs": []}
    folder = args.dir or tempfile.mkdtemp(prefix="xpcs-compare-data-")
    try:
        os.makedirs(folder, exist_ok=True)
        data = [(name, *make_data(args.program, name, folder)) for name in args.set]
        if args.raw:
            data.append((os.path.basename(args.raw), args.raw, args.qmap))
        for name, raw, qmap in data:
            document["runs"].append(one(args, python, name, raw, qmap))
    finally:
        if not args.dir:
            shutil.rmtree(folder, ignore_errors=True)
    document["load_at_end"] = os.getloadavg()[0]
    if args.json:
        with open(args.json, "w") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
    print(markdown(document), end="")
    bad = [r for r in document["runs"] if r["boost_corr"]["status"] != 0 or
           not (args.report_only or r["g2"]["agrees"])]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
