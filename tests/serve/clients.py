#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# llamux serve with the npm clients of OpenAI and Ollama. Skipped without npm.
#
# TIMEOUT: 400
"""Run by tests/run."""
import nodes
from serving import Gateway, check, finish, need


def main():
    need()
    g = Gateway("--ctx", "300000", tcp=True)
    try:
        nodes.run("clients.mjs", g)
        check("no turn is left", g.wait_for("serve_turns_running", 0))
    finally:
        g.clean()
    finish()


main()
