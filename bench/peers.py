#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Llamux beside llama.cpp on the same file and threads, in turn: A B A B.

llama.cpp comes from Debian sid, in a debootstrapped tree (--tree), where it is
installed when it is not there. Each round runs every case of both. Prints
medians, spreads and ratios; --out writes them as JSON with machine, compiler,
commit and commands.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys

from about import about, first_line


def bench(prefill, decode, depth=0, threads=0, spin=0):
    """A case of llamux bench and llama-bench; @threads 0: as the options say."""
    words = ["-p", str(prefill), "-n", str(decode)]
    return {"ours": words + ["-d", str(depth)],
            "theirs": words + (["-d", str(depth), "-fa", "1"] if depth else []),
            "threads": threads, "spin": spin}


def streams(n):
    """@n conversations together, of llamux bench and llama-batched-bench."""
    return {"ours": ["-p", "8", "-n", "24", "-s", str(n)],
            "theirs": ["-npp", "8", "-ntg", "24", "-npl", str(n), "-c", str(64 * n)],
            "threads": 0, "spin": 0, "batched": True}


CASES = {
    "prefill 512": bench(512, 0),
    "decode": bench(0, 48),
    "decode, 1 thread": bench(0, 32, threads=1),
    "decode, depth 2048": bench(0, 16, 2048),
    "decode, depth 8192": bench(0, 16, 8192),
    "4 streams": streams(4),
    "8 streams": streams(8),
    "16 streams": streams(16),
    "decode beside a loop": bench(0, 16, spin=1),
    "decode beside two loops": bench(0, 16, spin=2),
}


def output(cmd):
    return subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=True, text=True).stdout


def install(tree):
    if os.path.exists(os.path.join(tree, "usr/bin/llama-bench")):
        return
    print("installing llama.cpp of Debian sid in " + tree, file=sys.stderr)
    if not os.path.exists(os.path.join(tree, "usr/bin/apt-get")):
        if not shutil.which("debootstrap"):
            sys.exit("debootstrap is missing")
        subprocess.run(["debootstrap", "--variant=minbase", "sid", tree], check=True,
                       stdout=sys.stderr)
    chroot = ["chroot", tree, "apt-get", "-qy"]
    subprocess.run(chroot + ["update"], check=True, stdout=sys.stderr)
    subprocess.run(chroot + ["install", "--no-install-recommends", "llama.cpp"], check=True,
                   stdout=sys.stderr)


def share(tree, model):
    """The model under the tree's root: a link where it can be one."""
    name = "model.gguf"
    path = os.path.join(tree, name)
    if os.path.exists(path):
        os.unlink(path)
    try:
        os.link(model, path)
    except OSError:
        shutil.copyfile(model, path)
    return "/" + name


def ours(args, case):
    cmd = [args.llamux, "--user", "-t", str(case["threads"] or args.threads), "-m", args.model,
           "--json", "bench", "-r", "1"] + case["ours"]
    j = json.loads(output(args.prefix + cmd))
    return (j["decode_tps"] if j["n_decode"] else j["prefill_tps"]), cmd


def theirs(args, model, case):
    cmd = ["chroot", args.tree, "llama-batched-bench" if "batched" in case else "llama-bench",
           "-m", model, "-t", str(case["threads"] or args.threads)] + case["theirs"]
    if "batched" in case:
        text = output(args.prefix + cmd + ["--output-format", "jsonl"])
        rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return rows[-1]["speed_tg"], cmd
    return json.loads(output(args.prefix + cmd + ["-r", "1", "-o", "json"]))[0]["avg_ts"], cmd


class Company:
    """Other busy tasks on the machine."""

    def __init__(self, n):
        self.n, self.tasks = n, []

    def __enter__(self):
        self.tasks = [subprocess.Popen(["sh", "-c", "while :; do :; done"])
                      for _ in range(self.n)]

    def __exit__(self, *unused):
        for p in self.tasks:
            p.kill()
            p.wait()


def said(cmd):
    """As it is written down: files without their directories."""
    return " ".join(os.path.basename(w) for w in cmd)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("model")
    p.add_argument("--tree", required=True, help="root of the debootstrapped tree")
    p.add_argument("--llamux", default="build/llamux")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--prefix", default="", help="before both commands: 'chrt -r 5'")
    p.add_argument("--cases", default="^prefill|^decode$|2048",
                   help="regular expression: which of " + ", ".join(CASES))
    p.add_argument("--out", help="write the results as JSON")
    args = p.parse_args()
    args.prefix = args.prefix.split()
    install(args.tree)
    model = share(args.tree, args.model)
    chosen = [c for c in CASES if re.search(args.cases, c)]
    rows = [{"what": c, "runs": [], "peer_runs": []} for c in chosen]
    for _ in range(args.rounds):
        for row in rows:
            case = CASES[row["what"]]
            with Company(case["spin"]):
                tps, cmd = ours(args, case)
                row["runs"].append(round(tps, 2))
                row["command"] = said(["llamux"] + cmd[1:])
                tps, cmd = theirs(args, model, case)
                row["peer_runs"].append(round(tps, 2))
                row["peer_command"] = said(cmd[2:])
    os.unlink(os.path.join(args.tree, "model.gguf"))
    for row in rows:
        row["median"] = statistics.median(row["runs"])
        row["peer_median"] = statistics.median(row["peer_runs"])
        row["ratio"] = round(row["median"] / row["peer_median"], 2)
        print("%-24s %8.2f (%.2f to %.2f)  llama.cpp %8.2f (%.2f to %.2f)  ratio %.2f" % (
            row["what"], row["median"], min(row["runs"]), max(row["runs"]),
            row["peer_median"], min(row["peer_runs"]), max(row["peer_runs"]), row["ratio"]))
    if args.out:
        with open(args.out, "w") as f:
            result = about(args.model, args.threads)
            result["peer"] = first_line(["chroot", args.tree, "dpkg-query", "-W",
                                         "llama.cpp"]).replace("\t", " ")
            result["prefix"] = " ".join(args.prefix)
            result["rows"] = rows
            json.dump(result, f, indent=1)
            f.write("\n")


main()
