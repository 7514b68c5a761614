#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Make the fuzzers' seeds: make-seeds.py DIR writes DIR/gguf, DIR/tokenizer
and DIR/chat."""
import os
import struct
import sys


def text(s):
    data = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(data)) + data


def key(name, kind, value):
    return text(name) + struct.pack("<I", kind) + value


def strings(name, values):
    return key(name, 9, struct.pack("<IQ", 8, len(values)) +
               b"".join(map(text, values)))


def numbers(name, kind, form, values):
    return key(name, 9, struct.pack("<IQ", kind, len(values)) +
               struct.pack("<%d%s" % (len(values), form), *values))


def gguf(kvs, tensors=(), version=3):
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(kvs))
    head += b"".join(kvs)
    offset, data = 0, b""
    for name, ne, kind, size in tensors:
        head += text(name) + struct.pack("<I", len(ne))
        head += struct.pack("<%dQ" % len(ne), *ne)
        head += struct.pack("<IQ", kind, offset)
        data += bytes(range(size % 251)).ljust(size, b"\1")
        data += bytes(-len(data) % 32)
        offset = len(data)
    return head + bytes(-len(head) % 32) + data


def vocabulary(model, pre=None):
    tokens = ["<unk>", "<s>", "</s>", "<0x0A>", "a", "b", "ab", "abb", "▁",
              "Ġ", "<|end|>", "<<"]
    types = [2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 3, 4]
    kvs = [key("general.architecture", 8, text("llama")),
           key("general.name", 8, text("phi-3")),
           key("tokenizer.ggml.model", 8, text(model)),
           strings("tokenizer.ggml.tokens", tokens),
           numbers("tokenizer.ggml.scores", 6, "f",
                   [-float(i) for i in range(len(tokens))]),
           numbers("tokenizer.ggml.token_type", 5, "i", types),
           strings("tokenizer.ggml.merges", ["a b", "ab b"]),
           key("tokenizer.ggml.bos_token_id", 4, struct.pack("<I", 1)),
           key("tokenizer.ggml.add_bos_token", 7, b"\1")]
    if pre:
        kvs.append(key("tokenizer.ggml.pre", 8, text(pre)))
    return kvs


GGUF = [
    gguf([key("general.alignment", 4, struct.pack("<I", 32)),
          key("d", 12, struct.pack("<d", 1e-5)),
          numbers("n", 4, "I", [1, 2, 3]), strings("s", ["x", ""])],
         [("blk.0.a", [8, 4], 0, 128), ("blk.0.b", [64, 2], 2, 72),
          ("c", [256], 12, 144)]),
    gguf(vocabulary("llama")), gguf(vocabulary("gpt2", "llama-bpe")),
    gguf(vocabulary("gpt2", "deepseek-llm"), version=2),
]
TEXTS = ["The quick brown fox.\n\n  if (x == 1234567) { don't(); }",
         "<s>a<|end|> b</s><<|end|>", "中文 ひらがな\u3000한국어 e\u0301 🦙",
         "\t \r\n'S 'll'LL", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]
CHATS = ["{{'<|im_start|>' + message['role'] + '\n'}}<|im_sep|>",
         "[INST] <<SYS>> [/INST] bos_token + '[INST]",
         "[SYSTEM_PROMPT] [AVAILABLE_TOOLS] \"[INST]\"",
         "{{ '<|user|>\n' + message['content'] + eos_token }}<|assistant|>",
         "<|start_header_id|><|end_header_id|>", "USER: ASSISTANT: SYSTEM: ",
         "### Instruction: ### Response: <|EOT|>", "<｜User｜><｜Assistant｜>",
         "<start_of_turn>", "<|start|><|channel|>enable_thinking<think>"]
GBNF = ["root ::= \"a\" [b-d\u00e9]+ (\"x\" | y){2,3} # end\ny ::= [^\\n] .\n",
        "root ::= (\"(\" root \")\")* | \"\\x41\\u00e9\"\n  | \"b\"?"]
SCHEMAS = ['{"type": "object", "properties": {"a\\"b": {"type": "string", '
           '"pattern": "^[a-f]{2}(x|\\\\d)*$"}, "ab": {"$ref": "#/$defs/t"}}, '
           '"required": ["ab"], "additionalProperties": {"type": ["null", '
           '"number"]}, "$defs": {"t": {"type": "array", "items": {"$ref": "#"}, '
           '"minItems": 1, "maxItems": 3}}}',
           '{"anyOf": [{"const": {"a": [1, "x"]}}, {"enum": [true, null]}, '
           '{"type": "string", "minLength": 2, "maxLength": 9}]}']


def times(log2, piece):
    return b"\1" + bytes([log2, len(piece)]) + piece


# Of fuzz_grammar.c's repeated pieces: long keys, many keys, what is deep.
EXPANDED = [
    b'{"type": "object", "properties": {"' + times(9, b"a") + b'": true, "' +
    times(8, b"\xc3\xa9") + b'": true}, "additionalProperties": true}',
    b'{"type": "object", "properties": {"' + times(15, b"key") +
    b'": true}, "additionalProperties": true}',
    b'{"type": "object", "properties": {' + times(15, b'"k#": true, ') +
    b'"": true}, "required": [' + times(15, b'"k#", ') +
    b'""], "additionalProperties": {"type": "null"}}',
    b'{"type": "object", "properties": {' + times(5, b'"k#": {"const": "#"}, ') +
    b'"k": {"enum": [' + times(6, b'"v#", ') + b'0]}}, "additionalProperties": true}',
    b'{"const": "' + times(13, b"a") + b'"}',
    times(6, b'{"type": "array", "items": ') + b"true" + times(6, b"}"),
    b'{"allOf": [' + times(4, b'{"anyOf": [{"minimum": #}, {"type": "null"}]}, ') + b"true]}",
    b'{"type": "string", "pattern": "^' + times(12, b"[a-c]*") + b'$"}',
    b'{"anyOf": [' + times(13, b'{"$ref": "#/anyOf/0"}, ') + b'{"type": "null"}]}',
]
# root ::= [a-c] root | "x"; a set, a range, a choice, a call
AUTOMATON = struct.pack("<IIII", 0x3147584c, 5, 1, 1) + b"".join(
    struct.pack("<BBBBHH", *n) for n in [
        (0, 0, 0, 0, 0, 0), (3, 0, 0, 0, 2, 3), (2, 0, 0, 0, 0, 4),
        (1, 120, 120, 0, 0, 0), (4, 0, 0, 0, 1, 0)]) + \
    bytes(12) + b"\x0e" + bytes(19)


def write(directory, items):
    os.makedirs(directory, exist_ok=True)
    for i, data in enumerate(items):
        with open(os.path.join(directory, "seed-%02d" % i), "wb") as f:
            f.write(data)


# What the recogniser and the parser look for.
WORDS = ["<|im_start|>", "<|im_sep|>", "<|im_end|>", "[INST]", "<<SYS>>",
         "[SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]", "<|assistant|>", "<|end|>",
         "<|user|>", "eos_token", "<start_of_turn>", "content.strip()",
         "<|im_start|>system\\n", "<|im_start|>assistant\\n<think>",
         "enable_thinking", "<think>", "GPT4 Correct ", "<|channel|>"]
KEYS = ["general.alignment", "split.count", "split.no", "gpt2", "llama",
        "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens",
        "tokenizer.ggml.merges", "tokenizer.ggml.scores", "<0x0A>", "qwen2",
        "tokenizer.ggml.eos_token_id", "tokenizer.ggml.add_eos_token",
        "\x08\x00\x00\x00", "\x09\x00\x00\x00", "\xff\xff\xff\xff"]


def dictionary(path, words):
    with open(path, "w", encoding="ascii") as f:
        for word in words:
            f.write('"%s"\n' % "".join("\\x%02x" % ord(c) for c in word))


def main():
    out = sys.argv[1]
    write(os.path.join(out, "gguf"), GGUF)
    write(os.path.join(out, "tokenizer"),
          [bytes([v, 3, 9]) + t.encode() for v in range(17) for t in TEXTS])
    write(os.path.join(out, "grammar"),
          [b"\0" + AUTOMATON] + [b"\1" + t.encode() for t in GBNF] +
          [b"\2" + t.encode() for t in SCHEMAS] + [b"\3" + t for t in EXPANDED])
    write(os.path.join(out, "chat"), [c.encode() for c in CHATS])
    write(os.path.join(out, "quantize"),
          [bytes([i, (7 * i) & 15]) + bytes((i * k + k // 7) & 255 for k in range(1200))
           for i in range(28)])
    dictionary(os.path.join(out, "chat.dict"), WORDS)
    dictionary(os.path.join(out, "gguf.dict"), KEYS)


if __name__ == "__main__":
    main()
