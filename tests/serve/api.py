#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# llamux serve: every path, as OpenAI's and Ollama's clients use it; framing of
# streams, errors, limits, who may ask.
#
# TIMEOUT: 120
"""Run by tests/run."""
import http.client
import json
import os
import socket
import stat
import tempfile
import threading
import time

from serving import Gateway, UnixConnection, check, finish, need, skip, user

LONG = {"temperature": 0, "max_tokens": 1000000}
QUESTION = "What is an inode?"


def test_models(g):
    r = g.ask("/v1/models").json()
    check("models", r["object"] == "list" and
          r["data"][0]["id"] == "llamux-default", r)
    for name in ("llamux-default", "llamux-default:latest", "default"):
        check("model " + name, g.ask("/v1/models/" + name).json() == r["data"][0])
    other = g.ask("/v1/models/nobody")
    check("no such model", other.status == 404 and
          other.json()["error"]["code"] == "model_not_found", other.text)
    for path in ("/v1/models/", "/v1/models/a/b", "/v1/models/" + "x" * 3000):
        check(path[:20], g.ask(path).status == 404)
    r = g.ask("/api/tags").json()["models"][0]
    check("tags", r["name"] == "llamux-default" and r["size"] > 0 and
          r["details"]["format"] == "gguf", r)
    r = g.ask("/api/ps").json()["models"][0]
    check("ps", r["model"] == "llamux-default" and r["context_length"] > 0, r)
    check("version", "version" in g.ask("/api/version").json())
    r = g.ask("/api/show", {"model": "llamux-default:latest"}).json()
    check("show", r["model_info"]["general.architecture"] == "llama", r)
    r = g.ask("/api/show", {"model": "nobody"})
    check("show: no such model", r.status == 404 and "error" in r.json(), r.text)
    r = g.ask("/health")
    check("health", r.status == 200 and r.json() == {"status": "ok"}, r.text)
    r = g.ask("/llamux/status").json()
    check("status", r["kernel"] is False and r["models"][0]["default"] is True and
          r["serve"]["turns_at_a_time"] == 8, r)
    r = g.ask("/")
    check("the page", r.status == 200 and "<!doctype html>" in r.text.lower() and
          "default-src 'none'" in r.headers["Content-Security-Policy"], r.headers)
    r = g.ask("/", method="HEAD")
    check("HEAD", r.status == 200 and r.text == "", r.text)


def test_chat(g):
    ask = {"model": "llamux-default", "messages": user(QUESTION), "temperature": 0}
    r = g.ask("/v1/chat/completions", ask)
    whole = r.json()
    text = whole["choices"][0]["message"]["content"]
    u = whole["usage"]
    check("chat", r.status == 200 and whole["object"] == "chat.completion" and
          whole["choices"][0]["finish_reason"] == "stop" and text, r.text)
    check("usage", u["prompt_tokens"] > 0 and u["completion_tokens"] > 0 and
          u["total_tokens"] == u["prompt_tokens"] + u["completion_tokens"], u)
    r = g.ask("/v1/chat/completions",
              dict(ask, stream=True, stream_options={"include_usage": True}))
    events = r.events()
    check("chat stream: type", r.headers["Content-Type"] == "text/event-stream")
    check("chat stream: the same text", "".join(
        e["choices"][0]["delta"].get("content", "") for e in events[:-1]) == text)
    check("chat stream: role first",
          events[0]["choices"][0]["delta"]["role"] == "assistant")
    check("chat stream: one id", len({e["id"] for e in events}) == 1)
    check("chat stream: the reason comes last",
          [e["choices"][0]["finish_reason"] for e in events[:-1]] ==
          [None] * (len(events) - 2) + ["stop"])
    check("chat stream: usage", events[-1]["choices"] == [] and
          events[-1]["usage"] == u and events[0]["usage"] is None, events[-1])
    check("pieces come one by one", len(events) > 10, len(events))
    r = g.ask("/v1/chat/completions", dict(ask, max_completion_tokens=3)).json()
    check("length", r["choices"][0]["finish_reason"] == "length" and
          r["usage"]["completion_tokens"] == 3, r)
    parts = [{"type": "text", "text": QUESTION[:6]},
             {"type": "text", "text": QUESTION[6:]}]
    r = g.ask("/v1/chat/completions",
              dict(ask, messages=[{"role": "user", "content": parts}])).json()
    check("parts of text", r["choices"][0]["message"]["content"] == text, r)
    r = g.ask("/v1/chat/completions", dict(ask, model="llamux-default:latest"))
    check("Ollama's tag in a name", r.status == 200, r.text)
    talk = user("My name is Ada.") + [{"role": "assistant", "content": "Hello."}]
    r = g.ask("/v1/chat/completions", dict(ask, messages=[
        {"role": "system", "content": "Be brief."}] + talk + user("Who?")))
    check("a conversation", r.status == 200 and
          r.json()["usage"]["prompt_tokens"] > u["prompt_tokens"], r.text)
    return text


