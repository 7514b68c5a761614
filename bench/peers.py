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

CASES = [  # name, arguments of llamux bench, of llama-bench
    ("prefill 512", "-p 512 -n 0", "-p 512 -n 0"),
    ("decode", "-p 0 -n 48", "-p 0 -n 48"),
    ("decode, depth 2048", "-p 0 -n 16 -d 2048", "-p 0 -n 16 -d 2048 -fa 1"),
]


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
    cmd = [args.llamux, "--user", "-t", str(args.threads), "-m", args.model, "--json",
           "bench", "-r", "1"] + case.split()
    j = json.loads(output(args.prefix + cmd))
    return (j["decode_tps"] if j["n_decode"] else j["prefill_tps"]), cmd


def theirs(args, model, case):
    cmd = ["chroot", args.tree, "llama-bench", "-m", model, "-t", str(args.threads), "-r", "1",
           "-o", "json"] + case.split()
    return json.loads(output(args.prefix + cmd))[0]["avg_ts"], cmd


def said(cmd):
    """As it is written down: files without their directories."""
    return " ".join(os.path.basename(w) for w in cmd)


def cpu():
    with open("/proc/cpuinfo") as f:
        return re.search(r"model name\s*: (.*)", f.read()).group(1)


def first_line(cmd):
    try:
        return output(cmd).splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("model")
    p.add_argument("--tree", required=True, help="root of the debootstrapped tree")
    p.add_argument("--llamux", default="build/llamux")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--prefix", default="", help="before both commands: 'chrt -r 5'")
    p.add_argument("--out", help="write the results as JSON")
    args = p.parse_args()
    args.prefix = args.prefix.split()
    install(args.tree)
    model = share(args.tree, args.model)
    rows = [{"what": c[0], "runs": [], "peer_runs": []} for c in CASES]
    for _ in range(args.rounds):
        for case, row in zip(CASES, rows):
            tps, cmd = ours(args, case[1])
            row["runs"].append(round(tps, 2))
            row["command"] = said(["llamux"] + cmd[1:])
            tps, cmd = theirs(args, model, case[2])
            row["peer_runs"].append(round(tps, 2))
            row["peer_command"] = said(cmd[2:])
    os.unlink(os.path.join(args.tree, "model.gguf"))
    for row in rows:
        row["median"] = statistics.median(row["runs"])
        row["peer_median"] = statistics.median(row["peer_runs"])
        row["ratio"] = round(row["median"] / row["peer_median"], 2)
        print("%-20s %8.2f (%.2f to %.2f)  llama.cpp %8.2f (%.2f to %.2f)  ratio %.2f" % (
            row["what"], row["median"], min(row["runs"]), max(row["runs"]),
            row["peer_median"], min(row["peer_runs"]), max(row["peer_runs"]), row["ratio"]))
    if args.out:
        with open(args.out, "w") as f:
            json.dump({"machine": "%s, %u CPUs" % (cpu(), os.cpu_count()),
                       "compiler": first_line(["gcc", "--version"]),
                       "commit": first_line(["git", "rev-parse", "--short", "HEAD"]),
                       "peer": first_line(["chroot", args.tree, "dpkg-query", "-W",
                                           "llama.cpp"]).replace("\t", " "),
                       "threads": args.threads, "prefix": " ".join(args.prefix),
                       "model": os.path.basename(args.model), "rows": rows}, f, indent=1)
            f.write("\n")


main()
