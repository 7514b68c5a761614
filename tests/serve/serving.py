# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of llamux serve share: a running gateway, clients, checks."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODEL = os.environ.get("LLAMUX_TEST_MODEL",
                       os.path.join(TOP, "models", "llamux-default.gguf"))
SERVE = os.environ.get("LLAMUX_SERVE", os.path.join(TOP, "build", "llamux-serve"))

counts = {"passed": 0, "failed": 0, "skipped": 0}


def check(what, ok, detail=""):
    counts["passed" if ok else "failed"] += 1
    if not ok:
        print("failed:", what, str(detail)[:400], flush=True)
    return ok


def skip(why, n=1):
    counts["skipped"] += n
    print("skip:", why, flush=True)


def finish():
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    sys.exit(1 if counts["failed"] else 0 if counts["passed"] else 77)


def need():
    """Skip the whole test where there is no gateway or no model."""
    if not os.access(SERVE, os.X_OK):
        skip("no %s (scripts/deps.sh serve)" % SERVE)
        finish()
    if not os.path.exists(MODEL):
        skip("no model at " + MODEL)
        finish()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    def json(self):
        return json.loads(self.text)

    def events(self):
        """The objects of a stream of server-sent events; the framing is checked."""
        if not self.text.endswith("\n\n"):
            raise ValueError("the stream ends in mid-event")
        parts = self.text[:-2].split("\n\n")
        for p in parts:
            if not p.startswith("data: ") or "\n" in p:
                raise ValueError("no event: " + p)
        if parts[-1] != "data: [DONE]":
            raise ValueError("no [DONE]")
        return [json.loads(p[6:]) for p in parts[:-1]]

    def lines(self):
        """The objects of a stream of lines."""
        if not self.text.endswith("\n"):
            raise ValueError("the stream ends in mid-line")
        return [json.loads(p) for p in self.text.splitlines()]


class Gateway:
    """llamux-serve --user on a socket, and on TCP with tcp=True."""

    def __init__(self, *options, tcp=False, port=0, model=MODEL, binary=SERVE):
        self.dir = tempfile.mkdtemp()
        self.path = os.path.join(self.dir, "serve.sock")
        self.log = os.path.join(self.dir, "log")
        args = [binary, "--user", "-m", model, "-t", "2", "--socket", self.path]
        if tcp:
            args += ["--listen", "127.0.0.1:%d" % port]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(args + list(options), stderr=log)
        self.port = self.token = None
        for _ in range(400):
            text = self.stderr()
            found = re.search(r"http://127\.0\.0\.1:(\d+)(?:/#token=(\w+))?", text)
            if os.path.exists(self.path) and (found or not tcp) and self.path in text:
                break
            if self.process.poll() is not None:
                raise RuntimeError("the gateway did not start: " + text)
            time.sleep(0.05)
        if tcp:
            self.port, self.token = int(found.group(1)), found.group(2)

    def stderr(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def connection(self, timeout=60):
        return UnixConnection(self.path, timeout)

    def raw(self, timeout=30):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        s.connect(self.path)
        return s

    def ask(self, path, body=None, method=None, headers=None, connection=None):
        c = connection or self.connection()
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        c.request(method or ("GET" if body is None else "POST"), path, body,
                  headers or {})
        reply = Reply(c.getresponse())
        if not connection:
            c.close()
        return reply

    def metric(self, name):
        found = re.search(r"^llamux_%s (\S+)$" % name, self.ask("/metrics").text, re.M)
        return float(found.group(1)) if found else None

    def wait_for(self, name, value, seconds=10):
        """Until a metric has a value; whether it did."""
        end = time.time() + seconds
        while time.time() < end:
            if self.metric(name) == value:
                return True
            time.sleep(0.05)
        return False

    def memory(self):
        """Resident bytes."""
        with open("/proc/%d/statm" % self.process.pid, encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def threads(self):
        return len(os.listdir("/proc/%d/task" % self.process.pid))

    def stop(self, seconds=20):
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        return status

    def clean(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def user(text):
    return [{"role": "user", "content": text}]
