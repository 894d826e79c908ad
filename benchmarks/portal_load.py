#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Load on the portal: portal_load.py XPCS_PORTAL [--records N] [--clients N] [--seconds S] [--pause S]

Makes a catalogue of N records (default 10 000) of a few hundred experiments, serves it, and lets 50
clients search for 30 s: pages and /api/search in turn, with words, facets, dates, sorting and paging.
Each client keeps its connection and asks again as soon as it has its answer (--pause S: that much
later). Prints requests, errors and latencies of searches as JSON; exit 1 if a request failed or the
median is 50 ms or more. Only the standard library is needed.
"""
import argparse
import asyncio
import json
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

SAMPLES = ("silica in glycerol", "lysozyme", "latex 100 nm", "gold nanorods", "block copolymer", "ferrofluid",
           "porous glass", "casein gel")
DETECTORS = ("eiger4M", "rigaku3M", "rigaku500k", "lambda2M")


def record(number, chance):
    experiment = f"{chance.choice('abcdefgh')}group{number // 40:03d}"
    day = f"{2023 + number // 4000}-{1 + number // 340 % 12:02d}-{1 + number // 12 % 28:02d}"
    sample, detector = chance.choice(SAMPLES), chance.choice(DETECTORS)
    subject = f"globus://74defd5b/XPCSDATA/{experiment}/run_a{number:05d}"
    return {
        "subject": subject, "visible_to": ["public"], "id": "metadata",
        "content": {
            "dc": {"titles": [{"title": f"run_a{number:05d}_{sample.split()[0]}"}], "creators": [{"creatorName": "8-ID"}]},
            "files": [{"filename": name, "url": f"{subject}/{name}", "length": 1000 + number, "mime_type": kind,
                       "sha256": f"{number:064x}"}
                      for name, kind in (("run_results.hdf", "application/x-hdf"), ("metadata.json", "application/json"),
                                         ("scattering_pattern_log.png", "image/png"))],
            "project_metadata": {
                "experiment": experiment, "cycle": f"{2023 + number // 4000}-{1 + number // 1300 % 3}",
                "organization": chance.choice(("APS", "ALCF")), "analysis_type": [chance.choice(("Multitau", "Twotime"))],
                "start_time": f"{day} {number % 24:02d}:{number % 60:02d}:00",
                "/entry/instrument": {"detector_1": {"detector_name": detector, "frame_time (s)": 2e-5},
                                      "incident_beam": {"incident_energy (keV)": chance.choice((8.0, 10.92, 11.0, 12.4))}},
                "/entry/sample": {"short_description": sample, "qnw1_temperature (K)": 280 + number % 40},
                "/entry/user": {"name": f"user{number // 200:02d}"},
                "source_files": {"raw": [f"/data/{number}.bin"], "qmap": [f"{detector}_d36_s360.h5"]},
                "results": {"relaxation_time_s": chance.lognormvariate(-5, 1), "contrast": 0.2, "mean_intensity": 0.1,
                            "temperature_K": 280 + number % 40}}}}


def question(chance):
    parameters = []
    if chance.random() < 0.5:
        parameters.append(("q", chance.choice(("silica", "latex eiger4M", "lysoz", f"run_a{chance.randrange(10000):05d}",
                                               "8-ID", "casein rigaku", "nothing_like_it"))))
    if chance.random() < 0.4:
        parameters.append(("detector", chance.choice(DETECTORS)))
    if chance.random() < 0.3:
        parameters.append(("cycle", f"{chance.choice((2023, 2024, 2025))}-{chance.choice((1, 2, 3))}"))
    if chance.random() < 0.2:
        parameters.append(("from", "2024-02-01"))
    parameters.append(("sort", chance.choice(("newest", "newest", "oldest", "title", "relevance"))))
    if chance.random() < 0.3:
        parameters.append(("offset", str(24 * chance.randrange(20))))
    return chance.choice(("/", "/api/search")) + "?" + urllib.parse.urlencode(parameters)


async def client(number, port, until, pause, latencies, errors):
    chance = random.Random(number)
    reader = writer = None
    while time.monotonic() < until:
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            begin = time.perf_counter()
            writer.write(f"GET {question(chance)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - begin)
            if not head.startswith(b"HTTP/1.1 200"):
                errors.append(head.split(b"\r\n")[0].decode())
            if b"connection: close" in head.lower():
                writer.close()
                writer = None
        except (OSError, asyncio.IncompleteReadError) as error:
            # A connection that the server closed after its share of requests is opened again.
            if isinstance(error, asyncio.IncompleteReadError) and not error.partial:
                writer = None
                continue
            errors.append(repr(error))
            writer = None
        if pause:
            await asyncio.sleep(pause)


async def load(arguments, port):
    latencies, errors = [], []
    until = time.monotonic() + arguments.seconds
    await asyncio.gather(*(client(k, port, until, arguments.pause, latencies, errors) for k in range(arguments.clients)))
    return latencies, errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portal")
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--pause", type=float, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place, chance = pathlib.Path(folder), random.Random(1)
        with open(place / "records.jsonl", "w", encoding="utf-8") as out:
            for number in range(arguments.records):
                out.write(json.dumps(record(number, chance)) + "\n")
        begin = time.monotonic()
        subprocess.run([arguments.portal, "ingest", place / "records.jsonl", "--catalogue", place / "c.db"], check=True,
                       stdout=subprocess.DEVNULL)
        ingest_s = time.monotonic() - begin
        ingest_cpu_s = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        server = subprocess.Popen([arguments.portal, "serve", "--catalogue", place / "c.db", "--root", place, "--port", "0"],
                                  stdout=subprocess.PIPE, text=True)
        try:
            port = urllib.parse.urlsplit(server.stdout.readline().strip()).port
            latencies, errors = asyncio.run(load(arguments, port))
            with open(f"/proc/{server.pid}/stat", encoding="ascii") as stat:
                words = stat.read().rsplit(")", 1)[1].split()
            cpu_s = (int(words[11]) + int(words[12])) / 100
        finally:
            server.terminate()
            server.wait(30)
    latencies.sort()
    at = lambda part: round(1e3 * latencies[min(len(latencies) - 1, int(part * len(latencies)))], 2)
    median = statistics.median(latencies) * 1e3
    print(json.dumps({"records": arguments.records, "clients": arguments.clients, "seconds": arguments.seconds,
                      "pause_s": arguments.pause, "ingest_s": round(ingest_s, 2),
                      "ingest_cpu_s": round(ingest_cpu_s, 2), "requests": len(latencies),
                      "requests_per_s": round(len(latencies) / arguments.seconds), "errors": len(errors),
                      "first_errors": errors[:3], "median_ms": round(median, 2), "p95_ms": at(0.95), "p99_ms": at(0.99),
                      "largest_ms": at(1), "server_cpu_ms_per_request": round(1e3 * cpu_s / len(latencies), 3)}, indent=1))
    return 1 if errors or median >= 50 else 0


sys.exit(main())
