# SPDX-License-Identifier: GPL-2.0-only
"""Run a test in Node against a gateway, with packages in the cache."""
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import threading

from serving import counts, skip

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "npm")


def packages():
    """The folder with the packages; None when they are not to be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        return None
    with open(os.path.join(HERE, "package.json"), "rb") as f:
        wanted = f.read()
    cache = os.environ.get("LLAMUX_CACHE", os.path.expanduser("~/.cache/llamux"))
    folder = os.path.join(cache, "npm-" + hashlib.sha256(wanted).hexdigest()[:12])
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(os.path.join(folder, "done")):
            return folder
        with open(os.path.join(folder, "package.json"), "wb") as f:
            f.write(wanted)
        try:
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
                            "--no-package-lock"], cwd=folder, check=True, timeout=300)
        except (subprocess.SubprocessError, OSError) as e:
            print("npm:", e)
            return None
        with open(os.path.join(folder, "done"), "w", encoding="ascii"):
            pass
    return folder


def run(script, gateway, timeout=100, parent=None, **env):
    """Run it and add what it counted; @parent(WORD) does what it asks for."""
    folder = packages()
    if not folder:
        skip("no node, npm or packages of theirs")
        return
    env = dict(os.environ, LLAMUX_NPM=folder, LLAMUX_TOKEN=gateway.token,
               LLAMUX_URL="http://127.0.0.1:%d" % gateway.port, **env)
    found = None
    with subprocess.Popen(["node", os.path.join(HERE, script)], env=env, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        timer = threading.Timer(timeout, p.kill)
        timer.start()
        for line in p.stdout:
            if line.startswith("parent: "):
                parent(line[8:].strip())
                p.stdin.write("done\n")
                p.stdin.flush()
                continue
            print(line, end="", flush=True)
            found = re.match(r"(\d+) passed, (\d+) failed", line) or found
        timer.cancel()
    counts["passed"] += int(found.group(1)) if found else 0
    counts["failed"] += int(found.group(2)) if found else 1
