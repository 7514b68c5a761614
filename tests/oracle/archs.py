# SPDX-License-Identifier: GPL-2.0-only
"""Tiny models with random weights, one of every architecture and feature.

A case is a dictionary of a GGUF's keys and what to leave out or write another
way. Weights follow from the case's seed and the tensor's name, so that two
ways to write one model (fused, per expert, split) hold the same numbers.
"""
import array
import os
import random
import struct
import sys
import zlib

F32, F16, MXFP4 = 0, 1, 39
U32, I32, FLOAT, BOOL, STRING, ARRAY, U64 = 4, 5, 6, 7, 8, 9, 10
VOCAB = 320

# ---- cases ----

BASE = {"arch": "llama", "layers": 3, "embd": 64, "heads": 4, "kv_heads": 2, "hd": 16, "ff": 96,
        "eps": 1e-5, "ctx": 1024, "tokens": 100, "seed": 1}
MOE = {"experts": 8, "used": 2, "ff": 48}
GEMMA = {"arch": "gemma2", "layers": 4, "kv_heads": 2, "hd": 32}
GEMMA2 = {**GEMMA, "window": 24,
          "keys": {"attn_logit_softcapping": 4.0, "final_logit_softcapping": 6.0}}
GEMMA3 = {**GEMMA, "arch": "gemma3", "window": 24}
OSS = {"arch": "gpt-oss", "layers": 4, "hd": 32, "rot": 32, "window": 24, "experts": 8, "used": 4,
       "ff": 64, "keys": {"rope.freq_base": 150000.0, "rope.scaling.type": "yarn",
                          "rope.scaling.factor": 32.0,
                          "rope.scaling.original_context_length": 64}}
PHI = {"arch": "phi3", "fused": True, "keys": {"rope.scaling.original_context_length": 256,
                                               "rope.scaling.attn_factor": 1.19}, "long": True}
LAYERS = {"heads": [4, 2, 8], "kv_heads": [2, 1, 8], "ff": [96, 40, 160]}
YARN = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0,
        "rope.scaling.original_context_length": 64}


def case(*parts, **more):
    c = {**BASE}
    keys = {}
    for p in parts + (more,):
        c.update(p)
        keys.update(p.get("keys", {}))
    c["keys"] = keys
    return c