def test_seed(g):
    def answer(**more):
        r = g.ask("/v1/completions", dict({"prompt": "Once", "max_tokens": 24,
                                           "temperature": 1.5}, **more))
        return r.json()["choices"][0]["text"]

    check("same seed", answer(seed=7) == answer(seed=7))
    check("other seed", answer(seed=7) != answer(seed=8))
    check("a seed is random", len({answer() for _ in range(4)}) > 1)
    check("a negative seed", answer(seed=-1) == answer(seed=-1))
    check("sampling is obeyed", answer(top_p=0.01) == answer(top_p=0.01) and
          answer(top_k=1) == answer(temperature=0))


def test_completions(g):
    ask = {"prompt": "Once upon a time", "temperature": 0, "max_tokens": 40}
    whole = g.ask("/v1/completions", ask).json()
    text = whole["choices"][0]["text"]
    check("completion", whole["object"] == "text_completion" and text, whole)
    r = g.ask("/v1/completions", dict(ask, stream=True)).events()
    check("completion stream", "".join(
        e["choices"][0]["text"] for e in r) == text, r)
    r = g.ask("/v1/completions", {"prompt": "Once", "temperature": 0}).json()
    check("16 tokens unless said", r["usage"]["completion_tokens"] <= 16, r)
    # Stop strings: each word of the text stops it right before.
    for stop in (text[5:9], text[9:20], text[-3:], text[0:2]):
        at = text.index(stop)
        r = g.ask("/v1/completions", dict(ask, stop=[stop, "\x01never"])).json()
        check("stop at %r" % stop, r["choices"][0]["text"] == text[:at] and
              r["choices"][0]["finish_reason"] == "stop", r)
        r = g.ask("/v1/completions", dict(ask, stop=stop, stream=True)).events()
        check("stop at %r in a stream" % stop, "".join(
            e["choices"][0]["text"] for e in r) == text[:at], r)
    r = g.ask("/v1/completions", dict(ask, stop=text[-1] + "never")).json()
    check("what began like a stop string is given out",
          r["choices"][0]["text"] == text, r)


def test_logprobs(g, text):
    ask = {"messages": user(QUESTION), "temperature": 0, "logprobs": True,
           "top_logprobs": 3}
    path = "/v1/chat/completions"
    whole = g.ask(path, ask).json()["choices"][0]["logprobs"]["content"]
    said = b"".join(bytes(e["bytes"]) for e in whole)
    check("logprobs: the tokens of the answer", said.decode().startswith(text), said)
    check("logprobs: three of each, the likeliest first", all(
        len(e["top_logprobs"]) == 3 and e["top_logprobs"][0]["logprob"] >=
        e["top_logprobs"][1]["logprob"] and e["logprob"] <= 0 for e in whole), whole[:2])
    check("logprobs: greedy is the likeliest", all(
        e["token"] == e["top_logprobs"][0]["token"] for e in whole), whole[:2])
    r = g.ask(path, dict(ask, stream=True)).events()
    streamed = [e for c in r for e in (c["choices"][0]["logprobs"] or {}).get("content", [])]
    check("logprobs: the same in a stream", streamed == whole, streamed[-2:])
    r = g.ask(path, dict(ask, logprobs=None, top_logprobs=None)).json()
    check("logprobs: not asked for", r["choices"][0]["logprobs"] is None, r)
    ask = {"prompt": "Once", "temperature": 0, "max_tokens": 6, "logprobs": 2}
    r = g.ask("/v1/completions", ask).json()["choices"][0]
    lp = r["logprobs"]
    check("logprobs of a completion", "".join(lp["tokens"]) == r["text"] and
          len(lp["token_logprobs"]) == len(lp["top_logprobs"]) == 6 and
          lp["text_offset"][0] == 0 and lp["text_offset"][1] == len(lp["tokens"][0]), r)
    ids = [w for w in range(400) if w]
    r = g.ask("/v1/completions", {"prompt": "Once", "temperature": 0, "max_tokens": 6,
                                  "logit_bias": {str(ids[99]): 100}}).json()
    other = g.ask("/v1/completions", {"prompt": "Once", "temperature": 0,
                                      "max_tokens": 6}).json()
    check("logit_bias", r["choices"][0]["text"] != other["choices"][0]["text"], r)
    never = dict(ask, logit_bias={str(ids[99]): -100})
    check("a token never said", g.ask("/v1/completions", never).status == 200)


