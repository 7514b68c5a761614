#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# llamux serve on the device: the same answers as in the process, models that
# come and go, sessions that end with their clients.
# BEDS: uml
# TIMEOUT: 200
. "$(dirname "$0")/lib.sh"

llamux=build/llamux
MODEL=models/llamux-default.gguf	# it can chat
SOCKET=$TMP/serve.sock
CHAT='{"temperature": 0, "messages": [{"role": "user", "content": "What is an inode?"}]}'
ENDLESS='{"prompt": "x", "max_tokens": 1000000, "ignore_eos": true, "stream": true}'

if [ ! -x build/llamux-serve ] || [ ! -e "$MODEL" ] || ! command -v curl >/dev/null; then
	echo "skip: no llamux-serve, model or curl"
	exit 77
fi

# get PATH [BODY]: the reply in $TMP/reply.
get() {
	curl -s -m 60 --unix-socket "$SOCKET" "http://llamux$1" ${2:+-d "$2"} >"$TMP/reply"
}

# has PATTERN PATH [BODY]
has() {
	get "$2" ${3:+"$3"}
	grep -qE -- "$1" "$TMP/reply" || {
		head -c 300 "$TMP/reply"
		return 1
	}
}

# soon COMMAND...: within some seconds.
soon() {
	for _ in {1..60}; do
		! "$@" || return 0
		sleep 0.1
	done
	return 1
}

sessions() {
	[ "$(tail -n +2 /proc/llamux/sessions | wc -l)" -eq "$1" ]
}

# Whoever is root's group may use it: all that ask here. On TCP, two clients.
ADA=ada-0123456789abcdef BOB=bob-0123456789abcdef BOB2=another-of-bob-s-tokens
(umask 077; printf '%s\n' "$ADA" "bob $BOB" "bob $BOB2" >"$TMP/tokens")
"$llamux" serve --socket "$SOCKET" --group root --listen 127.0.0.1:8080 \
	--token-file "$TMP/tokens" 2>"$TMP/log" &
pid=$!
soon [ -S "$SOCKET" ] || cat "$TMP/log"
check "no module: 503" has 'no model is loaded' /health
check "no module: an error" has '"code":"unavailable"' /v1/chat/completions "$CHAT"
insmod "$LLAMUX_KO" || exit 1
check "no model: an error" has '"code":"model_not_found"' /v1/chat/completions "$CHAT"
check "load" "$llamux" load --name one "$MODEL"
check "health" has '"ok"' /health
check "models" has '"id":"one"' /v1/models
get /v1/chat/completions "$CHAT"
sed -E 's/.*"content":"([^"]*)".*/\1/' "$TMP/reply" >"$TMP/text"
"$llamux" --user -m "$MODEL" ask --temp 0 'What is an inode?' >"$TMP/user"
check "the same answer as in the process" diff <(tr -d '\n' <"$TMP/text") \
	<(tr -d '\n' <"$TMP/user")
check "a stream" has '^data: \[DONE\]' /v1/chat/completions "${CHAT/\{/\{\"stream\": true, }"
check "logprobs" has '"top_logprobs":\[\{"token"' /v1/chat/completions \
	"${CHAT/\{/\{\"logprobs\": true, \"top_logprobs\": 1, }"
check "stop" has '"content":"An inode holds","refusal":null' /v1/chat/completions \
	"${CHAT/\{/\{\"stop\": \" what\", }"
check "Ollama" has '"done":true' /api/chat "$CHAT"
check "status" has '"fpu_sections_p99.9_us":[0-9]' /llamux/status
check "metrics" has '^llamux_kernel_answer_tokens [1-9]' /metrics
check "no session is left" soon sessions 0

# Equal prompts are shared within a user of the socket.
# shared COMMAND...: tokens that it took from the KV of others' prompts
shared() {
	local before

	before=$(value shared_tokens /proc/llamux/stats)
	"$@" >/dev/null
	echo $(($(value shared_tokens /proc/llamux/stats) - before))
}

# long_as UID: a long prompt, asked by this user
long_as() {
	setpriv --reuid "$1" --regid "$(id -g)" --groups "$GROUP" \
		curl -s -m 60 --unix-socket "$SOCKET" http://llamux/v1/completions \
		-d "{\"max_tokens\": 1, \"prompt\": \"$(printf 'word%.0s ' {1..150})\"}"
}

GROUP=$(stat -c %g "$SOCKET")
chmod 755 "$TMP"
long_as 0 | grep -q '"choices"' || fail "a long prompt"
check "a user's own prompt is found again" [ "$(shared long_as 0)" -gt 64 ]
check "by another user it is not" [ "$(shared long_as 54321)" -eq 0 ]
check "but that one's own is" [ "$(shared long_as 54321)" -gt 64 ]

# as_client TOKEN [END-USER]: the same, with a token, for somebody
as_client() {
	curl -s -m 60 -H "Authorization: Bearer $1" http://127.0.0.1:8080/v1/completions \
		-d "{${2:+\"safety_identifier\": \"$2\",} \"max_tokens\": 1, \
		\"prompt\": \"$(printf 'word%.0s ' {1..150})\"}"
}

as_client "$ADA" | grep -q '"choices"' || fail "a token"
check "a token's own prompt is found again" [ "$(shared as_client "$ADA")" -gt 64 ]
check "by another client it is not" [ "$(shared as_client "$BOB")" -eq 0 ]
check "but by that one with its other token" [ "$(shared as_client "$BOB2")" -gt 64 ]
check "not for another end user" [ "$(shared as_client "$BOB" eve)" -eq 0 ]
check "but for the same" [ "$(shared as_client "$BOB2" eve)" -gt 64 ]
check "a user of the socket is no token" [ "$(shared long_as 1001)" -eq 0 ]

curl -sN -m 60 --unix-socket "$SOCKET" http://llamux/v1/completions -d "$ENDLESS" \
	>"$TMP/endless" &
client=$!
soon [ -s "$TMP/endless" ]
kill $client
wait $client 2>/dev/null
check "a client that is killed leaves no session" soon sessions 0

check "another model" "$llamux" load --name two --default "$MODEL"
check "it is the default" has '"model":"two"' /v1/chat/completions "$CHAT"
check "unload" "$llamux" unload one
check "it is gone" has "'one' is not loaded" /v1/chat/completions \
	"${CHAT/\{/\{\"model\": \"one\", }"
kill "$pid"
check "SIGTERM" wait "$pid"
check "its log is quiet" [ "$(grep -cv 'listening on\|it may come' "$TMP/log")" -eq 0 ]
check "unload" "$llamux" unload two
check "rmmod" rmmod llamux
finish
