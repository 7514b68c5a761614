#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# pull, from a server here: whole, resumed, from one that cannot resume, a web
# page instead of a model, a wrong sum; by names, from one that stands in for
# where they lead.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need_model
command -v curl >/dev/null || {
	echo "skip: no curl"
	exit 77
}

cat >"$work/server.py" <<'PY'
"""/m.gguf with ranges, /plain.gguf without, /page a page; asked ranges go to
a log. With a certificate all paths are the model. Prints its port."""
import http.server, ssl, sys
MODEL = open(sys.argv[1], "rb").read()
LOG = open(sys.argv[2], "a", buffering=1)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.headers.get("Range")
        LOG.write("%s %s\n" % (self.path, asked))
        if self.path == "/page":
            body = b"<html>please log in</html>"
        elif len(sys.argv) > 3 or self.path.split("?")[0] in ("/m.gguf", "/plain.gguf"):
            body = MODEL
        else:
            return self.send_error(404)
        start = 0
        if asked and self.path != "/plain.gguf":
            start = int(asked.split("=")[1].split("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", "bytes %d-%d/%d" %
                             (start, len(body) - 1, len(body)))
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:])

    def log_message(self, *args):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 3:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[3])
    server.socket = tls.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
PY
python3 "$work/server.py" "$model" "$work/log" >"$work/port" &
server=$!
trap 'kill $server; rm -rf "$work"' EXIT
for _ in {1..50}; do
	[ ! -s "$work/port" ] || break
	sleep 0.1
done
url=http://127.0.0.1:$(cat "$work/port")
sum=$(sha256sum <"$model" | cut -d ' ' -f 1)
unset http_proxy https_proxy
export no_proxy=127.0.0.1
cd "$work" || exit

run pull "$url/m.gguf?download=true"
is "pull" exits 0
is "the same file" cmp "$model" m.gguf
is "its sum, as sha256sum says it" out_is "$sum  m.gguf"$'\n'
is "quiet" quiet
is "no part is left" test ! -e m.gguf.part
run pull "$url/m.gguf"
is "a file is not replaced" exits 1
run pull --sha256 "$sum" "$url/m.gguf"
is "but taken when it is the right one" exits 0
run pull --sha256 "${sum//[0-9]/0}" "$url/m.gguf"
is "and not when it is another" err_has 'another file'

head -c 100000 "$model" >r.gguf.part
run --json pull -o r.gguf --sha256 "${sum^^}" "$url/m.gguf"
is "the rest of a file" exits 0
is "resumed" grep -q '^/m.gguf bytes=100000-' "$work/log"
is "resumed: the same file" cmp "$model" r.gguf
is "--json" out_has "^\{\"file\": \"r.gguf\", \"bytes\": $(stat -c %s "$model"), .*\"$sum\"\}\$"
head -c 100000 "$model" >p.gguf.part
run pull -o p.gguf "$url/plain.gguf"
is "from a server that cannot resume" exits 0
is "from the start: the same file" cmp "$model" p.gguf

run pull -o w.gguf --sha256 "${sum//[0-9]/0}" "$url/m.gguf"
is "a wrong sum" exits 1
is "a wrong sum leaves nothing" test ! -e w.gguf -a ! -e w.gguf.part
run pull "$url/page"
is "a page is no model" err_has 'not a GGUF'
is "a page leaves nothing" test ! -e page -a ! -e page.part
run pull "$url/nothing"
is "404" exits 1
is "404 leaves no file" test ! -e nothing
run pull "file://$model" -o f.gguf
is "a file" cmp "$model" f.gguf
for bad in ftp://x/m.gguf http:// http://x/ 'http://x/?m.gguf'; do
	run pull "$bad"
	is "$bad is no URL of a file" exits 2
done
run pull --sha256 12 "$url/m.gguf"
is "a sum has 64 digits" exits 2

# Names. What curl(1) reads from its settings leads it here.
run pull --list
is "--list" out_has '^qwen3-0.6b +Q4_K_M +Apache-2.0 '
run --json pull --list
is "--list as JSON" python3 -c 'import json, sys
zoo = json.load(open(sys.argv[1]))
m = {e["name"]: e for e in zoo}
assert len(zoo) > 10 and m["tinyllama-1.1b"]["sha256"] is None, zoo
assert m["qwen3-0.6b"]["url"].startswith("https://") and len(m["qwen3-0.6b"]["sha256"]) == 64' \
	"$work/out"
run pull --list
is "--list says where there is no sum" out_has '^tinyllama-1.1b .*no sum is known'
run pull nobody
is "a name that is not known" exits 4
is "it says where they are" err_has 'pull --list'
if openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=test \
	-keyout "$work/key" -out "$work/cert" 2>/dev/null; then
	cat "$work/key" "$work/cert" >"$work/pem"
	python3 "$work/server.py" "$model" "$work/names" "$work/pem" >"$work/tls" &
	names=$!
	trap 'kill $server $names; rm -rf "$work"' EXIT
	for _ in {1..50}; do
		[ ! -s "$work/tls" ] || break
		sleep 0.1
	done
	unset https_proxy HTTPS_PROXY all_proxy ALL_PROXY
	export CURL_HOME=$work
	printf 'insecure\nconnect-to = "huggingface.co:443:127.0.0.1:%s"\n' \
		"$(cat "$work/tls")" >"$work/.curlrc"
	run pull tinyllama-1.1b
	is "a name without a sum" exits 0
	is "its URL's file" cmp "$model" tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf
	is "it says so" err_has 'no sum of this file is known'
	run pull -o q.gguf qwen3-0.6b
	is "a name with a sum, and a file with another" exits 1
	is "it leaves nothing" test ! -e q.gguf -a ! -e q.gguf.part
	run pull -o q.gguf --sha256 "$sum" qwen3-0.6b
	is "a sum that is given counts" exits 0
else
	echo "skip: no openssl"
fi
finish
