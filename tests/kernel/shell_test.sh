#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The device as shells and scripts use it.
# TIMEOUT: 900
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

PROMPT='Once upon a time'
module_start

exec 3<>/dev/llama
echo "$PROMPT" >&3
whole=$(cat <&3; echo .)
whole=${whole%.}
check "echo, cat" [ -n "$whole" ]
check "cat again: end of file" [ -z "$(cat <&3)" ]
exec 3>&-

exec 3<>/dev/llama
printf '%s' "$PROMPT" >&3
check "printf without newline: the same" [ "$(cat <&3; echo .)" = "$whole." ]
exec 3>&-

check "docs/examples/ask.sh" [ "$(docs/examples/ask.sh "$PROMPT"; echo .)" = "$whole"$'\n.' ]
check "docs/examples/ask.sh, by lines" \
	[ "$(echo "$PROMPT" | docs/examples/ask.sh; echo .)" = "$whole"$'\n.' ]

exec 3<>/dev/llama
echo "$PROMPT" >&3
part=$(head -c 20 <&3; echo .)
check "head -c 20" [ "$part" = "$(printf '%s' "$whole" | head -c 20; echo .)" ]
if echo "more" 2>/dev/null >&3; then
	skip "echo in mid-turn is refused: it was over"
else
	pass "echo in mid-turn is refused"
fi
rest=$(cat <&3; echo .)
check "the rest by cat" [ "${part%.}$rest" = "$whole." ]
echo "The end" >&3
if next=$(cat <&3 2>"$TMP/next"); then
	check "next turn" [ -n "$next" ]
else
	check "next turn: the context is full, says so" \
		grep -q 'too long' "$TMP/next"
fi
exec 3>&-

exec 3<>/dev/llama
echo "$PROMPT" >&3
part=$(dd bs=1 count=20 status=none <&3; echo .)
check "dd bs=1 count=20" \
	[ "$part" = "$(printf '%s' "$whole" | head -c 20; echo .)" ]
exec 3>&-

exec 3<>/dev/llama
echo "$PROMPT" >&3
IFS= read -r line <&3
check "read -r line" [ "$line" = "$(printf '%s' "$whole" | head -n 1)" ]
exec 3>&-

check "cat with nothing asked: end of file" [ -z "$(timeout 5 cat /dev/llama)" ]
check "echo > /dev/llama" sh -c 'echo nobody listens >/dev/llama'

exec 3<>/dev/llama 4<>/dev/llama
echo "$PROMPT" >&3
echo "$PROMPT" >&4
cat <&3 >"$TMP/a" &
cat <&4 >"$TMP/b"
wait $!
check "two at once: the same" cmp -s "$TMP/a" "$TMP/b"
check "and as alone" [ "$(cat "$TMP/a"; echo .)" = "$whole." ]
exec 3>&- 4>&-

cat >"$TMP/plain.py" <<'PY'
import sys
with open("/dev/llama", "r+b", buffering=0) as f:
    f.write(sys.argv[1].encode())
    while True:
        text = f.read(100)
        if not text:
            break
        sys.stdout.buffer.write(text)
PY
cat >"$TMP/select.py" <<'PY'
import os, select, sys
fd = os.open("/dev/llama", os.O_RDWR | os.O_NONBLOCK)
os.write(fd, sys.argv[1].encode())
while True:
    select.select([fd], [], [])
    try:
        text = os.read(fd, 100)
    except BlockingIOError:
        continue
    if not text:
        break
    sys.stdout.buffer.write(text)
PY
if command -v python3 >/dev/null; then
	check "python" \
		[ "$(python3 "$TMP/plain.py" "$PROMPT"; echo .)" = "$whole." ]
	check "python with select" \
		[ "$(python3 "$TMP/select.py" "$PROMPT"; echo .)" = "$whole." ]
else
	skip "python"
	skip "python with select"
fi

P=/proc/llamux/prompt
check "prompt: nothing asked" [ -z "$(cat $P)" ]
echo "$PROMPT" >$P
check "prompt: echo, cat" [ "$(cat $P; echo .)" = "$whole." ]
check "prompt: cat again" [ -z "$(cat $P)" ]
echo "$PROMPT" >$P
head -c 10 $P >/dev/null
echo "Another prompt" >$P
check "prompt: a new one in mid-turn" [ -n "$(cat $P)" ]
check "prompt: mode" [ "$(stat -c %a $P)" = 600 ]

exec 3<>/dev/llama
echo "$PROMPT" >&3
head -c 1 <&3 >/dev/null
check "sessions: root sees it" \
	[ "$(grep -c " $$ \| m " /proc/llamux/sessions)" -ge 1 ]
others=$(setpriv --reuid 65534 --regid 65534 --clear-groups \
	cat /proc/llamux/sessions | wc -l)
check "sessions: others do not" [ "$others" -eq 1 ]
check "fdinfo" grep -q '^llamux-model:.m$' "/proc/self/fdinfo/3"
exec 3>&-
refused "the device is not for everybody" \
	setpriv --reuid 65534 --regid 65534 --clear-groups \
	sh -c 'exec 3<>/dev/llama'
refused "nor is control" \
	setpriv --reuid 65534 --regid 65534 --clear-groups \
	sh -c 'exec 3<>/dev/llamactl'
check "prompts do not reach dmesg" \
	[ "$(dmesg | grep -c "$PROMPT")" -eq 0 ]
module_stop
finish
