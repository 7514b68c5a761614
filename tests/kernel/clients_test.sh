#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The published clients of OpenAI and Ollama (tests/serve/npm) in a
# conversation with the module, by way of llamux serve. Skipped without node
# and their packages, which tests/serve/clients.py fetches.
# BEDS: uml
# TIMEOUT: 400
. "$(dirname "$0")/lib.sh"

packages=${LLAMUX_CACHE:-$HOME/.cache/llamux}/npm-$(sha256sum tests/serve/npm/package.json |
	cut -c 1-12)
model=models/llamux-default.gguf
if [ ! -x build/llamux-serve ] || [ ! -e "$packages/done" ] || ! command -v node >/dev/null; then
	echo "skip: no llamux-serve, node or packages of the clients"
	exit 77
fi

# The address that the gateway prints, with its token.
address() {
	for _ in {1..100}; do
		grep -m 1 -oE 'http://127[^ ]*' "$TMP/log" && return
		sleep 0.1
	done
	return 1
}

insmod "$LLAMUX_KO" || exit 1
check "load" build/llamux load --name llamux-default "$model"
build/llamux serve --listen 127.0.0.1:0 2>"$TMP/log" &
pid=$!
page=$(address) || cat "$TMP/log"
LLAMUX_URL=${page%%/#*} LLAMUX_TOKEN=${page##*=} LLAMUX_NPM=$packages \
	timeout 300 node tests/serve/npm/clients.mjs | tee "$TMP/clients"
check "the clients" grep -qE '^[1-9][0-9]* passed, 0 failed' "$TMP/clients"
kill "$pid"
check "SIGTERM" wait "$pid"
check "no session is left" test "$(tail -n +2 /proc/llamux/sessions | wc -l)" -eq 0
check "unload" build/llamux unload llamux-default
check "rmmod" rmmod llamux
finish
