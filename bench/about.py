# SPDX-License-Identifier: GPL-2.0-only
"""What a result was measured on, and by what."""
import os
import re
import subprocess


def first_line(cmd):
    try:
        return subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=True, text=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        found = re.search(r"(?:model name|uarch|CPU part)\s*: (.*)", f.read())
    return found.group(1) if found else os.uname().machine


def about(model, threads):
    return {
        "machine": "%s, %u CPUs" % (cpu(), os.cpu_count()),
        "compiler": first_line(["gcc", "--version"]),
        "commit": first_line(["git", "rev-parse", "--short", "HEAD"]),
        "threads": threads,
        "model": os.path.basename(model),
    }
