#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# llamux chat at a terminal (a pty): editing, history, pasting, its commands,
# Ctrl-C, Ctrl-D; and plain where there is none.
#
# TIMEOUT: 120
"""Run by tests/run."""
import ctypes
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

LLAMUX = os.environ.get("LLAMUX", "build/llamux")
MODEL = "models/llamux-default.gguf"
ASK, ANSWER = "What does ls do?", "ls lists directory contents."
counts = {"passed": 0, "failed": 0}
work = tempfile.mkdtemp()
HISTORY = os.path.join(work, "state", "llamux", "history")


def check(what, ok, detail=""):
    counts["passed" if ok else "failed"] += 1
    if not ok:
        print("failed:", what, repr(detail)[-600:], flush=True)


def have_libedit():
    try:
        return bool(ctypes.CDLL("libedit.so.2"))
    except OSError:
        return False


class Chat:
    """One at a terminal."""

    def __init__(self, *args, home=work):
        env = dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8", HOME=home,
                   XDG_STATE_HOME=os.path.join(home, "state"))
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.execvpe(LLAMUX, [LLAMUX, "--user", "-m", MODEL, "chat", "--temp", "0", *args], env)
        self.shown = ""
        self.status = None

    def until(self, pattern, seconds=20):
        """Read until it is shown; what was shown up to there, or None."""
        end = time.time() + seconds
        while not (found := re.search(pattern, self.shown)):
            if time.time() > end or not select.select([self.fd], [], [], 1)[0]:
                if time.time() > end:
                    return None
                continue
            try:
                self.shown += os.read(self.fd, 4096).decode(errors="replace")
            except OSError:
                return None
        text, self.shown = self.shown[:found.end()], self.shown[found.end():]
        return text

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def says(self, what, keys, pattern):
        self.type(keys)
        text = self.until(pattern)
        check(what, text is not None, self.shown)
        return text

    def ends(self, what, status=0):
        try:
            while os.read(self.fd, 4096):
                pass
        except OSError:
            pass
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        check(what, self.status == status, self.status)


def saved(name):
    with open(os.path.join(work, name), encoding="utf-8") as f:
        return json.load(f)


def test_lines():
    c = Chat()
    check("it says how", c.until(r"/help says how") and c.until("> "), c.shown)
    c.says("an answer", ASK + "\r", re.escape(ANSWER))
    c.until("> ")
    # Left twice, backspace: "lxs" becomes "ls".
    c.says("editing", "What does lxs do?" + "\033[D" * 5 + "\x7f\r", re.escape(ANSWER))
    c.until("> ")
    c.says("Ctrl-A, Ctrl-K", "What is this?\x01\x0b" + ASK + "\r", re.escape(ANSWER))
    c.until("> ")
    c.says("history", "\033[A\r", re.escape(ANSWER))
    c.until("> ")
    c.type("/save %s/lines.json\r" % work)
    c.until("> ")
    said = saved("lines.json")
    check("what was said", [m["content"] for m in said if m["role"] == "user"] == [ASK] * 4 and
          [m["role"] for m in said] == ["user", "assistant"] * 4, said)
    c.type("\x04")
    c.ends("Ctrl-D ends")
    with open(HISTORY, encoding="utf-8") as f:
        check("a history file", "ls" in f.read())
    check("for its owner alone", os.stat(HISTORY).st_mode & 0o77 == 0)
    c = Chat()
    c.until("> ")
    c.says("a history that stays", "\033[A\033[A\r", re.escape(ANSWER))
    c.until("> ")
    c.type("\x04")
    c.ends("Ctrl-D")


    os.unlink(HISTORY)
    os.symlink("/dev/null", HISTORY)
    c = Chat()
    c.until("> ")
    c.says("a history that is not wanted", ASK + "\r", re.escape(ANSWER))
    c.until("> ")
    c.type("\x04")
    c.ends("Ctrl-D")
    check("what is there is not touched", os.path.islink(HISTORY) and
          os.stat("/dev/null").st_mode & 0o777 == 0o666)


def test_paste():
    c = Chat()
    c.until("> ")
    c.type("\033[200~first line\nzweite Zeile mit \u00e4\r\rlast\033[201~")
    time.sleep(0.5)
    c.says("what is pasted waits for Enter", ".\r", "> ")
    c.until("> ", 5)
    c.type("/save %s/paste.json\r" % work)
    c.until("> ", 5)
    said = saved("paste.json")
    check("several lines are one message", said[0]["content"] ==
          "first line\nzweite Zeile mit \u00e4\n\nlast.", said)
    c.type("/quit\r")
    c.ends("/quit ends")


def test_commands():
    grammar = os.path.join(work, "endless.gbnf")
    with open(grammar, "w", encoding="ascii") as f:
        f.write('root ::= "more " root')
    c = Chat("--grammar", grammar, "--ctx", "100000")
    c.until("> ")
    c.says("/help", "/help\r", "/save FILE")
    c.says("an unknown command", "/dance\r", "no command '/dance'")
    c.says("which model", "/model\r", "Talking to llamux-default")
    c.says("a model that is not there", "/model /nowhere.gguf\r", "nowhere")
    c.says("the one before stays", "/model\r", "Talking to llamux-default")
    c.says("another model", "/model %s\r" % MODEL, "Talking to llamux-default")
    c.until("> ")
    c.type("/system Be brief.\r")
    c.until("> ")
    # An endless answer, stopped; at the prompt, it drops the line.
    c.type(ASK + "\r")
    check("an answer comes", c.until("more more") is not None, c.shown)
    c.type("\x03")
    check("Ctrl-C ends the answer", c.until("> ") is not None, c.shown)
    c.says("a line is begun", "/nonsense", "nonsense")
    c.says("Ctrl-C drops it", "\x03", "> ")
    path = os.path.join(work, "system.json")
    c.type("/save %s\r" % path)
    c.until("> ")
    said = saved("system.json")
    check("/system comes first", [m["role"] for m in said] == ["system", "user", "assistant"] and
          said[0]["content"] == "Be brief.", said)
    c.says("a file is not overwritten", "/save %s\r" % path, "File exists")
    c.until("> ")
    c.type("/reset\r")
    c.until("> ")
    c.type("/save %s.2\r" % path)
    c.until("> ")
    check("/reset forgets", saved("system.json.2") == [])
    c.type("\x04")
    c.ends("Ctrl-D")


def test_plain():
    env = dict(os.environ, XDG_STATE_HOME=os.path.join(work, "none"))
    r = subprocess.run([LLAMUX, "--user", "-m", MODEL, "chat", "--temp", "0"], env=env,
                       input="%s\n/save %s/plain.json\n" % (ASK, work), text=True,
                       capture_output=True, timeout=60, check=False)
    check("plain without a terminal", r.returncode == 0 and r.stdout == ANSWER + "\n" and
          not r.stderr, r)
    check("no history then", not os.path.exists(os.path.join(work, "none")))
    check("/save", [m["content"] for m in saved("plain.json")] == [ASK, ANSWER])


def main():
    signal.alarm(110)
    if have_libedit():
        test_lines()
        test_paste()
        test_commands()
    else:
        print("skip: no libedit")
    test_plain()
    subprocess.run(["rm", "-rf", work], check=True)
    print("%d passed, %d failed" % (counts["passed"], counts["failed"]))
    sys.exit(1 if counts["failed"] else 0)


main()
