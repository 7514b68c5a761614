#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# llamux serve: requests made to cost it much. Each is answered or refused in
# little time, and those beside it are served.
#
# TIMEOUT: 110
"""Run by tests/run."""
import time

from serving import Gateway, check, finish, need, user

SOON = 5	# seconds, with others on the machine


def keys(names, more=True):
    return {"type": "object", "properties": {k: True for k in names},
            "additionalProperties": more}


def asks(schema):
    """(path, body) of each way in which a schema comes."""
    say = {"messages": user("x"), "max_tokens": 3}
    yield "/v1/chat/completions", dict(say, response_format={
        "type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    yield "/api/chat", {"messages": user("x"), "stream": False, "format": schema,
                        "options": {"num_predict": 3}}
    if schema.get("type") == "object":
        yield "/v1/chat/completions", dict(
            say, tool_choice="required",
            tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])


def test_schemas(g):
    for what, schema, status in (
            ("a long key", keys(["a" * 1000]), 200),
            ("a longer key", keys(["a" * 100000]), 400),
            ("a long text", {"type": "object", "properties": {
                "a": {"const": "b" * 8000}}, "required": ["a"]}, 200),
            ("many keys", keys("%04x" % i for i in range(60000)), 400),
            ("many that are required", dict(
                keys(("%04x" % i for i in range(30000)), False),
                required=["%04x" % i for i in range(30000)]), 400),
            ("products", {"type": "integer", "allOf": [
                {"anyOf": [{"minimum": i}, {"maximum": 100 + i}]} for i in range(24)]}, 400),
            ("the beginning of a grammar", keys(["root ::= x", "\nroot ::= x"]), 200)):
        for path, body in asks(schema):
            start = time.time()
            r = g.ask(path, body)
            took = time.time() - start
            check("%s, %s" % (what, path), r.status == status and took < SOON,
                  (r.status, took, r.text))
            if status == 400:
                check(what + ": why", "too large" in r.text, r.text)
    check("it is still there", g.process.poll() is None and g.ask("/health").status == 200)


def main():
    need()
    g = Gateway("--ctx", "16384")
    try:
        test_schemas(g)
        check("SIGTERM", g.stop() == 0)
    finally:
        g.clean()
    finish()


main()
