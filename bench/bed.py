#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""In a booted kernel: the module beside the process, a first token, latency.

    beds/run uml -m 6G -t 1200 -- bench/bed.py build/.../llamux.ko MODEL

Module and process run in turn with the same threads on the same file. The time
to a first token is that of a process that has never run, from its start, less
what a prefill of its prompt and one decode cost. Latency: how late normal and
real-time tasks wake, with the module idle, generating on all CPUs, and with
user-space loops of the same number and nice level in its place, which is what
the scheduler and the host add.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

LLAMUX = "build/llamux"
PROMPT = "Once upon a time"
DEBUG = "/sys/kernel/debug/llamux/"


def output(cmd):
    return subprocess.run(cmd, stdout=subprocess.PIPE, check=True, text=True).stdout


def bench(where, n, m):
    j = json.loads(output([LLAMUX] + where + ["--json", "bench", "-r", "1", "-p", str(n),
                                              "-n", str(m)]))
    return j["prefill_tps"], j["decode_tps"], j["logits_hash"], j["engine"]


def median(v):
    return round(statistics.median(v), 3)


def compare(model, rounds, result):
    runs = {"module": [], "process": []}
    for _ in range(rounds):
        for where in (["-m", "m"], ["--user", "-m", model]):
            prefill, decode, logits, engine = bench(where, 128, 32)
            runs[engine].append((prefill, decode, logits))
    both = runs["module"] + runs["process"]
    result["same_logits"] = len({r[2] for r in both}) == 1
    for i, what in enumerate(("prefill", "decode")):
        a, b = ([round(r[i], 2) for r in runs[k]] for k in ("module", "process"))
        result[what] = {"module": a, "process": b,
                        "ratio": round(median(a) / median(b), 3)}


def first_token(model, result):
    """Milliseconds beyond prefill and one decode, of fresh processes."""
    n = len(output([LLAMUX, "-m", model, "tokenize", "--ids", PROMPT]).split())
    over = []
    for _ in range(15):
        prefill, decode, _, _ = bench(["-m", "m"], n, 1)
        start = time.monotonic()
        with subprocess.Popen([LLAMUX, "ask", "--raw", "-n", "4", "--temp", "0", PROMPT],
                              stdout=subprocess.PIPE) as p:
            os.read(p.stdout.fileno(), 1)
            took = time.monotonic() - start
            p.stdout.read()
        over.append(round(1000 * (took - n / prefill - 1 / decode), 2))
    result["first_token_ms_beyond"] = {"prompt_tokens": n, "median": median(over),
                                       "runs": over}


def latency(seconds):
    rows = {}
    for line in output(["build/bench/latency", str(seconds)]).splitlines():
        name, n, p50, p99, p999, top = line.split()
        rows[name] = {"n": int(n), "p50": float(p50), "p99": float(p99), "p99.9": float(p999),
                      "max": float(top)}
    return rows


def beside(commands, seconds):
    load = [subprocess.Popen(c, stdout=subprocess.DEVNULL) for c in commands]
    time.sleep(1)
    try:
        return latency(seconds)
    finally:
        for p in load:
            p.kill()
            p.wait()


def histogram(name):
    """Upper bound, in us, below which 99.9 % of the sections are; and their number."""
    rows = []
    with open(DEBUG + name) as f:
        for line in f:
            if not line.startswith("#"):
                rows.append([int(x) for x in line.split()])
    total, seen = sum(r[2] for r in rows), 0
    for r in rows:
        seen += r[2]
        if seen >= 0.999 * total:
            return r[1], total
    return 0, 0


def clear(name):
    with open(DEBUG + name, "w") as f:
        f.write("0")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("module")
    p.add_argument("model")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=int, default=15)
    args = p.parse_args()
    cpus = os.cpu_count()
    result = {"bed": os.environ.get("BED", "?"), "kernel": os.uname().release, "cpus": cpus,
              "model": os.path.basename(args.model)}
    if not os.path.ismount("/sys/kernel/debug"):
        subprocess.run(["mount", "-t", "debugfs", "none", "/sys/kernel/debug"], check=True)
    subprocess.run(["insmod", args.module, "threads=%u" % cpus], check=True)
    start = time.monotonic()
    subprocess.run([LLAMUX, "load", args.model, "--name", "m"], check=True)
    result["load_s"] = round(time.monotonic() - start, 2)
    compare(args.model, args.rounds, result)
    first_token(args.model, result)
    result["latency_us"] = {"idle": latency(args.seconds)}
    spin = ["sh", "-c", "while :; do :; done"]
    result["latency_us"]["spinning"] = beside([spin] * cpus, args.seconds)
    with open(DEBUG + "fpu_control", "w") as f:
        f.write("50")
    for h in ("fpu_sections", "fpu_control_sections"):
        clear(h)
    ask = [LLAMUX, "ask", "--raw", "--shift", "-n", "0", "--logit-bias", "2=never", PROMPT]
    result["latency_us"]["generating"] = beside([ask] * 2, args.seconds)
    for h in ("fpu_sections", "fpu_control_sections"):
        bound, n = histogram(h)
        result[h] = {"n": n, "p99.9_below_us": bound}
    json.dump(result, sys.stdout, indent=1)
    print()
    subprocess.run(["rmmod", "llamux"], check=True)


main()
