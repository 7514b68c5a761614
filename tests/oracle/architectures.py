#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every architecture against float64 arithmetic, on tiny random models.

archs.py writes the models, archs.tsv has some of their logits (truth.py made
it). For each SIMD implementation of this CPU: logits within a bound, the same
bytes prefilled at once, in pieces and token by token, greedy continuations,
and for the mistakes that are easily made the distance they would have shown.
"""
# TIMEOUT: 300
import array
import json
import math
import os
import subprocess
import sys
import tempfile

import archs

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LLAMUX = os.environ.get("LLAMUX", os.path.join(TOP, "build", "llamux"))
SIMD = os.environ.get("LLAMUX_SIMD", "generic avx2 avxvnni avx512 avx512-256").split()
BOUND = 3e-9            # NMSE of float weights, KV in F32
MARGIN = 0.01           # between first and second, to ask for the same token
MISTAKE = 50            # times the bound that a mistake must show

passed = failed = skipped = 0


def check(ok, text):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
    print(("ok   " if ok else "FAIL ") + text)


def skip(text):
    global skipped
    skipped += 1
    print("skip " + text)


def read_truth():
    out, c = {}, None
    with open(os.path.join(TOP, "tests", "oracle", "archs.tsv"), encoding="ascii") as f:
        for line in f:
            part = line.rstrip("\n").split("\t")
            nums = part[-1].split()
            if part[0] == "case":
                c = out[part[1]] = {"row": {}, "wrong": {}, "reference": None}
            elif part[0] == "reference":
                c["reference"] = float(part[1])
            elif part[0] == "row":
                c["row"][int(part[1])] = [float(v) for v in nums]
            elif part[0] == "wrong":
                c["wrong"][part[1]] = [float(v) for v in nums]
            elif part[0] in ("greedy", "margins"):
                c[part[0]] = [float(v) for v in nums]
    return out


def logits(model, simd, tokens, *more, kv="f32"):
    """All rows, or what the command said."""
    with tempfile.NamedTemporaryFile() as out:
        r = subprocess.run([LLAMUX, "--user", "-m", model, "--simd", simd, "logits", "--tokens",
                            "-", "--all", "--kv", kv, "-o", out.name, *more],
                           input=" ".join(map(str, tokens)).encode(), check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if r.returncode:
            return None, r.stderr.decode(errors="replace").strip()
        a = array.array("f")
        a.frombytes(out.read())
        return a, ""


def nmse(x, t):
    return math.fsum((a - b) ** 2 for a, b in zip(x, t)) / math.fsum(b * b for b in t)


def kept(x, row, n):
    return x[row * archs.VOCAB:(row + 1) * archs.VOCAB:archs.VOCAB // n]


def compare(x, t):
    """NMSE over the values that are kept."""
    ours, truth = [], []
    for row, v in t["row"].items():
        ours += kept(x, row, len(v))
        truth += v
    return nmse(ours, truth)


def same(what, x):
    """From every implementation."""
    if what in first:
        check(x == first[what], what + ": the same bytes as " + SIMD[0])
    first.setdefault(what, x)


first = {}


def case(name, model, simd, t):
    c = archs.CASES[name]
    prompt, what = archs.prompt(c), name + " " + simd
    x, err = logits(model, simd, prompt)
    if x is None:
        check(False, what + ": " + err)
        return
    same(name, x)
    # Quantized activations: as far as the reference is, which has them, too.
    bound = 2 * t["reference"] if c.get("mxfp4") else BOUND
    e = compare(x, t)
    check(e <= bound, "%s: nmse %.2e (bound %.2e, reference %s)"
          % (what, e, bound, t["reference"] or "none"))
    for more in (("--batch", "1"), ("--batch", "13", "-t", "2")):
        y, err = logits(model, simd, prompt, *more)
        check(y == x, "%s %s: same bytes %s" % (what, " ".join(more), err))
    last = max(t["row"])
    for wrong, v in t["wrong"].items():
        e = nmse(kept(x, last, len(v)), v)
        check(e > MISTAKE * bound, "%s: the mistake '%s' would show %.2e" % (what, wrong, e))
    if not c.get("mxfp4"):
        greedy(what, model, simd, prompt, t)


def greedy(what, model, simd, prompt, t):
    """Under teacher forcing, token by token after the prompt."""
    want = [int(v) for v in t["greedy"]]
    x, err = logits(model, simd, prompt + want[:-1], "--ctx", str(len(prompt) + len(want)),
                    "--batch", "1")
    if x is None:
        check(False, what + " greedy: " + err)
        return
    bad = []
    for i, (w, margin) in enumerate(zip(want, t["margins"])):
        row = (len(prompt) - 1 + i) * archs.VOCAB
        got = max(range(archs.VOCAB), key=lambda j, row=row: x[row + j])
        if got != w and margin > MARGIN:
            bad.append(i)
    check(not bad, "%s: greedy continuation%s" % (what, " wrong at %s" % bad if bad else ""))


# KV cache types: model, type, NMSE of llama.cpp with it over all positions.
KV = (("qwen3", "f16", 1.79e-7), ("qwen3", "q8_0", 9.75e-5), ("qwen3", "q4_0", 1.64e-2),
      ("gemma2", "f16", 6.18e-8), ("gemma2", "q8_0", 2.30e-5), ("gemma2", "q4_0", 3.34e-3),
      ("gpt-oss", "q8_0", None), ("llama-values", "q4_0", None), ("llama-heads", "q8_0", None),
      ("llama-layers-long", "q8_0", None), ("llama-layers", "f16", None))


def kv_types(work, simd, truth):
    for name, kv, ref in KV:
        model, prompt = os.path.join(work, name + ".gguf"), archs.prompt(archs.CASES[name])
        what = "%s %s KV %s" % (name, simd, kv)
        x, err = logits(model, simd, prompt, kv=kv)
        if x is None:
            check(False, what + ": " + err)
            continue
        same(name + " KV " + kv, x)
        e = compare(x, truth[name])
        if ref:     # over few positions: some slack
            check(ref / 20 < e < 1.5 * ref, "%s: nmse %.2e (reference %.2e)" % (what, e, ref))
        y, err = logits(model, simd, prompt, "--batch", "7", "-t", "2", kv=kv)
        check(x == y, "%s in pieces: same bytes %s" % (what, err))


def plans(work):
    """Bytes of a position: halves of two, and blocks of 34 and 18 bytes."""
    def per_token(kv, name="qwen3"):
        r = subprocess.run([LLAMUX, "plan", "--json", "--kv", kv,
                            os.path.join(work, name + ".gguf")], stdout=subprocess.PIPE, check=True)
        return json.loads(r.stdout)["kv_per_token"]
    f16 = per_token("f16")
    heads = sum(archs.LAYERS["kv_heads"])
    more = per_token("f16", "llama-layers") - heads * 2 * 16 * 2
    check(0 <= more < 64, "plan: KV is the sum over layers, %d heads, and %d bytes" % (heads, more))
    for kv, of64 in (("f32", 128), ("q8_0", 34), ("q4_0", 18)):
        more = per_token(kv) - f16 * of64 // 64     # pages are whole: up to 64 a position
        check(0 <= more < 64, "plan: KV %s takes %d of 64, and %d bytes" % (kv, of64, more))


# Pairs of models that are the same, written in two ways.
TWINS = (("mixtral", "mixtral-old", {}), ("llama", "llama-arrays", {}),
         ("phi3", "phi3", {"fused": False}), ("llama", "llama", {"fused": True}),
         ("phi3-layers", "phi3-layers", {"fused": False}),
         ("mixtral-layers", "mixtral-layers", {"per_expert": True}))


def twins(work, simd):
    for a, b, change in TWINS:
        spec = {**archs.CASES[b], **change}
        path = os.path.join(work, "twin.gguf")
        archs.write(path, spec)
        x, err = logits(os.path.join(work, a + ".gguf"), simd, archs.prompt(spec))
        y, err2 = logits(path, simd, archs.prompt(spec))
        check(x is not None and x == y, "%s, %s %s %s: same bytes %s%s"
              % (a, b, change or "", simd, err, err2))


def splits(work):
    spec = archs.CASES["mixtral-old"]
    parts = archs.write_split(os.path.join(work, "split"), spec, 20)
    x, err = logits(os.path.join(work, "mixtral.gguf"), SIMD[0], archs.prompt(spec))
    y, err2 = logits(parts[0], SIMD[0], archs.prompt(spec))
    check(x is not None and x == y, "in %d files: same bytes %s%s" % (len(parts), err, err2))
    _, err = logits(parts[1], SIMD[0], [1])
    check("name the first part" in err, "the second part is refused: " + err)
    os.rename(parts[2], parts[3])
    _, err = logits(parts[0], SIMD[0], [1])
    check(os.path.basename(parts[2]) in err, "a missing part is named: " + err)
    os.rename(parts[3], parts[2])
    _, err = logits(parts[0], SIMD[0], [1])
    check(os.path.basename(parts[3]) in err, "another one, too: " + err)


def damaged(work, name):
    """A tensor missing, of another shape or type, or too many: it is named."""
    c, path = archs.CASES[name], os.path.join(work, "damaged.gguf")
    kv, todo = archs.keys(c), archs.written(c, archs.tensors(c))

    def complaint(i, tensor):
        with open(path, "wb") as f:
            f.write(archs.gguf(kv, todo[:i] + tensor + todo[i + 1:]))
        r = subprocess.run([LLAMUX, "plan", path], check=False, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
        return r.returncode == 1 and r.stderr.decode()

    bad = []
    for i, (t, shape, kind, raw) in enumerate(todo):
        if t.startswith("blk.") and not t.startswith("blk.1."):
            continue
        cases = {"shape": [(t, shape[:-1] + (shape[-1] - 1,), kind, raw)],
                 "twice": [(t, shape, kind, raw), (t + "x", shape, kind, raw)]}
        if t not in ("output.weight", "rope_factors_short.weight") and "attn_qkv" not in t:
            cases["missing"] = []
        if len(shape) == 1:
            cases["type"] = [(t, shape, archs.F16, raw)]
        bad += [t + ": " + what for what, tensor in cases.items()
                if t not in (complaint(i, tensor) or "")]
    check(not bad, "%s: what is wrong is named%s" % (name, " but not: %s" % bad if bad else ""))


# A key that cannot be followed is named: model, key, value (None: no such key); and the layer.
KEYS = (("llama", "attention.head_count_kv", 3), ("llama", "rope.scaling.type", "su"),
        ("llama", "attention.head_count", [4, 4]), ("llama", "attention.head_count_kv", [2] * 4),
        ("llama", "attention.head_count", [4, 0, 4], "layer 1"),
        ("llama", "attention.head_count", [0, 4, 4], "layer 0"),
        ("llama", "attention.head_count_kv", [2, 2, 0], "layer 2"),
        ("llama", "attention.head_count_kv", [2, -1, 2], "-1 of layer 1"),
        ("llama", "attention.head_count_kv", [2, 3, 2], "layer 1"),
        ("llama", "attention.head_count_kv", [2.0] * 3), ("llama", "attention.head_count", ["4"] * 3),
        ("llama", "feed_forward_length", [96, 96, 0], "layer 2"),
        ("llama", "feed_forward_length", [96]), ("llama", "embedding_length", [64] * 3),
        ("qwen3moe", "expert_feed_forward_length", [48, 0, 48], "layer 1"),
        ("llama", "rope.dimension_count", 15), ("llama", "rope.dimension_count", 64),
        ("llama", "rope.freq_base", -1.0), ("llama", "attention.key_length", 15),
        ("llama", "attention.layer_norm_rms_epsilon", None), ("mixtral", "expert_used_count", 9),
        ("mixtral", "expert_used_count", None), ("gpt-oss", "expert_count", None),
        ("qwen2", "expert_count", 8), ("gemma3", "attention.sliding_window_pattern", [True]),
        ("gemma3", "attention.sliding_window_pattern", [1.0] * 7),
        ("gemma3", "attention.sliding_window_pattern", [True] * 8),
        ("gemma2", "attn_logit_softcapping", float("inf")),
        ("gemma2", "final_logit_softcapping", "x"))


def bad_keys(work):
    path = os.path.join(work, "damaged.gguf")
    for name, key, v, *layer in KEYS:
        c = archs.CASES[name]
        kv = archs.keys(c)
        kv[c["arch"] + "." + key] = v
        if v is None:
            del kv[c["arch"] + "." + key]
        with open(path, "wb") as f:
            f.write(archs.gguf(kv, archs.written(c, archs.tensors(c))))
        r = subprocess.run([LLAMUX, "plan", path], check=False, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
        text = r.stderr.decode().strip().replace(path, "")
        check(r.returncode == 1 and all(s in text for s in (key, *layer)),
              "%s %s %s: %s" % (name, key, v, text))
    # Sizes that are not those of the tensors: the first that differs is named.
    for key, v, tensor in (("attention.head_count", [4, 4, 2], "blk.2.attn_q.weight"),
                           ("attention.head_count_kv", [2, 1, 2], "blk.1.attn_k.weight"),
                           ("feed_forward_length", [96, 64, 96], "blk.1.ffn_up.weight")):
        archs.write(path, archs.CASES["llama"], lambda kv, _, k=key, v=v: kv.update({"llama." + k: v}))
        r = subprocess.run([LLAMUX, "plan", path], check=False, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
        text = r.stderr.decode().strip().replace(path, "")
        check(r.returncode == 1 and tensor in text, "llama %s %s: %s" % (key, v, text))


def main():
    truth = read_truth()
    check(sorted(truth) == sorted(archs.CASES), "archs.tsv has every case")
    with tempfile.TemporaryDirectory() as work:
        for name, c in archs.CASES.items():
            archs.write(os.path.join(work, name + ".gguf"), c)
        splits(work)
        plans(work)
        for name in ("mixtral-old", "qwen2", "phi3", "gemma3", "gpt-oss", "llama-layers"):
            damaged(work, name)
        bad_keys(work)
        for simd in SIMD:
            _, err = logits(os.path.join(work, "llama.gguf"), simd, [1])
            if "lacks it" in err:
                skip(simd + ": not on this CPU")
                continue
            for name in archs.CASES:
                if name in truth and (not sys.argv[1:] or any(a in name for a in sys.argv[1:])):
                    case(name, os.path.join(work, name + ".gguf"), simd, truth[name])
            twins(work, simd)
            kv_types(work, simd, truth)


main()
print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
sys.exit(1 if failed else 77 if not passed else 0)
