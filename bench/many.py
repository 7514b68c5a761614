#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""In a booted kernel: many conversations at once with the module.

    beds/run uml -m 8G -t 3600 -- bench/many.py llamux.ko MODEL

64 prompts alone, then 4, 16 and 64 at a time: tokens a second of all, and the
time between two tokens of a client, prompts not counted. A prompt of 2,000
tokens beside a stream: by how many decode steps a token is late. First tokens
of sessions that begin with the same 1,000 tokens, memory of 1,000 idle ones,
and a hot swap again and again under 8 clients. Figures are medians of rounds;
"goals" says which are met. bench/many.c does the talking.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

LLAMUX = "build/llamux"
MANY = "build/bench/many"
SMALL = "models/llamux-default.gguf"


def many(*words):
    cmd = [MANY] + [str(w) for w in words]
    return json.loads(subprocess.run(cmd, stdout=subprocess.PIPE, check=True, text=True,
                                     stdin=subprocess.DEVNULL).stdout)


def median(values):
    return round(statistics.median(values), 3)


def llamux(*words):
    subprocess.run([LLAMUX] + list(words), check=True, stdout=subprocess.DEVNULL)


def streams(args):
    """Rows of medians, by the number of clients."""
    rounds = [many("streams", args.tokens, 4, 16, 64) for _ in range(args.rounds)]
    rows = []
    for same in zip(*rounds):
        gaps = {q: median([r["gap_ms"][q] for r in same]) for q in same[0]["gap_ms"]}
        rows.append({"clients": same[0]["clients"], "tokens": same[0]["tokens"],
                     "gaps": same[0]["gaps"],
                     "tokens_per_s": median([r["tokens_per_s"] for r in same]),
                     "tokens_per_s_runs": [r["tokens_per_s"] for r in same],
                     "gap_ms": gaps, "tail": round(gaps["p99.9"] / gaps["p50"], 2),
                     "tail_runs": [round(r["gap_ms"]["p99.9"] / r["gap_ms"]["p50"], 2)
                                   for r in same],
                     "as_alone": all(r["as_alone"] for r in same)})
    for r in rows:
        r["ratio"] = round(r["tokens_per_s"] / rows[0]["tokens_per_s"], 2)
    return rows


def answers(stop=None):
    """What 8 clients are told till stop() returns; without it, one answer of one."""
    with subprocess.Popen([MANY, "answers", "8" if stop else "1"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as p:
        if stop:
            stop()
        return json.loads(p.communicate("")[0])


def swap(args):
    """Two models take turns; every answer must be one of the two."""
    whole = [set(answers()["answers"])]
    llamux("load", SMALL, "--name", "s0", "--default")
    llamux("unload", "m")
    whole.append(set(answers()["answers"]))
    start = time.monotonic()

    def swaps():
        for i in range(1, args.swaps + 1):
            llamux("load", SMALL if i % 2 == 0 else args.model, "--name", "s%u" % i, "--default",
                   "--ctx", "512")
            llamux("unload", "s%u" % (i - 1))

    got = answers(swaps)
    took = time.monotonic() - start
    counts = [sum(got["answers"].get(a, 0) for a in w) for w in whole]
    return {"swaps": args.swaps, "clients": 8, "s_each": round(took / args.swaps, 2),
            "answers": sum(got["answers"].values()), "of_each_model": counts,
            "mixed": sum(got["answers"].values()) - sum(counts), "errors": got["errors"]}


def goals(r):
    by = {row["clients"]: row for row in r["streams"]}
    return {"16 clients at least 5 times one": by[16]["ratio"] >= 5,
            "p99.9 under 3 times the median": all(row["tail"] < 3 for row in r["streams"]),
            "answers as alone": all(row["as_alone"] for row in r["streams"]),
            "a prompt stalls a stream by 2 steps at most": r["stall"]["stall_steps"] <= 2,
            "an idle session under 16 kB": r["idle"]["with_a_model_kb"] < 16,
            "a shared prefix under a tenth": r["prefix"]["ratio"] < 0.1,
            "no mixed answer": not r["swap"]["mixed"] and not r["swap"]["errors"]}


def measure(args, result):
    result["streams"] = streams(args)
    runs = [many("stall", 2000, 100 + i) for i in range(args.rounds)]
    result["stall"] = {"stall_steps": median([r["stall_steps"]["max"] for r in runs]),
                       "runs": runs}
    runs = [many("prefix", 1000, 200 + i) for i in range(args.rounds)]
    result["prefix"] = {"ratio": median([r["ratio"] for r in runs]), "runs": runs}
    result["idle"] = many("idle", 1000)
    result["swap"] = swap(args)
    result["goals"] = goals(result)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("module")
    p.add_argument("model")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--tokens", type=int, default=64, help="of an answer")
    p.add_argument("--swaps", type=int, default=200)
    args = p.parse_args()
    cpus = os.cpu_count()
    result = {"bed": os.environ.get("BED", "?"), "kernel": os.uname().release, "cpus": cpus,
              "model": os.environ.get("BENCH_MODEL", os.path.basename(args.model))}
    for key in ("machine", "compiler", "commit", "load", "command"):
        result[key] = os.environ.get("BENCH_" + key.upper(), "unknown")
    subprocess.run(["insmod", args.module, "threads=%u" % cpus], check=True)
    llamux("load", args.model, "--name", "m", "--ctx", "2560", "--sessions", "8")
    measure(args, result)
    json.dump(result, sys.stdout, indent=1)
    print()
    subprocess.run(["rmmod", "llamux"], check=True)


main()
