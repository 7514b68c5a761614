#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Measure an exported model, from the GGUF file itself, and write EVALUATION.md."""

import argparse
import collections
import math
import os
import pathlib
import platform
import random

import numpy as np
import torch
import torch.nn.functional as F

import gguf
from corpus import cache_dir
from data import BOS, END, Tokenizer, held_out, read_qa, read_text
from export import unpair_rows
from facts import ASK_COMMAND
from model import Llama, Shape

QUESTIONS = (
    "What does ls do?", "How do I list open files?", "What is /etc/fstab?", "Who are you?",
    "How do I find out which kernel is running?", "What is an inode?", "What does SIGKILL do?",
    "How can I see free memory?", "What is the purpose of grep?", "What does EACCES mean?",
    "what is nginx", "How do I unpack a tar.gz file?", "What does the fork system call do?",
    "Which command shows the kernel log?", "What is /proc/meminfo?",
    "How do I make a script executable?", "What is the OOM killer?", "I need to kill a process.",
    "What does malloc do?", "What is frobozz?")
STARTS = ("The kernel", "A process is", "This command", "When a file is opened,")
UNKNOWN = ("zorbling mufotan kipradex wuntle /etc/snarvik bloptar quendafs dratuloctl yimbo "
           "parvex").split()


def load(file):
    """The model of a GGUF file in float32, as model.py has it."""
    m, t = file.metadata, file.tensors
    s = Shape(n_vocab=m["llama.vocab_size"], n_ctx=m["llama.context_length"],
              dim=m["llama.embedding_length"], n_layer=m["llama.block_count"],
              n_head=m["llama.attention.head_count"],
              n_head_kv=m["llama.attention.head_count_kv"],
              n_ff=m["llama.feed_forward_length"], rope_base=m["llama.rope.freq_base"],
              eps=m["llama.attention.layer_norm_rms_epsilon"])
    w = {"embed.weight": t["token_embd.weight"], "norm.weight": t["output_norm.weight"]}
    for i in range(s.n_layer):
        a, b = f"blk.{i}.", f"blocks.{i}."
        w[b + "attn_norm.weight"] = t[a + "attn_norm.weight"]
        w[b + "ffn_norm.weight"] = t[a + "ffn_norm.weight"]
        w[b + "wqkv.weight"] = np.concatenate((unpair_rows(t[a + "attn_q.weight"], s.n_head),
                                               unpair_rows(t[a + "attn_k.weight"], s.n_head_kv),
                                               t[a + "attn_v.weight"]))
        w[b + "wo.weight"] = t[a + "attn_output.weight"]
        w[b + "wgu.weight"] = np.concatenate((t[a + "ffn_gate.weight"], t[a + "ffn_up.weight"]))
        w[b + "wd.weight"] = t[a + "ffn_down.weight"]
    model = Llama(s)
    model.load_state_dict({k: torch.tensor(v) for k, v in w.items()})
    return model.eval()


@torch.no_grad()
def bits_per_byte(model, tok, texts, windows):
    """Mean over windows of up to 512 tokens from the start of held-out documents."""
    nats = size = 0
    for text in texts[:windows]:
        ids = [BOS, *tok.spm.encode(text[:4000])][:model.s.n_ctx]
        logits = model(torch.tensor([ids[:-1]]))
        nats += F.cross_entropy(logits[0], torch.tensor(ids[1:]), reduction="sum").item()
        size += len(tok.spm.decode(ids[1:]).encode())
    return nats / math.log(2) / size


@torch.no_grad()
def greedy(model, prompts, limit):
    """Continue prompts (lists of ids) greedily; those of one length go together."""
    out = [None] * len(prompts)
    groups = collections.defaultdict(list)
    for i, p in enumerate(prompts):
        groups[len(p)].append(i)
    for members in groups.values():
        for at in range(0, len(members), 64):
            part = members[at:at + 64]
            ids = torch.tensor([prompts[i] for i in part])
            start, done = ids.shape[1], torch.zeros(len(part), dtype=torch.bool)
            for _ in range(limit):
                nxt = F.linear(model.hidden(ids)[:, -1], model.embed.weight).argmax(-1)
                done |= nxt == END
                ids = torch.cat((ids, nxt[:, None]), 1)
                if done.all():
                    break
            for i, row in zip(part, ids[:, start:].tolist()):
                out[i] = row[:row.index(END)] if END in row else row
    return out


