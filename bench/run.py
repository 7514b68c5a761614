#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Measure one model in a process of this machine, as JSON and a plot.

    bench/run.py [-t THREADS] [-r ROUNDS] [-c CASES] [-o DIRECTORY] MODEL

Whole runs (prefill, decode at several depths, conversations together, a cold
start), a round of all after another; then loading beside a copy of the file,
each operation of a step, and each matrix kernel beside the memory's read speed.
Writes result.json, and result.svg where there is gnuplot.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

from about import about

LLAMUX = "build/llamux"
PROMPT = "Once upon a time"


def output(cmd):
    return subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True,
                          text=True).stdout


def bench(args, what, threads=0):
    """Tokens a second, and the command."""
    cmd = [LLAMUX, "--user", "-t", str(threads or args.threads), "-m", args.model,
           "--json", "bench", "-r", "1"] + what
    j = json.loads(output(cmd))
    return (j["decode_tps"] if j["n_decode"] else j["prefill_tps"]), cmd


def simd(args):
    return json.loads(output([LLAMUX, "--user", "-m", args.model, "--json", "bench", "-r", "1",
                              "-p", "1", "-n", "0"]))["simd"]


def cold_start(args):
    """Seconds from a process's start to its first token's end."""
    cmd = [LLAMUX, "--user", "-t", str(args.threads), "-m", args.model, "ask", "--raw",
           "-n", "1", PROMPT]
    start = time.monotonic()
    output(cmd)
    return time.monotonic() - start, cmd


def decode(depth, threads=0):
    return lambda args: bench(args, ["-p", "0", "-n", "64", "-d", str(depth)], threads)


def streams(n):
    return lambda args: bench(args, ["-p", "8", "-n", "32", "-s", str(n)])


TPS = "tokens/s"
CASES = {
    "prefill 512": (TPS, lambda args: bench(args, ["-p", "512", "-n", "0"])),
    "prefill 512, 1 thread": (TPS, lambda args: bench(args, ["-p", "512", "-n", "0"], 1)),
    "decode": (TPS, decode(0)),
    "decode, 1 thread": (TPS, decode(0, 1)),
    "decode, depth 512": (TPS, decode(512)),
    "decode, depth 2048": (TPS, decode(2048)),
    "decode, depth 8192": (TPS, decode(8192)),
    "1 stream": (TPS, streams(1)),
    "4 streams": (TPS, streams(4)),
    "16 streams": (TPS, streams(16)),
    "cold start": ("s", cold_start),
}


def rounds(args):
    rows = [{"what": c, "unit": CASES[c][0], "runs": []} for c in CASES
            if re.search(args.cases, c)]
    for _ in range(args.rounds):
        for row in rows:
            if "error" in row:
                continue
            try:
                value, cmd = CASES[row["what"]][1](args)
            except subprocess.CalledProcessError as e:
                row["error"] = e.stderr.strip()
                continue
            row["runs"].append(round(value, 3))
            row["command"] = " ".join(os.path.basename(w) for w in cmd)
    for row in rows:
        if "error" not in row:
            row["median"] = statistics.median(row["runs"])
    return rows


def beside_memory(result):
    """Bytes of weights a token reads, by the steps, over what the memory gives."""
    step, read = result["step"], result["micro"]["read_gbps"]
    moved = sum(o["gbps"] * o["wall_us"] for o in step["ops"]) * 1e3
    step["read_bytes"] = round(moved)
    step["read_share"] = round(moved / step["wall_us"] / 1e3 / read, 3)


def show(result):
    for row in result["rows"]:
        if "error" in row:
            print("%-24s %s" % (row["what"], row["error"]))
        else:
            print("%-24s %9.2f (%.2f to %.2f) %s" % (
                row["what"], row["median"], min(row["runs"]), max(row["runs"]), row["unit"]))
    load, step = result["load"], result["step"]
    print("%-24s %9.3f s, %.2f times a copy of the file (%.3f s)" % (
        "load", load["load_s"], load["ratio"], load["copy_s"]))
    print("%-24s %9.1f us: %.0f MB at %.0f %% of the %.1f GB/s that %u threads read" % (
        "a step of one token", step["wall_us"], step["read_bytes"] * 1e-6,
        100 * step["read_share"], result["micro"]["read_gbps"], result["micro"]["threads"]))
    for k in result["micro"]["kernels"]:
        print("%-24s %9.1f GB/s, %.1f GMAC/s with 64 tokens" % (
            "%s, %s" % (k["type"], k["simd"]), k["gbps"], k["gmacs64"]))


def plot(result, path):
    if not shutil.which("gnuplot"):
        print("no gnuplot, no plot", file=sys.stderr)
        return
    rows = [r for r in result["rows"] if r["unit"] == TPS and "median" in r]
    data = "".join('"%s" %g %g %g\n' % (r["what"], r["median"], min(r["runs"]),
                                        max(r["runs"])) for r in rows)
    script = """set terminal svg size 900,480 font "sans,13" background rgb "white"
set output "%s"
set title "%s, %u threads, %s" noenhanced
set style fill solid 0.7
set boxwidth 0.6
set yrange [0:*]
set ylabel "tokens per second (median, least, most)"
set xtics rotate by 30 right
set grid ytics
unset key
$data << EOD
%sEOD
plot $data using 0:2:xtic(1) with boxes linecolor rgb "#3465a4", \\
     $data using 0:2:3:4 with yerrorbars linecolor rgb "#2e3436" pointtype 7 pointsize 0, \\
     $data using 0:4:(sprintf("%%.0f", $2)) with labels offset 0,0.8
""" % (path, result["model"], result["threads"], result["machine"], data)
    subprocess.run(["gnuplot"], input=script, check=True, text=True)
    print(path)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("model")
    p.add_argument("-t", "--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("-r", "--rounds", type=int, default=3)
    p.add_argument("-c", "--cases", default="", help="regular expression: which of " +
                   ", ".join(CASES))
    p.add_argument("-o", "--out", default="build/bench", help="directory (build/bench)")
    args = p.parse_args()
    threads = ["-t", str(args.threads)]
    result = about(args.model, args.threads)
    result["rows"] = rounds(args)
    result["load"] = json.loads(output(["build/bench/load", "-j"] + threads + [args.model]))
    result["step"] = json.loads(output(["build/bench/steps", "-j", "-m", args.model] + threads))
    result["micro"] = json.loads(output(["build/bench/micro", "-j", "-s", simd(args)] + threads))
    beside_memory(result)
    show(result)
    path = os.path.join(args.out, "result.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    print(path)
    plot(result, os.path.join(args.out, "result.svg"))


main()
