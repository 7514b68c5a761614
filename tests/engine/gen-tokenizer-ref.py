#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Write test vectors of the reference, llama-tokenize of llama.cpp.

usage: gen-tokenizer-ref.py words COMMAND... > pretokenizer_ref.tsv
       gen-tokenizer-ref.py spm COMMAND... > spm_ref.tsv
       gen-tokenizer-ref.py compare COMMAND...

COMMAND runs llama-tokenize; should it see another root directory, REF_TMP is
where to put files and REF_SEES what that directory is called there. Texts are
separated by a token of their own.

words: the vocabulary has every byte and every pair of bytes, the merges join
any two, so tokens show where words end. A line: text (JSON), the length in
bytes of each token, names of pre-tokenizers that agree.

compare: 10,000 texts for each name, tokenized by build/llamux and by COMMAND
(see words). A line: name, texts, how many differ, the first that does.

spm: the vocabulary is made by the rule below (and in test_spm.c) from a few
characters. A line: variant, flags, text (JSON), ids.
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


def texts(count=60):
    rng = random.Random(7)
    by = {}
    for c in range(0x80, 0x20000):
        by.setdefault(unicodedata.category(chr(c)), []).append(chr(c))
    rest = [by[k] for k in sorted(by) if k not in ("Cs", "Co", "Cn")]
    out = list(TEXTS)
    for _ in range(count):
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


def string(s):
    data = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(data)) + data


def text(s):
    return struct.pack("<I", 8) + string(s)


def array(kind, values, form):
    return (struct.pack("<IIQ", 9, kind, len(values)) +
            b"".join(form(v) for v in values))


def number(form):
    return lambda v: struct.pack("<" + form, v)


def gguf(kv):
    kv = {"general.architecture": text("llama"), **kv}
    return (b"GGUF" + struct.pack("<IQQ", 3, 0, len(kv)) +
            b"".join(string(k) + v for k, v in kv.items()))


def pairs_vocabulary(pre):
    chars = byte_map()
    pairs = [(a, b) for a in chars for b in chars]
    tokens = chars + [a + b for a, b in pairs] + [SEP]
    return gguf({
        "tokenizer.ggml.model": text("gpt2"),
        "tokenizer.ggml.pre": text(pre),
        "tokenizer.ggml.tokens": array(8, tokens, string),
        "tokenizer.ggml.token_type": array(
            5, [1] * (len(tokens) - 1) + [4], number("i")),
        "tokenizer.ggml.merges": array(
            8, [a + " " + b for a, b in pairs], string),
    })


CHARS = ["\u2581", "a", "b", "c", "e", "h", "l", "o", ".", "<", "\u00e9",
         "\u4e2d", "\U0001f642", "|"]
ADDED = [("<|user|>", 4), ("  ", 4), ("\n\n", 4), ("<|us", 4), ("b a", 4),
         ("<|end|>", 3), ("<|endoftext|>", 3), ("<|end|><|user|>", 3), (SEP, 4)]


