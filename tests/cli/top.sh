#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# top, of a module that is made up: what it shows, and speeds from what
# changes between two looks.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

proc=$work/root/proc/llamux
mkdir -p "$proc"

# module PROMPT ANSWER CPU_NS: how far it is
module() {
	printf '%s\n' 'simd: avx2' 'threads: 2' 'sessions: 2' 'weights: 3000000' \
		'kv: 16384' 'total: 3020000' '' 'model: m' 'total: 7' >"$proc/status"
	printf 'steps: 1\nprompt_tokens: %s\nanswer_tokens: %s\nfpu_sections_p99.9_us: 80\n' \
		"$1" "$2" >"$proc/stats"
	printf 'name state default later arch type bytes\nm ready * x llama Q8_0 3020000\n' \
		>"$proc/models"
	printf '%s\n' \
		'id uid pid model state past prompt_tokens answer_tokens kv_bytes cpu_ns later' \
		"7 0 12 m running 4 $1 $2 8192 $3 x" \
		'8 4000000 13 m idle 0 0 0 0 0 x' >"$proc/sessions"
}

module 10 20 0
run top --root "$work/root"
is "top ends when this is no terminal" exits 0
is "conversations" out_has '^llamux: 2 conversations, 2 threads, avx2$'
is "memory of all" out_has '^memory: 3\.0 MB: weights 3\.0 MB, KV 16\.4 kB$'
is "sections" out_has 'p99\.9 80 us$'
is "a model" out_has '^m +ready +llama +Q8_0 +3\.0 MB$'
is "a conversation" out_has '^ +7 root +12 running +4 '
is "a user without a name" out_has '^ +8 4000000 '
is "no escape sequences" test "$(tr -d '[:print:]\n' <"$work/out" | wc -c)" -eq 0

(sleep 0.25 && module 110 220 500000000) &
run --json top --root "$work/root" --delay 0.5 --times 1
wait
is "--json" exits 0
# 100 tokens of prompt in the half second, and then some for the machine's own
tps() {
	python3 -c 'import json, sys
j = json.load(open(sys.argv[1]))
s = j["list"][0]
assert j["memory"] == 3020000 and j["sessions"] == 2 and len(j["list"]) == 2
assert 100 < j["prompt_tps"] <= 200 and 200 < j["answer_tps"] <= 400, j
assert abs(s["prompt_tps"] * 2 - s["answer_tps"]) < 0.1, s
assert 0.5 < s["cpu"] <= 1 and j["list"][1]["answer_tps"] == 0' "$work/out"
}
is "speeds are what changed" tps
run --json top --root "$work/root" -d 0.1 -n 3
is "three looks, three lines" test "$(wc -l <"$work/out")" -eq 3
if command -v script >/dev/null; then
	script -qec "'$llamux' top --root '$work/root' -d 0.1 -n 2" /dev/null \
		</dev/null >"$work/tty" 2>&1
	is "a terminal is given back" grep -q $'\e\[?1049l' "$work/tty"
	is "on a terminal, too" grep -q 'conversations' "$work/tty"
else
	skipped=$((skipped + 2))
fi
cat >"$work/screen.py" <<'PY'
"""top at a terminal: Ctrl-Z, SIGCONT, SIGTERM; each gives it back."""
import os, pty, select, signal, sys, time

def until(what, seconds=10):
    global shown
    end = time.time() + seconds
    while what not in shown:
        if time.time() > end:
            sys.exit("not shown: %r in %r" % (what, shown))
        if select.select([fd], [], [], 0.2)[0]:
            shown += os.read(fd, 4096)
    shown = shown.split(what, 1)[1]

pid, fd = pty.fork()
if not pid:
    os.execv(sys.argv[1], [sys.argv[1], "top", "--root", sys.argv[2], "-d", "0.1"])
shown = b""
for _ in range(2):
    until(b"\033[?1049h")
    until(b"conversations")
    os.write(fd, b"\x1a")
    until(b"\033[?1049l")
    if not os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]):
        sys.exit("Ctrl-Z does not stop it")
    os.kill(pid, signal.SIGCONT)
until(b"\033[?1049h")
os.kill(pid, signal.SIGTERM)
until(b"\033[?1049l")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
is "Ctrl-Z and SIGTERM give the terminal back" \
	timeout 60 python3 "$work/screen.py" "$llamux" "$work/root"
run top --root "$work"
is "no module" exits 3
is "no module: said" err_has 'load the module'
run top --delay x
is "a delay that is none" exits 2
run top --delay 0
is "no delay at all" exits 2
finish
