#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Write a checkpoint of train.py as a GGUF file: matrices Q8_0, norms F32, tied embeddings."""

import argparse
import os
import pathlib

import numpy as np
import sentencepiece
import torch

import gguf
from corpus import cache_dir

TEMPLATE = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
            "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6


def pair_rows(w, n_head):
    """Rotation pairs (i, i + d/2) of model.py -> llama's (2i, 2i + 1)."""
    rows, cols = w.shape
    return w.reshape(n_head, 2, rows // n_head // 2, cols).swapaxes(1, 2).reshape(rows, cols)


def unpair_rows(w, n_head):
    rows, cols = w.shape
    return w.reshape(n_head, rows // n_head // 2, 2, cols).swapaxes(1, 2).reshape(rows, cols)


def tensors(shape, weights):
    w = {k: v.float().numpy() for k, v in weights.items()}
    yield "token_embd.weight", w["embed.weight"]
    dim, kv = shape["dim"], shape["dim"] // shape["n_head"] * shape["n_head_kv"]
    for i in range(shape["n_layer"]):
        src, dst = f"blocks.{i}.", f"blk.{i}."
        q, k, v = np.split(w[src + "wqkv.weight"], (dim, dim + kv))
        gate, up = np.split(w[src + "wgu.weight"], 2)
        yield dst + "attn_norm.weight", w[src + "attn_norm.weight"]
        yield dst + "attn_q.weight", pair_rows(q, shape["n_head"])
        yield dst + "attn_k.weight", pair_rows(k, shape["n_head_kv"])
        yield dst + "attn_v.weight", v
        yield dst + "attn_output.weight", w[src + "wo.weight"]
        yield dst + "ffn_norm.weight", w[src + "ffn_norm.weight"]
        yield dst + "ffn_gate.weight", gate
        yield dst + "ffn_up.weight", up
        yield dst + "ffn_down.weight", w[src + "wd.weight"]
    yield "output_norm.weight", w["norm.weight"]


def metadata(shape, spm):
    pieces = [spm.id_to_piece(i) for i in range(spm.vocab_size())]
    kinds = [UNKNOWN if spm.is_unknown(i) else CONTROL if spm.is_control(i) else
             BYTE if spm.is_byte(i) else NORMAL for i in range(len(pieces))]
    g, a = gguf, "llama."
    return [
        ("general.architecture", g.STRING, "llama"),
        ("general.name", g.STRING, "Llamux default"),
        ("general.description", g.STRING, "Short answers about Linux; see models/README.md"),
        ("general.license", g.STRING, "GPL-2.0-only"),
        ("general.file_type", g.U32, 7),
        (a + "block_count", g.U32, shape["n_layer"]),
        (a + "context_length", g.U32, shape["n_ctx"]),
        (a + "embedding_length", g.U32, shape["dim"]),
        (a + "feed_forward_length", g.U32, shape["n_ff"]),
        (a + "attention.head_count", g.U32, shape["n_head"]),
        (a + "attention.head_count_kv", g.U32, shape["n_head_kv"]),
        (a + "attention.layer_norm_rms_epsilon", g.F32, shape["eps"]),
        (a + "rope.dimension_count", g.U32, shape["dim"] // shape["n_head"]),
        (a + "rope.freq_base", g.F32, shape["rope_base"]),
        (a + "vocab_size", g.U32, shape["n_vocab"]),
        ("tokenizer.ggml.model", g.STRING, "llama"),
        ("tokenizer.ggml.pre", g.STRING, "default"),
        ("tokenizer.ggml.tokens", g.ARRAY, (g.STRING, pieces)),
        ("tokenizer.ggml.scores", g.ARRAY,
         (g.F32, [spm.get_score(i) for i in range(len(pieces))])),
        ("tokenizer.ggml.token_type", g.ARRAY, (g.I32, kinds)),
        ("tokenizer.ggml.bos_token_id", g.U32, spm.bos_id()),
        ("tokenizer.ggml.eos_token_id", g.U32, spm.eos_id()),
        ("tokenizer.ggml.eot_token_id", g.U32, spm.eos_id()),
        ("tokenizer.ggml.unknown_token_id", g.U32, spm.unk_id()),
        ("tokenizer.ggml.add_bos_token", g.BOOL, True),
        ("tokenizer.ggml.add_eos_token", g.BOOL, False),
        ("tokenizer.ggml.add_space_prefix", g.BOOL, False),
        ("tokenizer.chat_template", g.STRING, TEMPLATE),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=pathlib.Path, default=cache_dir())
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    args = parser.parse_args()
    state = torch.load(args.model or args.dir / "model.pt", map_location="cpu")
    spm = sentencepiece.SentencePieceProcessor(model_file=str(args.dir / "spm.model"))
    new = args.out.with_suffix(".new")
    gguf.write(new, metadata(state["shape"], spm), list(tensors(state["shape"], state["weights"])))
    os.replace(new, args.out)
    print(f"{args.out}: {args.out.stat().st_size} bytes, step {state['step']}, "
          f"{state['tokens']} tokens")


if __name__ == "__main__":
    main()
