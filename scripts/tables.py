#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Pages made from data: tables.py models|leaderboard, to standard output.

docs/models.md is made of models/zoo.json, docs/leaderboard.md of
bench/results/*.json.
"""
import glob
import json
import os
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return json.load(f)


def models():
    print("""<!-- SPDX-License-Identifier: GPL-2.0-only -->
<!-- Made by scripts/tables.py models from models/zoo.json. -->
# Models by name

`llamux pull NAME` fetches one of these with curl, compares it with its SHA-256 sum
where one is known, and says so where none is; `llamux pull --list` lists them. Any other
GGUF file is fetched by its URL. Sums are those of LocalAI's gallery; the files are other
people's, under the licence that is named, and are not part of this project.

| name | what | architecture | weights | licence | sum known |
|---|---|---|---|---|---|""")
    for m in read("models/zoo.json")["models"]:
        print("| [`%s`](%s) | %s | %s | %s | %s | %s |" % (
            m["name"], m["url"], m["what"], m["architecture"], m["type"], m["licence"],
            "yes" if "sha256" in m else "no"))


def spread(runs):
    return "%.0f\u2013%.0f" % (min(runs), max(runs))


def leaderboard():
    print("""<!-- SPDX-License-Identifier: GPL-2.0-only -->
<!-- Made by scripts/tables.py leaderboard from bench/results/*.json. -->
# Leaderboard

Tokens per second, medians of rounds in turn with the peer, and their spread. A file in
`bench/results/` is what `make bench-peers BENCH_ARGS="--out FILE"` wrote on one machine.

| what | threads | Llamux | peer | ratio | machine |
|---|---|---|---|---|---|""")
    results = [read(p) for p in sorted(glob.glob("bench/results/*.json", root_dir=TOP))]
    rows = [(row, r) for r in results for row in r["rows"]]
    rows.sort(key=lambda x: (x[0]["what"], -x[0]["median"]))
    for row, r in rows:
        words = row["command"].split()
        print("| %s | %s | %.0f (%s) | %.0f (%s) | %.1f | %u |" % (
            row["what"], words[words.index("-t") + 1], row["median"], spread(row["runs"]),
            row["peer_median"], spread(row["peer_runs"]), row["ratio"],
            results.index(r) + 1))
    print("\nMachines:\n")
    for i, r in enumerate(results):
        print("%u. %s; %s; %s; peer %s; commit %s%s%s" % (
            i + 1, r["machine"], r["compiler"], r["model"], r["peer"], r["commit"],
            "; under `%s`" % r["prefix"] if r["prefix"] else "",
            "; " + r["note"] if "note" in r else ""))


{"models": models, "leaderboard": leaderboard}[sys.argv[1]]()
