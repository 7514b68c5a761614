#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# llamux serve: 500 clients that are slow, broken, oversized, pipelined or gone,
# beside some that are well. Memory and threads stay bounded, no turn is left,
# those that are well are served. LLAMUX_SERVE=PROGRAM tries another build.
#
# TIMEOUT: 110
"""Run by tests/run."""
import json
import os
import random
import socket
import threading
import time

from serving import SERVE, Gateway, check, finish, need

CLIENTS = 500
AT_A_TIME = 60
MEMORY = 150 << 20	# bytes more than at the start; sanitizers keep much more
SANITIZED = "/san/" in SERVE


def request(body, path="/v1/completions", extra=b""):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s" % (
        path.encode(), extra, len(body), body)


ENDLESS = {"prompt": "x", "max_tokens": 1000000, "temperature": 1, "ignore_eos": True}


def read_reply(s):
    data = b""
    while (more := s.recv(65536)):
        data += more
    return data


def well(s, r):
    """An ordinary request; it must be answered, or be told to come again."""
    s.sendall(request({"prompt": "Once", "max_tokens": r.randrange(1, 30)},
                      extra=b"Connection: close\r\n"))
    reply = read_reply(s)
    if reply.startswith(b"HTTP/1.1 200") and b'"finish_reason"' in reply:
        return "served"
    if reply.startswith(b"HTTP/1.1 503"):
        return "refused"
    print("lost:", reply[:300], flush=True)
    return "lost"


def vanished(s, r):
    s.sendall(request(dict(ENDLESS, stream=bool(r.randrange(2)))))
    if r.randrange(2):
        time.sleep(r.random() * 0.3)


def deaf(s, r):
    """Asks for a long stream and does not read it for a while."""
    s.sendall(request(dict(ENDLESS, stream=True)))
    time.sleep(r.random())


def slow(s, r):
    data = request({"prompt": "Once", "max_tokens": 3})
    for i in range(0, len(data), 8):
        s.sendall(data[i:i + 8])
        time.sleep(0.01)
    s.recv(65536)


def unfinished(s, r):
    data = request({"prompt": "Once"})
    s.sendall(data[:r.randrange(1, len(data) - 1)])
    time.sleep(r.random() * 0.3)


def oversized(s, r):
    n = r.choice((1 << 20, 3 << 20, 20 << 20, 1 << 40))
    s.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % n)
    for _ in range(40):
        s.sendall(b"x" * 65536)


def endless_chunks(s, r):
    s.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(200):
        s.sendall(b"10000\r\n" + b"y" * 65536 + b"\r\n")


def many_headers(s, r):
    s.sendall(b"GET / HTTP/1.1\r\n")
    for i in range(2000):
        s.sendall(b"H%d: %s\r\n" % (i, b"z" * 100))


def pipelined(s, r):
    s.sendall(request({"prompt": "Once", "max_tokens": 2}) * 5 +
              b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    if r.randrange(2):
        read_reply(s)


def noise(s, r):
    s.settimeout(1)
    s.sendall(r.randbytes(r.randrange(1, 3000)))
    s.recv(65536)


def deep(s, r):
    what = r.choice((b"[" * 500000, b'{"a":' * 100000, b"[" + b"[]," * 300000 + b"[]]",
                     b'"' + b"\\u0041" * 100000 + b'"', b"1" * 500000))
    s.sendall(request(what))
    s.recv(65536)


def mutated(s, r):
    """A good request with some bytes changed."""
    data = bytearray(request({"model": "default", "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]}], "stop": ["a"],
        "max_tokens": 4, "temperature": 0.5}, "/v1/chat/completions"))
    for _ in range(r.randrange(1, 6)):
        data[r.randrange(len(data))] = r.choice(b'{}[]",:0-e\\\r\n \x00\xff' + r.randbytes(1))
    s.settimeout(1)
    s.sendall(data)
    s.recv(65536)


KINDS = (well, well, well, vanished, vanished, deaf, slow, unfinished, oversized,
         endless_chunks, many_headers, pipelined, noise, deep, mutated)


class Crowd:
    def __init__(self, g):
        self.g = g
        self.next = 0
        self.lock = threading.Lock()
        self.results = {"served": 0, "refused": 0, "lost": 0}
        self.memory = self.threads = 0
        self.kinds = [KINDS[i % len(KINDS)] for i in range(CLIENTS)]
        random.Random(1).shuffle(self.kinds)

    def client(self, i):
        result = None
        s = self.g.raw(60)
        try:
            result = self.kinds[i](s, random.Random(i))
        except OSError as e:
            result = "lost" if self.kinds[i] is well else None
            if result:
                print("lost:", repr(e), flush=True)
        s.close()
        if result:
            with self.lock:
                self.results[result] += 1

    def run(self):
        while True:
            with self.lock:
                i = self.next
                self.next += 1
            if i >= CLIENTS:
                return
            self.client(i)

    def watch(self, threads):
        while any(t.is_alive() for t in threads):
            self.memory = max(self.memory, self.g.memory())
            self.threads = max(self.threads, self.g.threads())
            time.sleep(0.05)


def main():
    need()
    g = Gateway("--ctx", "4096", "--connections", "64", "--turns", "6", "--queue", "40")
    try:
        g.ask("/v1/completions", {"prompt": "x"})
        before, fds = g.memory(), len(os.listdir("/proc/%d/fd" % g.process.pid))
        crowd = Crowd(g)
        threads = [threading.Thread(target=crowd.run) for _ in range(AT_A_TIME)]
        start = time.time()
        for t in threads:
            t.start()
        crowd.watch(threads)
        print("%d clients in %.1f s: %s; at most %d threads, %d MB more than before" % (
            CLIENTS, time.time() - start, crowd.results, crowd.threads,
            (crowd.memory - before) >> 20), flush=True)
        n = crowd.kinds.count(well)
        check("nobody is lost", crowd.results["lost"] == 0 and
              crowd.results["served"] + crowd.results["refused"] == n, crowd.results)
        check("most are served", crowd.results["served"] > n / 2, crowd.results)
        check("threads are bounded", crowd.threads <= 2 * 64 + 8, crowd.threads)
        check("memory is bounded", SANITIZED or crowd.memory - before < MEMORY,
              crowd.memory - before)
        check("no turn is left", g.wait_for("serve_turns_running", 0))
        check("nobody waits", g.wait_for("serve_turns_waiting", 0))
        check("no connection is left but this", g.wait_for("serve_connections", 1))
        check("memory comes back", SANITIZED or g.memory() - before < 30 << 20,
              g.memory() - before)
        time.sleep(0.3)
        check("no descriptor is left",
              len(os.listdir("/proc/%d/fd" % g.process.pid)) <= fds + 1)
        r = g.ask("/v1/completions", {"prompt": "Once", "temperature": 0})
        check("well afterwards", r.status == 200, r.text)
        check("SIGTERM", g.stop() == 0)
        bad = [line for line in g.stderr().splitlines() if "listening" not in line]
        check("nothing was complained about", not bad, "\n".join(bad[:20]))
    finally:
        g.clean()
    finish()


main()
