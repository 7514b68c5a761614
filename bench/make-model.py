#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Write a GGUF of a given shape with random weights, for speed and memory.

The numbers mean nothing; types, shapes and sizes are those of the real model.
The same seed gives the same file.
"""
import argparse
import random
import struct
import sys

F32, F16, Q4_0, Q8_0, Q4_K, Q6_K = 0, 1, 2, 8, 12, 14
IQ2_XXS, IQ1_M, IQ3_S, TQ1_0, NVFP4, Q2_0 = 16, 29, 21, 34, 40, 42
BLOCK = {F32: (1, 4), F16: (1, 2), Q4_0: (32, 18), Q8_0: (32, 34),
         Q4_K: (256, 144), Q6_K: (256, 210), IQ2_XXS: (256, 66),
         IQ1_M: (256, 56), IQ3_S: (256, 110), TQ1_0: (256, 54), NVFP4: (64, 36),
         Q2_0: (64, 18)}
ALIGN = 32

TYPES = {"Q4_K_M": Q4_K, "Q6_K": Q6_K, "Q8_0": Q8_0, "Q4_0": Q4_0, "F16": F16, "F32": F32,
         "IQ2_XXS": IQ2_XXS, "IQ1_M": IQ1_M, "IQ3_S": IQ3_S, "TQ1_0": TQ1_0, "NVFP4": NVFP4,
         "Q2_0": Q2_0}
SHAPES = {  # layers, embd, heads, kv heads, ff, vocab
    "tinyllama": (22, 2048, 32, 4, 5632, 32000),
    "llama1b": (16, 2048, 32, 8, 8192, 128256),
    "llama7b": (32, 4096, 32, 32, 11008, 32000),
    "llama8b": (32, 4096, 32, 8, 14336, 128256),
    "llama13b": (40, 5120, 40, 40, 13824, 32000),
    "llama70b": (80, 8192, 64, 8, 28672, 32000),
    "mixture": (12, 1024, 16, 4, 1024, 32000),
    "tiny": (2, 256, 8, 2, 512, 2000),
}


def half(x):
    return struct.pack("<e", x)


def block(kind, rnd):
    """One random block with scales that keep activations near one."""
    if kind == F32:
        return struct.pack("<f", rnd.gauss(0, 0.02))
    if kind == F16:
        return half(rnd.gauss(0, 0.02))
    if kind == Q4_0:
        return half(0.004) + rnd.randbytes(16)
    if kind == Q8_0:
        return half(0.0003) + rnd.randbytes(32)
    if kind == Q4_K:
        return half(0.0002) + half(0.0015) + rnd.randbytes(140)
    if kind in (IQ2_XXS, IQ3_S, Q2_0):
        return half(0.02 if kind == Q2_0 else 0.0002) + rnd.randbytes(BLOCK[kind][1] - 2)
    if kind == IQ1_M:  # f16 scale in the upper nibbles of the last four u16
        b = bytearray(rnd.randbytes(56))
        b[55] = b[55] & 15 | 0x10
        return bytes(b)
    if kind == TQ1_0:
        return rnd.randbytes(52) + half(0.02)
    if kind == NVFP4:
        return bytes(rnd.randrange(4, 20) for _ in range(4)) + rnd.randbytes(32)
    return rnd.randbytes(192) + bytes(rnd.randrange(40) for _ in range(16)) + half(0.00003)


def pool(kind, rnd):
    n = max(1, (1 << 18) // BLOCK[kind][1])
    return b"".join(block(kind, rnd) for _ in range(n))


def string(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def kv(key, kind, value):
    code = {"u32": 4, "f32": 6, "bool": 7, "str": 8}
    out = string(key)
    if isinstance(kind, tuple):
        sub = code[kind[0]] if kind[0] != "i32" else 5
        out += struct.pack("<IIQ", 9, sub, len(value))
        if kind[0] == "str":
            return out + b"".join(string(v) for v in value)
        return out + struct.pack("<%d%s" % (len(value), {"f32": "f", "i32": "i"}[kind[0]]), *value)
    out += struct.pack("<I", code[kind])
    if kind == "str":
        return out + string(value)
    return out + struct.pack({"u32": "<I", "f32": "<f", "bool": "<?"}[kind], value)


def vocabulary(n):
    tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)]
    types = [2, 3, 3] + [6] * 256
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    i = 0
    while len(tokens) < n:
        s, k = "", i
        while True:
            s = letters[k % 26] + s
            k = k // 26 - 1
            if k < 0:
                break
        tokens.append(("\u2581" if i & 1 else "") + s)
        types.append(1)
        i += 1
    return tokens, [-float(i) for i in range(n)], types


def more_bits(layer, layers):
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def tensors(shape, quant, tied, experts):
    layers, d, heads, kvh, ff, vocab = shape
    base = TYPES[quant]
    mixed = quant == "Q4_K_M"
    kvd = d // heads * kvh
    out = [("token_embd.weight", (d, vocab), base)]
    if not tied:
        out.append(("output.weight", (d, vocab), Q6_K if base in (Q4_K, Q4_0) else base))
    out.append(("output_norm.weight", (d,), F32))
    for i in range(layers):
        b = "blk.%d." % i
        big = Q6_K if mixed and more_bits(i, layers) else base
        out += [(b + "attn_norm.weight", (d,), F32), (b + "attn_q.weight", (d, d), base),
                (b + "attn_k.weight", (d, kvd), base), (b + "attn_v.weight", (d, kvd), big),
                (b + "attn_output.weight", (d, d), base), (b + "ffn_norm.weight", (d,), F32)]
        if experts:
            out += [(b + "ffn_gate_inp.weight", (d, experts), F32),
                    (b + "ffn_gate_exps.weight", (d, ff, experts), base),
                    (b + "ffn_up_exps.weight", (d, ff, experts), base),
                    (b + "ffn_down_exps.weight", (ff, d, experts), big)]
            continue
        out += [(b + "ffn_gate.weight", (d, ff), base), (b + "ffn_up.weight", (d, ff), base),
                (b + "ffn_down.weight", (ff, d), big)]
    return out


def size(dims, kind):
    n = 1
    for x in dims:
        n *= x
    return n // BLOCK[kind][0] * BLOCK[kind][1]


def write(args):
    shape = list(SHAPES[args.shape])
    if args.layers:
        shape[0] = args.layers
    layers, d, heads, kvh, ff, vocab = shape
    tokens, scores, types = vocabulary(vocab)
    keys = [("general.architecture", "str", "llama"),
            ("general.name", "str", "random " + args.shape),
            ("llama.block_count", "u32", layers), ("llama.context_length", "u32", args.ctx),
            ("llama.embedding_length", "u32", d), ("llama.feed_forward_length", "u32", ff),
            ("llama.attention.head_count", "u32", heads),
            ("llama.attention.head_count_kv", "u32", kvh),
            ("llama.attention.layer_norm_rms_epsilon", "f32", 1e-5),
            ("llama.rope.dimension_count", "u32", d // heads),
            ("llama.vocab_size", "u32", vocab),
            ("tokenizer.ggml.model", "str", "llama"),
            ("tokenizer.ggml.tokens", ("str",), tokens),
            ("tokenizer.ggml.scores", ("f32",), scores),
            ("tokenizer.ggml.token_type", ("i32",), types),
            ("tokenizer.ggml.bos_token_id", "u32", 1),
            ("tokenizer.ggml.eos_token_id", "u32", 2)]
    if args.experts:
        keys += [("llama.expert_count", "u32", args.experts),
                 ("llama.expert_used_count", "u32", args.used)]
    todo = tensors(shape, args.type, args.tied, args.experts)
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(todo), len(keys))
    head += b"".join(kv(*k) for k in keys)
    offset = 0
    for name, dims, kind in todo:
        head += string(name) + struct.pack("<I", len(dims))
        head += struct.pack("<%dQ" % len(dims), *dims) + struct.pack("<IQ", kind, offset)
        offset += -(-size(dims, kind) // ALIGN) * ALIGN
    rnd = random.Random(args.seed)
    pools = {}
    with open(args.out, "wb") as f:
        f.write(head + b"\0" * (-len(head) % ALIGN))
        for name, dims, kind in todo:
            left = size(dims, kind)
            pad = -left % ALIGN
            if name.endswith("norm.weight"):
                f.write(struct.pack("<f", 1.0) * dims[0] + b"\0" * pad)
                continue
            if kind not in pools:
                pools[kind] = pool(kind, rnd)
            while left:
                p = pools[kind][:left]
                f.write(p)
                left -= len(p)
            f.write(b"\0" * pad)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("out")
    p.add_argument("--shape", choices=SHAPES, default="tinyllama")
    p.add_argument("--type", choices=TYPES, default="Q4_K_M")
    p.add_argument("--layers", type=int, default=0, help="fewer or more than the shape has")
    p.add_argument("--ctx", type=int, default=2048)
    p.add_argument("--experts", type=int, default=0, help="of a layer: a mixture")
    p.add_argument("--used", type=int, default=2, help="experts of a token")
    p.add_argument("--tied", action="store_true", help="no output.weight")
    p.add_argument("--seed", type=int, default=1)
    write(p.parse_args())
    return 0


sys.exit(main())
