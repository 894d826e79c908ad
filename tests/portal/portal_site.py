# SPDX-License-Identifier: BSD-3-Clause
"""A portal to try: two simulated runs, records of hostile text, users, and the server itself."""
import contextlib
import json
import os
import pathlib
import subprocess
import tempfile

HOSTILE = '<script>document.title="broken"</script>"\'><img src=x onerror=alert(1)>' + "x" * 3000
VIEWER, OPERATOR, PASSWORD = "vera", "otto", "right password"
GEOMETRY = ("--rows 64 --cols 128 --energy 11 --distance 4 --pixel-size 600e-6 "
            "--beam-x 64 --beam-y 32").split()


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, **more)
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def simulate(bin_dir, root):
    """The directories of two runs, each with raw file, result and report; q-map beside them."""
    corr, portal = bin_dir / "xpcs-corr", bin_dir / "xpcs-portal"
    run(corr, "make-qmap", *GEOMETRY, "--mask-circle", "32,64,11", "--dynamic-q", "5", "--static-q", "15",
        "--output", root / "qmap.h5")
    runs = []
    for number, name in enumerate(("cold", "warm"), 1):
        place = root / name
        place.mkdir()
        run(corr, "simulate", "--format", "rigaku", "--frames", "1500", "--occupancy", "0.05", "--seed", number,
            "--diffusion", 4e5 * number, "--contrast", "0.3", "--beamstop", "10", *GEOMETRY,
            "--output", place / f"{name}.bin", "--progress", "never")
        # One with two-time maps of two bins.
        analysis = ("-t", "Both", "-d", "1,3") if name == "warm" else ("-np", "3")
        run(corr, "correlate", "-r", place / f"{name}.bin", "-q", root / "qmap.h5", "-o", place, "-nf", "0", "-w",
            "--device", "cpu", "--progress", "never", "--log-level", "error", *analysis)
        run(portal, "report", place / f"{name}_results.hdf", "-o", place / "report")
        runs.append(place)
    return runs


def record(name, experiment, public=True):
    """A published record whose texts and numbers mean harm."""
    return {"subject": f"globus://c/../../{name}", "visible_to": ["public" if public else "urn:g:1"],
            "id": "metadata",
            "content": {"dc": {"titles": [{"title": name}]},
                        "files": [{"filename": "../passwd", "url": f"globus://c/../../{name}/../../etc/passwd",
                                   "mime_type": "text/html", "length": 1}],
                        "project_metadata": {"experiment": experiment, "x": float("nan"), "sample": name,
                                             "start_time": "2026-01-02 03:04:05",
                                             "results": {"contrast": 0.2, "relaxation_time_s": float("nan")}}}}


@contextlib.contextmanager
def serving(portal, *words, **more):
    """The address of a portal that runs while the block does."""
    server = subprocess.Popen([str(portal), "serve", "--port", "0", *map(str, words)], stdout=subprocess.PIPE,
                              text=True, **more)
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        assert server.wait(30) == 0, "the portal did not end well"


@contextlib.contextmanager
def site(portal):
    """Address and root of a portal with everything that the tests visit."""
    bin_dir = pathlib.Path(portal).resolve().parent
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        catalogue, users = root / "catalogue.db", root / "users"
        runs = simulate(bin_dir, root)
        run(portal, "ingest", *runs, "--catalogue", catalogue, "--experiment", "demo", "--cycle", "2026-1")
        (root / "records.json").write_text(json.dumps(
            [record(HOSTILE, HOSTILE), record("hidden", "demo", public=False)]))
        run(portal, "ingest", root / "records.json", "--catalogue", catalogue)
        for name, role in ((VIEWER, "viewer"), (OPERATOR, "operator")):
            run(portal, "user", name, "--role", role, "--auth", users, input=PASSWORD + "\n")
        deployments = pathlib.Path(__file__).resolve().parents[2] / "deployments.yaml"
        environment = dict(os.environ, PATH=f"{bin_dir}:{os.environ['PATH']}")
        with serving(portal, "--catalogue", catalogue, "--root", root, "--auth", users, "--deployments", deployments,
                     env=environment) as address:
            yield address, root
