#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# llamux serve: requests made to cost it much. Each is answered or refused in
# little time, and those beside it are served.
#
# TIMEOUT: 110
"""Run by tests/run."""
import http.client
import json
import socket
import time

from serving import Gateway, Reply, check, finish, need, user

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


def request(path, body):
    body = json.dumps(body)
    return ("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (
        path, len(body), body)).encode()


def test_place():
    """A schema is compiled before there is a place: it is refused with none to be had."""
    g = Gateway("--turns", "1", "--queue", "0", "--ctx", "300000")
    try:
        s = g.raw()
        s.sendall(request("/v1/completions", {"prompt": "x", "max_tokens": 1000000,
                                              "temperature": 1, "ignore_eos": True}))
        check("the place is taken", g.wait_for("serve_turns_running", 1))
        for path, body in asks(keys("%04x" % i for i in range(60000))):
            r = g.ask(path, body)
            check("no place is needed to be refused, " + path, r.status == 400 and
                  "too large" in r.text, r.text)
        r = g.ask("/v1/completions", {"prompt": "x"})
        check("there is none", r.status == 503, r.text)
        s.close()
    finally:
        g.clean()


def test_strangers():
    """Whoever may connect to the port takes nobody's place."""
    g = Gateway("--connections", "8", "--timeout", "60", tcp=True)

    def ask(path, token):
        c = http.client.HTTPConnection("127.0.0.1", g.port, timeout=30)
        c.request("GET", path, headers={"Authorization": "Bearer " + token} if token else {})
        r = Reply(c.getresponse())
        return c, r.status

    def stranger():
        return socket.create_connection(("127.0.0.1", g.port))
    some = []
    try:
        some = [stranger() for _ in range(4)]
        check("they are there", g.wait_for("serve_connections", 5))
        check("the page is for few of them", ask("/", None)[1] == 503)
        check("a wrong token does not help", ask("/", "x" * 20)[1] == 503)
        some += [stranger() for _ in range(6)]
        check("users of the socket are served", g.ask("/v1/models").status == 200)
        for i in range(5):
            c, status = ask("/v1/models", g.token)
            check("client %d is served" % i, status == 200, status)
            some.append(c)
        check("users of the socket are, beside clients", g.ask("/v1/models").status == 200)
    finally:
        for s in some:
            s.close()
    check("they are gone", g.wait_for("serve_connections", 1))
    check("the page is open again", ask("/", None)[1] == 200)
    users = [g.raw() for _ in range(8)]
    check("users have their limit", g.ask("/health").status == 503)
    check("clients are served beside them", ask("/v1/models", g.token)[1] == 200)
    for s in users:
        s.close()
    check("SIGTERM", g.stop() == 0)
    g.clean()


def status(s):
    """Of the reply that comes, which stays unread."""
    data = b""
    while len(data) < 12:
        data = s.recv(12, socket.MSG_PEEK)
        if not data:
            return 0
    return int(data[9:12])


def test_replies():
    """Vectors are many bytes: a reply is bounded, and are those that nobody reads."""
    body = 16
    g = Gateway("--body", str(body), "--ctx", "4096")
    some = []
    try:
        r = g.ask("/v1/embeddings", {"input": "inode"}).json()
        numbers = len(r["data"][0]["embedding"])
        n = 2 * body * 1024 // numbers
        check("a text of its own", n > 1, numbers)
        many = {"input": ["inode"] * n}
        for path in ("/v1/embeddings", "/api/embed"):
            r = g.ask(path, many)
            v = r.json().get("data") or r.json().get("embeddings")
            check("as many as may be, " + path, r.status == 200 and len(v) == n, r.text)
            r = g.ask(path, {"input": ["inode"] * (n + 1)})
            check("one more, " + path, r.status == 413 and "send fewer" in r.text, r.text)
        for _ in range(12):
            s = g.raw()
            s.sendall(request("/v1/embeddings", many))
            some.append(s)
        got = [status(s) for s in some]
        check("what nobody reads has an end", got.count(200) >= 3 and got.count(503) >= 3 and
              got.count(200) + got.count(503) == 12, got)
        check("others are served", g.ask("/v1/completions", {
            "prompt": "x", "max_tokens": 3}).status == 200)
        for s in some:
            s.close()
        check("they are gone", g.wait_for("serve_connections", 1))
        check("then there is room again", g.ask("/v1/embeddings", many).status == 200)
        check("SIGTERM", g.stop() == 0)
    finally:
        g.clean()


def main():
    need()
    g = Gateway("--ctx", "16384")
    try:
        test_schemas(g)
        check("SIGTERM", g.stop() == 0)
    finally:
        g.clean()
    test_place()
    test_strangers()
    test_replies()
    finish()


main()
