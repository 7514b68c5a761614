#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# The page of llamux serve in Chromium. Skipped without npm or Chromium.
# LLAMUX_SHOTS=DIRECTORY keeps the screenshots.
#
# TIMEOUT: 400
"""Run by tests/run."""
import os
import shutil
import subprocess

import nodes
from serving import MODEL, Gateway, check, counts, finish, need, skip


def gateway(port, folder, model=MODEL):
    return Gateway("--ctx", "300000", "--token-file", os.path.join(folder, "token"),
                   tcp=True, port=port, model=model)


class Restarts:
    """Does to the server what the test in the browser asks for."""

    def __init__(self):
        self.first = self.now = gateway(0, os.environ["LLAMUX_TEST_WORK"])

    def __call__(self, what):
        if what in ("stop", "swap"):
            check("SIGTERM", self.now.stop() == 0)
        if what == "start":
            self.now = gateway(self.first.port, os.environ["LLAMUX_TEST_WORK"])
        if what == "swap":
            other = os.path.join(os.environ["LLAMUX_TEST_WORK"], "other.gguf")
            os.symlink(os.path.abspath(MODEL), other)
            self.now = gateway(self.first.port, os.environ["LLAMUX_TEST_WORK"], other)


def main():
    need()
    chromium = shutil.which("chromium")
    if not chromium:
        skip("no chromium (scripts/deps.sh page)")
        finish()
    work = subprocess.run(["mktemp", "-d"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()
    os.environ["LLAMUX_TEST_WORK"] = work
    server = Restarts()
    try:
        with open(os.path.join(work, "token"), encoding="ascii") as f:
            server.first.token = f.read().strip()
        nodes.run("page.mjs", server.first, timeout=380, parent=server,
                  LLAMUX_CHROMIUM=chromium)
        check("no turn is left", not counts["passed"] or
              server.now.wait_for("serve_turns_running", 0))
    finally:
        server.first.clean()
        server.now.clean()
        shutil.rmtree(work, ignore_errors=True)
    finish()


main()