def test_ollama(g, text):
    ask = {"model": "llamux-default", "messages": user(QUESTION),
           "options": {"temperature": 0}}
    r = g.ask("/api/chat", ask)
    lines = r.lines()
    check("Ollama streams unless told",
          r.headers["Content-Type"] == "application/x-ndjson" and len(lines) > 5)
    check("Ollama chat", "".join(x["message"]["content"] for x in lines) == text)
    check("Ollama: done", [x["done"] for x in lines] ==
          [False] * (len(lines) - 1) + [True])
    check("Ollama: numbers", lines[-1]["done_reason"] == "stop" and
          lines[-1]["eval_count"] > 0 and lines[-1]["prompt_eval_count"] > 0 and
          lines[-1]["total_duration"] > 0, lines[-1])
    r = g.ask("/api/chat", dict(ask, stream=False)).json()
    check("Ollama chat, whole", r["message"]["content"] == text and r["done"], r)
    r = g.ask("/api/generate", {"prompt": QUESTION, "stream": False,
                                "options": {"temperature": 0}}).json()
    check("Ollama generate", r["response"] == text, r)
    r = g.ask("/api/generate", {"prompt": "Once", "raw": True, "options": {
        "temperature": 0, "num_predict": 5, "stop": "\x01"}}).lines()
    check("Ollama generate, raw, limited", r[-1]["eval_count"] == 5 and
          r[-1]["done_reason"] == "length", r[-1])
    r = g.ask("/api/generate", {"model": "llamux-default"}).json()
    check("Ollama load", r["done_reason"] == "load", r)


SCHEMA = {"type": "object", "required": ["kind", "size", "open"],
          "additionalProperties": False, "properties": {
              "kind": {"enum": ["file", "directory"]},
              "size": {"type": "integer"}, "open": {"type": "boolean"}}}


def fits(text):
    v = json.loads(text)
    return (set(v) == {"kind", "size", "open"} and
            v["kind"] in ("file", "directory") and type(v["size"]) is int and
            type(v["open"]) is bool)


def test_shapes(g):
    ask = {"messages": user(QUESTION), "temperature": 1, "max_tokens": 200,
           "response_format": {"type": "json_schema", "json_schema": {
               "name": "x", "schema": SCHEMA}}}
    for seed in range(5):
        r = g.ask("/v1/chat/completions", dict(ask, seed=seed)).json()
        check("an answer as the schema has it", fits(
            r["choices"][0]["message"]["content"]), r)
    r = g.ask("/api/chat", {"messages": user(QUESTION), "stream": False,
                            "format": SCHEMA, "options": {"seed": 3}}).json()
    check("Ollama's too", fits(r["message"]["content"]), r)
    r = g.ask("/v1/chat/completions", dict(
        ask, response_format={"type": "json_object"})).json()
    text = r["choices"][0]["message"]["content"]
    check("an object", text.lstrip().startswith("{"), r)


TOOLS = [{"type": "function", "function": {
    "name": "list_files", "description": "Names of the files in a directory",
    "parameters": {"type": "object", "required": ["sort", "hidden"],
                   "additionalProperties": False, "properties": {
                       "sort": {"$ref": "#/$defs/order"}, "hidden": {"type": "boolean"}},
                   "$defs": {"order": {"enum": ["name", "size"]}}}}},
         {"type": "function", "function": {"name": "clock"}}]