CASES = {
    "llama": case(),
    "llama-tied": case(tied=True),
    "llama-heads": case(hd=24, kv_heads=1),
    "llama-theta": case(keys={"rope.freq_base": 1000000.0}),
    "llama-factors": case(factors=True, keys={"rope.freq_base": 500000.0}),
    "llama-linear": case(keys={"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}),
    "llama-linear-old": case(keys={"rope.scale_linear": 2.0}),
    "llama-yarn": case(keys=YARN),
    "llama-yarn-factor": case(keys={**YARN, "rope.scaling.attn_factor": 1.3}),
    "llama-none": case(keys={"rope.scaling.type": "none", "rope.scaling.factor": 4.0}),
    "llama-longrope": case(long=True, keys={**PHI["keys"], "rope.scaling.type": "longrope"}),
    "llama-partial": case(rot=8),
    "llama-values": case(hdv=24),
    "llama-window": case(window=40, tokens=300),
    "llama-bias": case(bias="all"),
    "llama-arrays": case(arrays=True),
    "llama-layers": case(LAYERS),
    "llama-layers-long": case(LAYERS, hdv=24, tokens=500, bias="all"),
    "mixtral": case(MOE),
    "mixtral-old": case(MOE, per_expert=True),
    "mixtral-layers": case(MOE, ff=[48, 80, 32], kv_heads=[1, 4, 2]),
    "qwen2": case(arch="qwen2", bias="qkv", keys={"rope.freq_base": 1000000.0}),
    "qwen2-window-off": case(arch="qwen2", bias="qkv", window=24),
    "qwen3": case(arch="qwen3", hd=32, keys={"rope.freq_base": 1000000.0}),
    "qwen3-layers": case(LAYERS, arch="qwen3", hd=32),
    "qwen3-yarn": case(arch="qwen3", hd=32, keys=YARN),
    "qwen3moe": case(MOE, arch="qwen3moe", hd=32, keys={"rope.freq_base": 1000000.0}),
    "phi3": case(PHI, ctx=256),
    "phi3-long": case(PHI, tokens=300, keys={"rope.dimension_count": 12}, rot=12),
    "phi3-layers": case(PHI, LAYERS),
    "phi3-window": case(PHI, window=30),
    "gemma": case(GEMMA, arch="gemma"),
    "gemma2": case(GEMMA2),
    "gemma2-defaults": case(GEMMA),
    "gemma2-partial": case(GEMMA2, rot=16),
    "gemma2-wide": case(GEMMA2, layers=46, embd=32, hd=16, ff=32, tokens=20),
    "gemma2-long": case(GEMMA2, tokens=300, window=40),
    "gemma3": case(GEMMA3, layers=7,
                   keys={"rope.freq_base": 1000000.0, "rope.scaling.type": "linear",
                         "rope.scaling.factor": 8.0}),
    "gemma3-pattern": case(GEMMA3, pattern=[True, False, False, True]),
    "gemma3-keys": case(GEMMA3, keys={"attention.sliding_window_pattern": 3,
                                      "final_logit_softcapping": 6.0,
                                      "rope.freq_base_swa": 5000.0}),
    "gpt-oss": case(OSS),
    "gpt-oss-period": case(OSS, keys={"attention.sliding_window_pattern": 3}),
    "gpt-oss-layers": case(OSS, heads=[4, 2, 6, 1], kv_heads=[1, 2, 3, 1],
                           pattern=[True, False, False, True], seed=2),
    "gpt-oss-mxfp4": case(OSS, mxfp4=True),
}


def prompt(c):
    rnd = random.Random(c["seed"] + 77)
    return [1] + [rnd.randrange(3, VOCAB) for _ in range(c["tokens"] - 1)]


# ---- tensors: name -> (shape with the row length first, floats) ----

def numbers(c, name, n, scale, centre=0.0):
    """n f32 evenly spread over centre +- scale"""
    rnd = random.Random(zlib.crc32(name.encode()) * 1000 + c["seed"])
    raw = array.array("h", rnd.randbytes(2 * n))
    if sys.byteorder != "little":
        raw.byteswap()
    step = scale / 32768
    return array.array("f", [centre + v * step for v in raw])


def fill(c, name, shape):
    n = 1
    for x in shape:
        n *= x
    if name.endswith("norm.weight"):
        return numbers(c, name, n, 0.4, 1.0)
    if "rope_" in name:
        return numbers(c, name, n, 1.4, 2.5 if "long" in name else 1.5)
    if name.endswith(".bias"):
        return numbers(c, name, n, 0.5)
    if "sinks" in name:
        return numbers(c, name, n, 2.0, 1.0)
    if name.startswith("token_embd"):
        return numbers(c, name, n, 1.0)
    gain = 5.0 if ".attn_q." in name or ".attn_k." in name else 2.0
    if "gate_inp" in name:
        gain = 5.0
    return numbers(c, name, n, gain / shape[0] ** 0.5)


def of_layer(v, i):
    """Of a value that may be a list of one for each layer."""
    return v[i] if isinstance(v, list) else v


def names(c):
    """[(name, shape)] of a model in the plainest way to write it"""
    d, hd, arch = c["embd"], c["hd"], c["arch"]
    hdv = c.get("hdv", hd)
    rot, n = c.get("rot", hd), c.get("experts", 0)
    bias = "all" if arch == "gpt-oss" else c.get("bias", "")
    out = [("token_embd.weight", (d, VOCAB)), ("output_norm.weight", (d,))]
    if not c.get("tied") and not arch.startswith("gemma"):
        out.append(("output.weight", (d, VOCAB)))
    if c.get("factors"):
        out.append(("rope_freqs.weight", (rot // 2,)))
    if c.get("long"):
        out += [("rope_factors_short.weight", (rot // 2,)), ("rope_factors_long.weight", (rot // 2,))]
    for i in range(c["layers"]):
        b = "blk.%d." % i
        heads, kv_heads, ff = (of_layer(c[k], i) for k in ("heads", "kv_heads", "ff"))
        mats = [("attn_q", (d, heads * hd)), ("attn_k", (d, kv_heads * hd)),
                ("attn_v", (d, kv_heads * hdv)), ("attn_output", (heads * hdv, d))]
        if n:
            mats += [("ffn_gate_inp", (d, n)), ("ffn_gate_exps", (d, ff, n)),
                     ("ffn_up_exps", (d, ff, n)), ("ffn_down_exps", (ff, d, n))]
        else:
            mats += [("ffn_gate", (d, ff)), ("ffn_up", (d, ff)), ("ffn_down", (ff, d))]
        for name, shape in mats:
            out.append((b + name + ".weight", shape))
            if bias == "all" or (bias == "qkv" and name in ("attn_q", "attn_k", "attn_v")):
                out.append((b + name + ".bias", shape[1:]))
        norms = ["attn_norm", "post_attention_norm" if arch == "gpt-oss" else "ffn_norm"]
        if arch in ("gemma2", "gemma3"):
            norms += ["post_attention_norm", "post_ffw_norm"]
        out += [(b + x + ".weight", (d,)) for x in norms]
        if arch in ("qwen3", "qwen3moe", "gemma3"):
            out += [(b + x + "_norm.weight", (hd,)) for x in ("attn_q", "attn_k")]
        if arch == "gpt-oss":
            out.append((b + "attn_sinks.weight", (heads,)))
    return out


def tensors(c):
    return {name: (shape, fill(c, name, shape)) for name, shape in names(c)}


# ---- MXFP4: blocks of 32, an exponent and the nibbles ----

FP4 = [0, 1, 2, 3, 4, 6, 8, 12]


def mxfp4(values):
    """Bytes, and what they stand for."""
    raw, back = bytearray(), array.array("f")
    for i in range(0, len(values), 32):
        block = values[i:i + 32]
        top = max(abs(v) for v in block)
        e = 0
        while top > 6 * 2.0 ** (e - 127):
            e += 1
        codes = []
        for v in block:
            x = abs(v) / 2.0 ** (e - 128)
            k = min(range(8), key=lambda j, x=x: abs(FP4[j] - x))
            codes.append(k | (8 if v < 0 else 0))
            back.append((-1 if v < 0 else 1) * FP4[k] * 2.0 ** (e - 128))
        raw.append(e)
        raw += bytes(codes[j] | codes[j + 16] << 4 for j in range(16))
    return bytes(raw), back


def quantized(c, name):
    return c.get("mxfp4") and "_exps.weight" in name


# ---- GGUF ----

def string(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(v, in_array=False):
    """Type and bytes of a Python value."""
    if isinstance(v, bool):
        return BOOL, struct.pack("<?", v)
    if isinstance(v, int):
        return (I32, struct.pack("<i", v)) if in_array else (U32, struct.pack("<I", v))
    if isinstance(v, float):
        return FLOAT, struct.pack("<f", v)
    if isinstance(v, str):
        return STRING, string(v)
    parts = [value(x, True) for x in v]
    return ARRAY, struct.pack("<IQ", parts[0][0], len(parts)) + b"".join(p[1] for p in parts)


def keys(c):
    a = c["arch"] + "."
    per_layer = (lambda v: [v] * c["layers"]) if c.get("arrays") else (lambda v: v)
    kv = {"general.architecture": c["arch"], a + "block_count": c["layers"],
          a + "context_length": c["ctx"], a + "embedding_length": c["embd"],
          a + "feed_forward_length": per_layer(c["ff"]),
          a + "attention.head_count": per_layer(c["heads"]),
          a + "attention.head_count_kv": per_layer(c["kv_heads"]),
          a + "attention.layer_norm_rms_epsilon": float(c["eps"]),
          a + "rope.dimension_count": c.get("rot", c["hd"])}
    if c["hd"] * of_layer(c["heads"], 0) != c["embd"] or "hdv" in c:
        kv[a + "attention.key_length"] = c["hd"]
        kv[a + "attention.value_length"] = c.get("hdv", c["hd"])
    if c.get("experts"):
        kv[a + "expert_count"] = c["experts"]
        kv[a + "expert_used_count"] = c["used"]
        if c["arch"] != "llama":
            kv[a + "expert_feed_forward_length"] = c["ff"]
    if c.get("window"):
        kv[a + "attention.sliding_window"] = c["window"]
    if "pattern" in c:
        kv[a + "attention.sliding_window_pattern"] = c["pattern"]
    for k, v in c["keys"].items():
        kv[a + k] = v
    tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)]
    tokens += ["\u2581w%d" % i for i in range(VOCAB - len(tokens))]
    kv.update({"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": tokens,
               "tokenizer.ggml.scores": [-float(i) for i in range(VOCAB)],
               "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * (VOCAB - 259),
               "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2})
    return kv


def written(c, all_tensors):
    """[(name, shape, type, bytes)] in the way the case wants them written"""
    out = {}
    for name, (shape, v) in all_tensors.items():
        if quantized(c, name):
            out[name] = (shape, MXFP4, mxfp4(v)[0])
            continue
        raw = array.array("f", v)
        if sys.byteorder != "little":
            raw.byteswap()
        out[name] = (shape, F32, raw.tobytes())
    for i in range(c["layers"]):
        b = "blk.%d." % i
        if c.get("fused"):
            for new, parts in (("attn_qkv", ("attn_q", "attn_k", "attn_v")),
                               ("ffn_up", ("ffn_gate", "ffn_up"))):
                old = [out.pop(b + p + ".weight") for p in parts]
                rows = sum(o[0][1] for o in old)
                out[b + new + ".weight"] = ((c["embd"], rows), F32, b"".join(o[2] for o in old))
        if c.get("per_expert"):
            for what in ("gate", "up", "down"):
                shape, kind, raw = out.pop(b + "ffn_%s_exps.weight" % what)
                size = len(raw) // shape[2]
                for e in range(shape[2]):
                    out[b + "ffn_%s.%d.weight" % (what, e)] = (
                        shape[:2], kind, raw[e * size:(e + 1) * size])
    return [(name, *t) for name, t in out.items()]


def gguf(kv, todo, align=32):
    """The file of keys and [(name, shape, type, bytes)]"""
    head = [struct.pack("<4sIQQ", b"GGUF", 3, len(todo), len(kv))]
    for k, v in kv.items():
        kind, raw = value(v)
        head.append(string(k) + struct.pack("<I", kind) + raw)
    data, at = [], 0
    for name, shape, kind, raw in todo:
        head.append(string(name) + struct.pack("<I%dQIQ" % len(shape), len(shape), *shape, kind, at))
        raw += b"\0" * (-len(raw) % align)
        data.append(raw)
        at += len(raw)
    head = b"".join(head)
    return head + b"\0" * (-len(head) % align) + b"".join(data)


def write(path, c, change=None):
    """change(kv, tensors) may spoil the model before it is written."""
    kv, t = keys(c), tensors(c)
    if change:
        change(kv, t)
    with open(path, "wb") as f:
        f.write(gguf(kv, written(c, t)))


def write_split(path, c, per_part):
    """The same in parts of so many tensors, the first of keys only."""
    todo = written(c, tensors(c))
    parts = [[]] + [todo[i:i + per_part] for i in range(0, len(todo), per_part)]
    out = []
    for i, part in enumerate(parts):
        split = {"split.no": i, "split.count": len(parts), "split.tensors.count": len(todo)}
        out.append("%s-%05d-of-%05d.gguf" % (path, i + 1, len(parts)))
        with open(out[-1], "wb") as f:
            f.write(gguf({**(keys(c) if not i else {}), **split}, part))
    return out


# archs.py DIR [NAME]...: write those models, or all, and their prompts.
if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    for case_name, spec in CASES.items():
        if sys.argv[2:] and case_name not in sys.argv[2:]:
            continue
        base = os.path.join(sys.argv[1], case_name)
        write(base + ".gguf", spec)
        with open(base + ".tokens", "w", encoding="ascii") as text:
            text.write(" ".join(map(str, prompt(spec))) + "\n")