def spm_vocabulary(variant):
    pairs = [a + b for a in CHARS for b in CHARS]
    words = (CHARS + pairs +
             [pairs[i * 37 % 196] + pairs[(i * 53 + 7) % 196]
              for i in range(60)])
    tokens = (["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)] +
              words + [t for t, _ in ADDED])
    types = [2, 3, 3] + [6] * 256 + [1] * len(words) + [t for _, t in ADDED]
    scores = ([0.] * 259 + [-float(i * 7919 % 1009) for i in range(len(words))]
              + [0.] * len(ADDED))
    if variant == "equal":
        scores = [0.] * len(tokens)
    kv = {
        "general.name": text("Phi-3 x" if variant == "phi3" else "spm"),
        "tokenizer.ggml.model": text("llama"),
        "tokenizer.ggml.tokens": array(8, tokens, string),
        "tokenizer.ggml.token_type": array(5, types, number("i")),
        "tokenizer.ggml.scores": array(6, scores, number("f")),
    }
    if variant == "nospace":
        kv["tokenizer.ggml.add_space_prefix"] = struct.pack("<IB", 7, 0)
    if variant == "eos":
        kv["tokenizer.ggml.add_eos_token"] = struct.pack("<IB", 7, 1)
    if variant == "nobos":
        kv["tokenizer.ggml.add_bos_token"] = struct.pack("<IB", 7, 0)
    return gguf(kv), len(tokens) - 1


class Reference:
    """Runs COMMAND on a vocabulary and texts."""

    def __init__(self, tmp):
        self.tmp = tmp
        where = os.environ.get("REF_SEES", os.path.dirname(tmp))
        self.seen = where + "/" + os.path.basename(tmp)

    def put(self, name, data):
        with open(self.tmp + "/" + name, "wb") as f:
            f.write(data)

    def ids(self, vocabulary, content, *options):
        self.put("v.gguf", vocabulary)
        self.put("text", content.encode())
        out = subprocess.run(
            sys.argv[2:] + ["-m", self.seen + "/v.gguf", "-f",
                            self.seen + "/text", "--ids", "--no-escape",
                            "--log-disable", *options],
            check=True, capture_output=True).stdout
        return json.loads(out)


def split(ids, sep, count):
    out = [[]]
    for i in ids:
        if i == sep:
            out.append([])
        else:
            out[-1].append(i)
    assert len(out) == count
    return out


def words(ref):
    all_texts = texts()
    found = [{} for _ in all_texts]
    for name in NAMES:
        ids = ref.ids(pairs_vocabulary(name), SEP.join(all_texts), "--no-bos")
        for at, part in zip(found, split(ids, 256 + 65536, len(found))):
            n = "".join("1" if i < 256 else "2" for i in part)
            at.setdefault(n, []).append(name)
    for one, at in zip(all_texts, found):
        for n, names in at.items():
            print(json.dumps(one), n, ",".join(names), sep="\t")


def compare(ref):
    all_texts = texts(10000)
    for name in NAMES:
        vocabulary = pairs_vocabulary(name)
        want = split(ref.ids(vocabulary, SEP.join(all_texts), "--no-bos"), 256 + 65536,
                     len(all_texts))
        out = subprocess.run(
            ["build/llamux", "--user", "-m", ref.tmp + "/v.gguf", "tokenize", "--no-bos",
             "--ids", "-"], input=SEP.join(all_texts).encode(), check=True,
            capture_output=True).stdout
        got = split([int(i) for i in out.split()], 256 + 65536, len(all_texts))
        differ = [t for t, a, b in zip(all_texts, want, got) if a != b]
        print(name, len(all_texts), len(differ), json.dumps(differ[0]) if differ else "",
              sep="\t", flush=True)


def spm_texts():
    rng = random.Random(11)
    parts = CHARS + [t for t, _ in ADDED[:-1]] * 2 + [
        " ", " ", "  ", "   ", "\n", "\t", "<s>", "</s>", "<unk>", "<0x0A>",
        "\x00", "\u2581\u2581", " a", "hello", " b", "\u0416", "\U0001f680"]
    return ["".join(rng.choice(parts) for _ in range(rng.randint(1, 12)))
            for _ in range(70)]


def spm(ref):
    for variant in ("plain", "nospace", "equal", "phi3"):
        all_texts = spm_texts()
        if variant == "phi3":  # white space would go with the separator
            all_texts = [t.lstrip(" \n\t") or "a" for t in all_texts]
        vocabulary, sep = spm_vocabulary(variant)
        for flags in ("special", "-"):
            options = [] if flags == "special" else ["--no-parse-special"]
            ids = ref.ids(vocabulary, SEP.join(all_texts), "--no-bos", *options)
            for one, part in zip(all_texts, split(ids, sep, len(all_texts))):
                print(variant, flags, json.dumps(one),
                      ",".join(map(str, part)), sep="\t")
    for variant in ("plain", "nospace", "eos", "nobos"):
        for one in ("a", "<s>a", "</s>", " ", "<|end|> b"):
            ids = ref.ids(spm_vocabulary(variant)[0], one)
            print(variant, "bos,special,eos", json.dumps(one),
                  ",".join(map(str, ids)), sep="\t")


def main():
    with tempfile.TemporaryDirectory(dir=os.environ.get("REF_TMP")) as tmp:
        {"words": words, "spm": spm, "compare": compare}[sys.argv[1]](Reference(tmp))


if __name__ == "__main__":
    main()