def call_fits(name, args):
    if name == "clock":
        return args == {}
    return (name == "list_files" and set(args) == {"sort", "hidden"} and
            args["sort"] in ("name", "size") and type(args["hidden"]) is bool)


def calls_fit(calls):
    return bool(calls) and all(
        c["type"] == "function" and c["id"] and
        call_fits(c["function"]["name"], json.loads(c["function"]["arguments"])) for c in calls)


def streamed_calls(events):
    """The calls that the deltas add up to."""
    calls = []
    for e in events:
        for d in e["choices"][0]["delta"].get("tool_calls", []):
            if d["index"] == len(calls):
                calls.append({"id": d["id"], "type": d["type"], "function": {
                    "name": d["function"]["name"], "arguments": ""}})
            calls[d["index"]]["function"]["arguments"] += d["function"]["arguments"]
    return calls


def test_tools(g):
    path = "/v1/chat/completions"
    ask = {"messages": user("Which files are here?"), "tools": TOOLS, "max_tokens": 200}
    named = {"type": "function", "function": {"name": "list_files"}}
    for seed in range(5):
        r = g.ask(path, dict(ask, seed=seed, tool_choice="required",
                             parallel_tool_calls=False)).json()["choices"][0]
        check("required: a call that fits", r["finish_reason"] == "tool_calls" and
              r["message"]["content"] is None and len(r["message"]["tool_calls"]) == 1 and
              calls_fit(r["message"]["tool_calls"]), r)
        r = g.ask(path, dict(ask, seed=seed, tool_choice=named)).json()["choices"][0]
        calls = r["message"]["tool_calls"]
        check("named: that call", r["finish_reason"] == "tool_calls" and
              [c["function"]["name"] for c in calls] == ["list_files"] and calls_fit(calls), r)
    events = g.ask(path, dict(ask, seed=4, tool_choice=named, stream=True)).events()
    check("a call in a stream", [c["function"] for c in streamed_calls(events)] ==
          [c["function"] for c in calls] and len(events) > 4, events)
    check("the reason comes last", [e["choices"][0]["finish_reason"] for e in events] ==
          [None] * (len(events) - 1) + ["tool_calls"] and
          events[0]["choices"][0]["delta"]["role"] == "assistant", events)
    r = g.ask(path, dict(ask, seed=1, tool_choice="required")).json()["choices"][0]
    check("several calls", calls_fit(r["message"]["tool_calls"]) and
          len({c["id"] for c in r["message"]["tool_calls"]}) ==
          len(r["message"]["tool_calls"]), r)
    r = g.ask(path, dict(ask, temperature=0)).json()
    check("auto: told of the tools, text is free", r["usage"]["prompt_tokens"] > 100 and
          r["choices"][0]["message"]["content"], r)
    r = g.ask(path, dict(ask, temperature=0, tool_choice="none")).json()
    plain = g.ask(path, {"messages": ask["messages"], "temperature": 0,
                         "max_tokens": 200}).json()
    check("none: as without", r["choices"] == plain["choices"] and
          r["usage"] == plain["usage"], r)
    talk = ask["messages"] + [{"role": "assistant", "content": None, "tool_calls": calls},
                              {"role": "tool", "tool_call_id": calls[0]["id"],
                               "content": "notes.txt"}]
    r = g.ask(path, dict(ask, messages=talk, temperature=0))
    check("the result of a call", r.status == 200 and r.json()["choices"][0]["message"], r.text)
    lines = g.ask("/api/chat", {"messages": ask["messages"], "tools": TOOLS,
                              "options": {"num_predict": 50}}).lines()
    check("Ollama's tools", lines[-1]["done"] and lines[-1]["prompt_eval_count"] > 100, lines[-1])
    calls = [{"function": {"name": "clock", "arguments": {}}}]
    r = g.ask("/api/chat", {"messages": ask["messages"] + [
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_name": "clock", "content": "12:30"}],
        "tools": TOOLS, "stream": False, "options": {"num_predict": 50}}).json()
    check("Ollama's result of a call", r["done"] and "message" in r, r)


def test_tool_errors(g):
    say = {"messages": user("x"), "tools": TOOLS}
    f = {"name": "f", "parameters": {"type": "object"}}
    for more, param in (
            ({"tools": [{"type": "function"}]}, "tools"), ({"tools": {}}, "tools"),
            ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools"),
            ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools"),
            ({"tools": [{"type": "function", "function": f}] * 2}, "tools"),
            ({"tools": [{"type": "function", "function": dict(
                f, parameters={"type": "array"})}]}, "tools"),
            ({"tools": [{"type": "function", "function": dict(f, parameters={
                "type": "object", "properties": {"n": {"type": "number", "multipleOf": 3}}})}]},
             "tools"),
            ({"tool_choice": "perhaps"}, "tool_choice"),
            ({"tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
            ({"tools": [], "tool_choice": "required"}, "tool_choice"),
            ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
            ({"response_format": {"type": "json_object"}}, "response_format"),
            ({"logprobs": True}, "logprobs"),
            ({"messages": [{"role": "assistant", "tool_calls": [
                {"function": {"name": "f", "arguments": "{"}}]}]}, "messages")):
        r = g.ask("/v1/chat/completions", dict(say, **more))
        check("%.80s" % more, r.status == 400 and r.json()["error"]["param"] == param, r.text)
    r = g.ask("/api/chat", dict(say, format="json"))
    check("Ollama: format beside tools", r.status == 400 and "format" in r.json()["error"], r.text)


def test_embeddings(g):
    texts = ["What is an inode?", "signals", "What is an inode?"]
    r = g.ask("/v1/embeddings", {"input": texts}).json()
    v = [e["embedding"] for e in r["data"]]
    check("embeddings", [e["index"] for e in r["data"]] == [0, 1, 2] and
          r["usage"]["prompt_tokens"] > 3, r["usage"])
    check("of length 1", all(abs(sum(x * x for x in e) - 1) < 1e-4 for e in v))
    check("equal texts, equal vectors", v[0] == v[2] and v[0] != v[1])
    r = g.ask("/api/embed", {"model": "llamux-default", "input": texts[1]}).json()
    check("Ollama's", r["embeddings"] == [v[1]], r)
    r = g.ask("/api/embeddings", {"prompt": texts[1]}).json()
    check("Ollama's older", r["embedding"] == v[1], r)


def test_errors(g):
    chat = "/v1/chat/completions"
    say = {"messages": user("x")}
    wrong = [
        (chat, {}, 400, "messages"), (chat, {"messages": []}, 400, "messages"),
        (chat, {"messages": [{"content": "x"}]}, 400, "messages"),
        (chat, {"messages": [{"role": "king", "content": "x"}]}, 400, "messages"),
        (chat, {"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "x"}}]}]}, 400, "messages"),
        (chat, dict(say, temperature=3), 400, "temperature"),
        (chat, dict(say, temperature="hot"), 400, "temperature"),
        (chat, dict(say, top_p=-1), 400, "top_p"),
        (chat, dict(say, n=2), 400, "n"),
        (chat, dict(say, max_tokens=0), 400, "max_tokens"),
        (chat, dict(say, max_tokens=1.5), 400, "max_tokens"),
        (chat, dict(say, seed="x"), 400, "seed"),
        (chat, dict(say, stream="yes"), 400, "stream"),
        (chat, dict(say, stop=[1]), 400, "stop"),
        (chat, dict(say, stop=[""]), 400, "stop"),
        (chat, dict(say, stop=["x"] * 17), 400, "stop"),
        (chat, dict(say, logit_bias={"x": 5}), 400, "logit_bias"),
        (chat, dict(say, logit_bias={"1": 500}), 400, "logit_bias"),
        (chat, dict(say, logit_bias={"99999999": 5}), 400, None),
        (chat, dict(say, top_logprobs=2), 400, "top_logprobs"),
        (chat, dict(say, logprobs=True, top_logprobs=21), 400, "top_logprobs"),
        (chat, dict(say, response_format={"type": "xml"}), 400,
         "response_format"),
        (chat, dict(say, response_format={"type": "json_schema"}), 400,
         "response_format"),
        (chat, dict(say, response_format={"type": "json_schema",
                    "json_schema": {"schema": {"type": "number",
                                               "multipleOf": 3}}}), 400, None),
        ("/v1/embeddings", {"input": []}, 400, "input"),
        ("/v1/embeddings", {"input": ["x", 5]}, 400, "input"),
        ("/v1/embeddings", {"input": "x", "encoding_format": "base64"}, 400,
         "encoding_format"),
        (chat, dict(say, model="nobody"), 404, None),
        (chat, dict(say, model=5), 400, "model"),
        ("/v1/completions", {"prompt": [1, 2]}, 400, "prompt"),
        ("/v1/completions", {"prompt": "x", "echo": True}, 400, "echo"),
        ("/v1/completions", {"prompt": "x " * 100000}, 400, None),
    ]
    for path, body, status, param in wrong:
        r = g.ask(path, body)
        e = r.json().get("error", {})
        check("%s %.60s" % (path, body), r.status == status and e["message"] and
              e["type"] == "invalid_request_error" and e["param"] == param, r.text)
    r = g.ask(chat, dict(say, stream=True, model="nobody"))
    check("an error before a stream is a status", r.status == 404, r.text)
    r = g.ask("/v1/completions", {"prompt": "x " * 100000})
    check("too long a prompt has its code",
          r.json()["error"]["code"] == "context_length_exceeded", r.text)
    for body in ("", "{", "[]", "5", '"x"', '{"a":1}x', "\xff", '{"messages":"\x00"}',
                 "[" * 100000, "{\"a\":" * 50000, "[" + "0," * 200000 + "0]",
                 '{"messages": [{"role": "user", "content": "\\ud800"}]}'):
        r = g.ask(chat, body.encode("latin-1"), method="POST")
        check("body %.30r" % body, r.status == 400 and "error" in r.json(), r.text)
    for path in ("/api/chat", "/api/generate"):
        r = g.ask(path, {"model": "nobody", "prompt": "x", "messages": user("x")})
        check(path + ": no such model", r.status == 404 and
              isinstance(r.json()["error"], str), r.text)
        r = g.ask(path, {"options": {"top_p": 2}})
        check(path + ": out of range", r.status == 400, r.text)
    check("no such path", g.ask("/v1/nothing").status == 404)
    check("no such path of Ollama's",
          isinstance(g.ask("/api/nothing").json()["error"], str))
    check("wrong method", g.ask(chat).status == 405)
    check("wrong method", g.ask("/v1/models", "{}").status == 405)
    r = g.ask(chat, b"x" * (1 << 20) + b"y", method="POST")
    check("a body too long", r.status == 413, r.status)


def test_parallel(g):
    asks = [dict(LONG, prompt="Number %d is" % i, max_tokens=200, seed=i,
                 temperature=1) for i in range(6)]
    alone = [g.ask("/v1/completions", a).json()["choices"][0]["text"] for a in asks]
    together = [None] * len(asks)

    def run(i):
        together[i] = g.ask("/v1/completions", asks[i]).json()["choices"][0]["text"]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(asks))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check("the same bytes alone and beside others", alone == together)


def test_connections(g):
    c = g.connection()
    texts = {g.ask("/health", connection=c).text for _ in range(5)}
    check("keep-alive", len(texts) == 1)
    c.close()
    s = g.raw()
    s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 9 +
              b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    data = b""
    while (more := s.recv(65536)):
        data += more
    s.close()
    check("ten requests in a row at once", data.count(b'{"status":"ok"}') == 10)
    for bad in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01" * 9,
                b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                b"POST /api/chat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * 60000),
                b"GET / HTTP/1.1\r\n" + b"X: %s\r\n" % (b"y" * 9000) * 9 + b"\r\n"):
        s = g.raw(5)
        try:
            s.sendall(bad)
            s.shutdown(socket.SHUT_WR)
            head = s.recv(65536)[:12]
        except OSError:
            head = b""
        s.close()
        check("broken: %.40r" % bad, head in (b"",) or head[9:10] == b"4" or
              head[9:12] in (b"505", b"501"), head)
    check("still well", g.ask("/health").status == 200)


def test_vanishing(g):
    """A client that goes away cancels its turn, streaming or not."""
    for stream in (True, False):
        before = g.metric("serve_turns_cancelled_total")
        s = g.raw()
        body = json.dumps({"prompt": "x", "stream": stream, "max_tokens": 1000000,
                           "temperature": 1, "ignore_eos": True})
        s.sendall(("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d"
                   "\r\n\r\n%s" % (len(body), body)).encode())
        if stream:
            s.recv(100)
        running = g.wait_for("serve_turns_running", 1, 5)
        s.close()
        check("a vanished client's turn ends (stream: %s)" % stream, running and
              g.wait_for("serve_turns_running", 0, 5))
        check("it was cancelled (stream: %s)" % stream,
              g.metric("serve_turns_cancelled_total") == before + 1)


def test_queue():
    g = Gateway("--turns", "1", "--queue", "1", "--ctx", "300000")
    try:
        body = ('{"prompt": "x", "raw": true, "options": {"num_predict": -1,'
                '"temperature": 1}}')
        request = ("POST /api/generate HTTP/1.1\r\nHost: x\r\nContent-Length: %d"
                   "\r\n\r\n%s" % (len(body), body)).encode()
        first = g.raw()
        first.sendall(request)
        first.recv(100)
        second = g.raw()
        second.sendall(request)
        check("one waits", g.wait_for("serve_turns_waiting", 1))
        r = g.ask("/v1/completions", {"prompt": "x"})
        check("the queue is full", r.status == 503 and "Retry-After" in r.headers,
              r.text)
        second.close()
        check("one that waits may go", g.wait_for("serve_turns_waiting", 0))
        third = g.raw()
        third.sendall(request)
        check("another waits", g.wait_for("serve_turns_waiting", 1))
        first.close()
        check("its turn comes", b"200 OK" in third.recv(100))
        start = time.time()
        check("SIGTERM in mid-turn", g.stop() == 0)
        check("it stops at once", time.time() - start < 5)
        third.close()
        check("the socket is gone", not os.path.exists(g.path))
    finally:
        g.clean()


def test_slow():
    """Who asks too slowly, byte by byte, is shown the door; who is too many, too."""
    g = Gateway("--timeout", "2", "--connections", "2")
    try:
        s = g.raw()
        start = time.time()
        try:
            while time.time() - start < 10:
                s.sendall(b"X")
                time.sleep(0.1)
        except OSError:
            pass
        check("a slow client", 1 < time.time() - start < 6, time.time() - start)
        s.close()
        r = g.ask("/v1/completions", dict(LONG, prompt="x", ignore_eos=True,
                                          max_tokens=100000))
        check("within the time", r.status == 200, r.text)
        some = [g.raw() for _ in range(2)]
        r = g.ask("/health")
        check("one too many", r.status == 503 and r.headers["Connection"] == "close",
              r.status)
        for s in some:
            s.close()
    finally:
        g.clean()


def test_tcp():
    g = Gateway(tcp=True)
    try:
        def ask(path, token=None):
            c = http.client.HTTPConnection("127.0.0.1", g.port, timeout=30)
            c.request("GET", path, headers={"Authorization": token} if token else {})
            r = c.getresponse()
            r.read()
            return r
        check("no token", ask("/v1/models").status == 401)
        check("no token: how", ask("/v1/models").headers["WWW-Authenticate"] == "Bearer")
        for bad in ("Bearer ", "Bearer x", "Basic " + g.token, g.token,
                    "Bearer " + g.token[:-1], "Bearer " + g.token + "0",
                    "Bearer " + "0" * len(g.token), "Bearer " + "0" * 5000):
            check("token %.20s" % bad, ask("/v1/models", bad).status == 401)
        check("the token", ask("/v1/models", "Bearer " + g.token).status == 200)
        check("any case of Bearer", ask("/api/tags", "bearer " + g.token).status == 200)
        check("the page is open", ask("/").status == 200)
        check("unknown paths are not", ask("/nothing").status == 401)
    finally:
        g.clean()


def test_clients():
    """Several clients, each with tokens of its own."""
    tokens = ("a" * 20, "b" * 20, "c" * 20)
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as f:
        f.write("# clients\n%s\n\nann %s\nann %s\n" % tokens)
        f.flush()
        g = Gateway("--token-file", f.name, tcp=True)
    try:
        def ask(token, **more):
            c = http.client.HTTPConnection("127.0.0.1", g.port, timeout=30)
            c.request("POST", "/v1/completions", json.dumps(
                dict({"prompt": "Once", "max_tokens": 4, "temperature": 0}, **more)),
                {"Authorization": "Bearer " + token})
            r = c.getresponse()
            return r.status, json.loads(r.read())
        said = [ask(t)[1]["choices"][0]["text"] for t in tokens]
        check("each token is one", len(set(said)) == 1, said)
        for wrong in ("ann", "# clients", "d" * 20, tokens[0] + tokens[1]):
            check("token %s" % wrong, ask(wrong)[0] == 401)
        for field in ("user", "safety_identifier"):
            check(field, ask(tokens[0], **{field: "bob"})[1]["choices"][0]["text"] == said[0])
            status, r = ask(tokens[0], **{field: 5})
            check(field + " is text", status == 400 and r["error"]["param"] == field, r)
    finally:
        g.clean()


def test_token_file(g):
    path = os.path.join(g.dir, "token")
    for _ in range(2):
        other = Gateway("--token-file", path, tcp=True)
        try:
            with open(path, encoding="ascii") as f:
                token = f.read().strip()
            check("the token is not in the log", token not in other.stderr())
            check("only the owner reads it",
                  stat.S_IMODE(os.stat(path).st_mode) == 0o600)
            r = other.ask("/health")
            check("both listeners", r.status == 200)
        finally:
            other.clean()
    os.chmod(path, 0o644)
    try:
        Gateway("--token-file", path, tcp=True).clean()
        check("a token everybody reads", False)
    except RuntimeError as e:
        check("a token everybody reads", "chmod 600" in str(e), e)
    for text, why in (("short\n", "line 1: a token of 16"), ("# none\n", "no token"),
                      ("a b " + "c" * 20, "line 1: a name and"), ("x" * 20 + "\0", "Invalid")):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(path, 0o600)
        try:
            Gateway("--token-file", path, tcp=True).clean()
            check("token file %r" % text, False)
        except RuntimeError as e:
            check("token file %r" % text, why in str(e), e)
    for bad in ("0.0.0.0:0", "8.8.8.8:80", "nonsense", "127.0.0.1:", "127.0.0.1:x",
                "127.0.0.1:80x", "127.0.0.1:70000"):
        try:
            Gateway("--listen", bad).clean()
            check("listen on " + bad, False)
        except RuntimeError as e:
            check("listen on " + bad, "--listen" in str(e), e)


def test_uid(g):
    check("the socket's mode", stat.S_IMODE(os.stat(g.path).st_mode) in (0o600, 0o660))
    if os.geteuid():
        skip("only root can be somebody else")
        return
    os.chmod(g.dir, 0o755)
    os.chmod(g.path, 0o666)
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            c = UnixConnection(g.path)
            c.request("GET", "/v1/models")
            os._exit(0 if c.getresponse().status == 403 else 1)
        except OSError:
            os._exit(2)
    check("another user is refused", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0)
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([54321])
            os.setgid(65534)
            os.setuid(65534)
            c = UnixConnection(g.path)
            c.request("GET", "/v1/models")
            os._exit(0 if c.getresponse().status == 403 else 1)
        except OSError:
            os._exit(2)
    check("another group is refused", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0)


def timed(f, *args):
    start = time.time()
    result = f(*args)
    print("%s: %.1f s" % (f.__name__, time.time() - start), flush=True)
    return result


def main():
    need()
    g = Gateway("--ctx", "300000")
    try:
        timed(test_models, g)
        text = timed(test_chat, g)
        timed(test_seed, g)
        timed(test_completions, g)
        timed(test_logprobs, g, text)
        timed(test_ollama, g, text)
        timed(test_shapes, g)
        timed(test_tools, g)
        timed(test_tool_errors, g)
        timed(test_embeddings, g)
        timed(test_parallel, g)
        timed(test_connections, g)
        timed(test_vanishing, g)
        timed(test_uid, g)
        timed(test_token_file, g)
        check("no turn is left", g.wait_for("serve_turns_running", 0))
        check("SIGTERM", g.stop() == 0)
    finally:
        g.clean()
    g = Gateway()
    try:
        timed(test_errors, g)
        check("well after all errors", g.ask("/health").status == 200)
        check("SIGTERM", g.stop() == 0)
    finally:
        g.clean()
    timed(test_queue)
    timed(test_slow)
    timed(test_tcp)
    timed(test_clients)
    finish()


main()