def ask(model, tok, questions):
    prompts = [[BOS, *tok.question(q)] for q in questions]
    return [tok.spm.decode(ids) for ids in greedy(model, prompts, 60)]


def accuracy(model, tok, rows, per_kind, rng):
    """{kind: (facts, known phrasing right, held-out phrasing right)}; right: letter for letter"""
    kinds = collections.defaultdict(list)
    for row in rows:
        if row["held"]:
            kinds[row["id"].split(":")[0]].append(row)
    table = {}
    for kind, members in kinds.items():
        picked = rng.sample(members, min(per_kind, len(members)))
        right = []
        for key in ("ask", "held"):
            got = ask(model, tok, [rng.choice(r[key]) for r in picked])
            right.append(sum(g == r["answer"] for g, r in zip(got, picked)))
        table[kind] = (len(picked), *right)
    return table


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def report(args, model, tok):
    rng = random.Random(7)
    rows = read_qa(args.dir)
    texts = [t for i, t in enumerate(read_text(args.dir)) if held_out(i)]
    size = sum(p.numel() for p in model.parameters())
    refused = sum(a.startswith("I do not know") for a in ask(
        model, tok, [ASK_COMMAND[i].format(x=n) for i, n in enumerate(UNKNOWN)]))
    table = accuracy(model, tok, rows, args.per_kind, rng)
    bits = bits_per_byte(model, tok, texts, args.windows)
    lines = [
        "<!-- SPDX-License-Identifier: GPL-2.0-only OR MIT -->",
        "# Evaluation of the default model", "",
        f"Figures of `{args.gguf.name}` ({args.gguf.stat().st_size} bytes, {size} parameters), "
        "from the quantized weights as they are in the file, computed in float32.", "",
        f"Machine: {processor()}, {os.cpu_count()} cores. Command: `models/train/eval.py "
        "models/llamux-default.gguf`.", "",
        "## Running text", "",
        f"{bits:.3f} bits per byte on the first 512 tokens of {min(args.windows, len(texts))} "
        "documents that were kept out of training.", "",
        "## Known facts", "",
        "Greedy answers that equal the reference letter for letter. *Known phrasing*: a question "
        "form used in training. *Held-out phrasing*: forms such as \"Why would I run X?\" "
        "or \"I need to X.\" that training never used.", "",
        "| kind | facts asked | known phrasing | held-out phrasing |", "|---|---|---|---|"]
    for kind, (n, known, held) in table.items():
        lines.append(f"| {kind} | {n} | {100 * known / n:.0f} % | {100 * held / n:.0f} % |")
    n, known, held = (sum(v[i] for v in table.values()) for i in range(3))
    lines += [f"| all | {n} | {100 * known / n:.1f} % | {100 * held / n:.1f} % |", "",
              f"Made-up names answered with \"I do not know\": {refused} of {len(UNKNOWN)}.", "",
              "## Sample answers (greedy)", "", "| question | answer |", "|---|---|"]
    for q, a in zip(QUESTIONS, ask(model, tok, QUESTIONS)):
        lines.append(f"| {q} | {a} |".replace("\n", " "))
    lines += ["", "## Sample text (greedy, 40 tokens)", ""]
    for s in STARTS:
        ids = greedy(model, [[BOS, *tok.spm.encode(s)]], 40)[0]
        lines.append(f"- **{s}**{tok.spm.decode([*tok.spm.encode(s), *ids])[len(s):]}"
                     .replace("\n", " "))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf", type=pathlib.Path)
    parser.add_argument("--dir", type=pathlib.Path, default=cache_dir())
    parser.add_argument("--out", type=pathlib.Path, help="default: standard output")
    parser.add_argument("--per-kind", type=int, default=40)
    parser.add_argument("--windows", type=int, default=60)
    parser.add_argument("--ask", action="append", help="only answer this question")
    args = parser.parse_args()
    torch.set_num_threads(1)
    file = gguf.Reader(args.gguf)
    model, tok = load(file), Tokenizer(gguf.Vocabulary(file.metadata))
    if args.ask:
        print("\n".join(ask(model, tok, args.ask)))
        return
    text = report(args, model, tok)
    if args.out:
        args.out.write_text(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
