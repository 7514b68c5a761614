#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Write pretokenizer_ref.tsv: how the reference cuts texts into words.

usage: gen-pretokenizer-ref.py COMMAND... > pretokenizer_ref.tsv

COMMAND is llama-tokenize of llama.cpp with what it takes to run it. The
vocabulary has every byte and every pair of bytes, the merges join any two, so
tokens show where words end. Texts are separated by a token of their own.
A line: text (JSON), the length in bytes of each token, names that agree.
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import unicodedata

NAMES = """default llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral lfm2
midm-2.0 gpt-2 mpt olmo jais trillion granite-docling phi-2 gigachat mellum
exaone4 a.x-4.0 qwen2 deepseek-r1-qwen megrez stablelm2 hunyuan grok-2 kormo
solar-open bailingmoe bailingmoe2 llada-moe qwen35 smollm starcoder refact
command-r codeshell exaone minerva-7b mellum2 deepseek-llm deepseek-coder
deepseek-v3 hunyuan-dense joyai-llm falcon tekken gpt-4o llama4 kanana2
minimax-m2 dbrx smaug-bpe chatglm-bpe glm4 glm5 seed-coder minicpm5 bloom
poro-chat gpt3-finnish viking""".split()
SEP = "<|sep|>"

TEXTS = [
    "I'm HE'LL don't we've 'tis 'S 'Re'VE''s x'd",
    "1 12 123 1234 12345 1234567 3.14 1,000,000 1e9 \u0663\u0664\u0665\u0666 "
    "\u2167\u00b2\u00bd\u2460",
    "a  b   c\n\n\nd \n e\t\tf\r\n\r\ng \t ", "   x", " \n", "\n \n ", "\t\t\n",
    "x=1+2; foo_bar(a[i], *p) -> {}\n\t#include <x.h>\n\n//--++//\r\n\r\n",
    "https://a.b/c?d=e&f=%20#g $99.50 50% ~~`q` \"r\" <|s|>",
    "helloWorld HTTPServer iPhone XML2 \u00c9COLE \u00e9cole \u00c0B \u01c5x "
    "\u0416\u042b\u0416\u044b \u041f\u0440\u0418\u0432\u0435\u0442",
    "cafe\u0301 \u0301E\u0301a \u0928\u092e\u0938\u094d\u0924\u0947 "
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u1793\u17c1\u17c7 a\u20dd'b",
    "\u4e2d\u6587,\u5b57\u3002\u3042\u30ab\u30ca\u3000\u3000\ud55c\uad6d "
    "\u3000x\u3000\n\u3000",
    "\u0645\u0631\u062d\u0628\u0627\u060c \u05e9\u05dc\u05d5\u05dd!",
    "\U0001f680\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2705\ufe0f "
    "\U0001f44b\U0001f3fd x\U0001f600y",
    "a\u00a0b\u2003\u1680c\u0085d\u200be\ufefff\u2028g\x0b\x0c\x1c\x00\x07",
    "\u2018q\u2019s \u2014 \u2026 \u00abr\u00bb \uff01\uff21\uff41\uff11 "
    "\u0378\ue000\U000f0000",
    "'\u017f '\u212a \u0130 \u00df \u02b0\u00aa ", "(a|b).c,d!e?f\u3002g\u060ch",
    " " * 40 + "x" + " " * 17, "\n" * 20, "a" * 40 + "1" * 40 + "!" * 40,
]
PARTS = (list("aAbBsStTdDmMrReEvVlL 0123456789\n\r\t'\"/\\.,!?-_+*=<>()[]{}|~^`"
              "@#$%&:;") +
         ["'s", "'LL", "don't", "  ", "\n\n", " \n", "\r\n", "   ", "Hello",
          "HTTPServer", "\u00e9", "\u00c9", "\u0436", "\u0416", "\u05d0",
          "\u0301", "\u094d", "\u20dd", "\u4e2d", "\u3042", "\u30ab", "\ud55c",
          "\u3000", "\u00a0", "\u2003", "\u0085", "\u200d", "\ufe0f",
          "\U0001f680", "\u2019", "\u2026", "\u00b2", "\u2167", "\u0663",
          "\u01c5", "\u02b0", "\u00aa", "\u0130", "\u017f", "\ufffd", "\u0378"])


def texts():
    rng = random.Random(7)
    by = {}
    for c in range(0x80, 0x20000):
        by.setdefault(unicodedata.category(chr(c)), []).append(chr(c))
    rest = [by[k] for k in sorted(by) if k not in ("Cs", "Co", "Cn")]
    out = list(TEXTS)
    for _ in range(60):
        parts = [rng.choice(PARTS) if rng.random() < .8 else
                 rng.choice(rng.choice(rest)) for _ in range(rng.randint(4, 16))]
        out.append("".join(parts))
    return out


def byte_map():
    """GPT-2's: a printable character for each byte."""
    plain = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    return [chr(b) if b in plain else
            chr(0x100 + sum(x not in plain for x in range(b)))
            for b in range(256)]


def vocabulary(pre):
    chars = byte_map()
    pairs = [(a, b) for a in chars for b in chars]
    tokens = chars + [a + b for a, b in pairs] + [SEP]
    merges = [a + " " + b for a, b in pairs]

    def string(s):
        data = s.encode()
        return struct.pack("<Q", len(data)) + data

    def array(kind, values, form):
        return (struct.pack("<IIQ", 9, kind, len(values)) +
                b"".join(form(v) for v in values))

    kv = {
        "general.architecture": struct.pack("<I", 8) + string("llama"),
        "tokenizer.ggml.model": struct.pack("<I", 8) + string("gpt2"),
        "tokenizer.ggml.pre": struct.pack("<I", 8) + string(pre),
        "tokenizer.ggml.tokens": array(8, tokens, string),
        "tokenizer.ggml.token_type": array(
            5, [1] * (len(tokens) - 1) + [4], lambda v: struct.pack("<i", v)),
        "tokenizer.ggml.merges": array(8, merges, string),
    }
    return (b"GGUF" + struct.pack("<IQQ", 3, 0, len(kv)) +
            b"".join(string(k) + v for k, v in kv.items()))


def lengths(ids, count):
    out = [""]
    for i in ids:
        if i == 256 + 65536:
            out.append("")
        else:
            out[-1] += "1" if i < 256 else "2"
    assert len(out) == count
    return out


def main():
    all_texts = texts()
    found = [{} for _ in all_texts]
    with tempfile.TemporaryDirectory(dir=os.environ.get("REF_TMP")) as tmp:
        with open(tmp + "/text", "wb") as f:
            f.write(SEP.join(all_texts).encode())
        where = os.environ.get("REF_SEES", os.path.dirname(tmp))
        seen = where + "/" + os.path.basename(tmp)
        for name in NAMES:
            with open(tmp + "/v.gguf", "wb") as f:
                f.write(vocabulary(name))
            out = subprocess.run(
                sys.argv[1:] + ["-m", seen + "/v.gguf", "-f", seen + "/text",
                                "--ids", "--no-bos", "--no-escape",
                                "--log-disable"],
                check=True, capture_output=True).stdout
            for at, n in zip(found, lengths(json.loads(out), len(found))):
                at.setdefault(n, []).append(name)
    for text, at in zip(all_texts, found):
        for n, names in at.items():
            print(json.dumps(text), n, ",".join(names), sep="\t")


if __name__ == "__main__":
    main()
