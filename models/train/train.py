#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Train the default model on the CPU.

Each process computes gradients on its own batches with one thread (small matrices gain nothing
from more); gradients are summed in shared memory and each process updates its share of the
weights. Matrices are trained with Muon (momentum, made orthogonal by a Newton-Schulz iteration),
embeddings and norms with AdamW.
"""

import argparse
import json
import os
import pathlib
import time

import torch
import torch.multiprocessing as mp
import torch.nn.functional as F

from corpus import cache_dir
from data import Conversations, Text, batch, rng_for, tokenizer_of
from model import Llama, Shape

MICRO = 2048             # tokens of one forward and backward pass


def orthogonal(g, rounds=5):
    """Newton-Schulz: the nearest (semi-)orthogonal matrix, roughly."""
    x = g.bfloat16()
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.t()
    x = x / (x.norm() + 1e-7)
    for _ in range(rounds):
        a = x @ x.t()
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return (x if wide else x.t()).float()


class Optimizer:
    """The share of one process: the parameters p with index % n == rank, by size."""

    def __init__(self, params, rank, n, args):
        order = sorted(range(len(params)), key=lambda i: (-params[i].numel(), i))
        self.mine = order[rank::n]
        self.params, self.args = params, args
        self.state = {i: (torch.zeros_like(params[i]), torch.zeros_like(params[i]))
                      for i in self.mine}
        self.embed = max((i for i in order if params[i].dim() == 2),
                         key=lambda i: params[i].shape[0])

    @torch.no_grad()
    def step(self, grads, scale, step):
        for i in self.mine:
            p, g, (m, v) = self.params[i], grads[i], self.state[i]
            if p.dim() == 2 and i != self.embed:
                lr = self.args.lr * scale
                m.mul_(0.95).add_(g)
                update = orthogonal(g + 0.95 * m)
                p.mul_(1 - lr * self.args.decay)
                p.add_(update, alpha=-lr * max(1, p.shape[0] / p.shape[1]) ** 0.5)
            else:
                lr = self.args.lr_embed * scale
                m.mul_(0.9).add_(g, alpha=0.1)
                v.mul_(0.98).addcmul_(g, g, value=0.02)
                m_hat, v_hat = m / (1 - 0.9 ** step), v / (1 - 0.98 ** step)
                p.add_(m_hat / (v_hat.sqrt() + 1e-9), alpha=-lr)


def schedule(progress, step):
    """Warm-up, constant, then linear to zero over the last 60 %."""
    return min(1.0, (step + 1) / 50, max(0.0, 1 - progress) / 0.6)


def views(flat, params):
    out, at = [], 0
    for p in params:
        out.append(flat[at:at + p.numel()].view_as(p))
        at += p.numel()
    return out


def save(path, model, step, tokens):
    state = {"shape": model.s.as_dict(), "step": step, "tokens": tokens,
             "weights": {k: v.clone() for k, v in model.state_dict().items()}}
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def worker(rank, n, args, shape, flat, grad, stats, barrier):
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    model = Llama(shape)
    params = list(model.parameters())
    with torch.no_grad():
        for p, shared in zip(params, views(flat, params)):
            if rank == 0 and not args.resume:
                shared.copy_(p)
            p.data = shared
    tok, rng = tokenizer_of(args.dir), rng_for(args.seed, rank)
    text, talk = Text(tok, args.dir, rng), Conversations(tok, args.dir, rng)
    opt = Optimizer(params, rank, n, args)
    mine, total = views(grad[rank], params), torch.zeros_like(grad[0])
    start, step, tokens = time.monotonic(), args.first_step, args.first_step * args.batch
    saved = last = start
    barrier.wait()
    while True:
        if rank == 0:
            done = max((step - args.first_step) / max(1, args.steps - args.first_step),
                       (time.monotonic() - start) / 60 / args.minutes)
            stats[0] = args.first_progress + (1 - args.first_progress) * done
        barrier.wait()
        progress = stats[0].item()
        if progress >= 1:
            break
        for p in params:
            p.grad = None
        losses = {"text": [], "answer": []}
        for _ in range(args.batch // MICRO // n):
            late = progress > 2 / 3
            chat = rng.random() < (args.chat_late if late else args.chat)
            length = 128 if chat else 512 if late else 256
            ids, target, weight = batch(talk if chat else text, MICRO // length, length)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(ids)
            each = F.cross_entropy(logits.float().flatten(0, 1), target.flatten(),
                                   reduction="none")
            weight = weight.flatten()
            (each @ weight / args.batch).backward()
            losses["answer" if chat else "text"].append(each.detach()[weight == 1].mean())
        for g, p in zip(mine, params):
            g.copy_(p.grad)
        for i, kind in enumerate(("text", "answer")):
            stats[1 + 2 * rank + i] = torch.stack(losses[kind]).mean() if losses[kind] else -1
        barrier.wait()
        torch.sum(grad, 0, out=total)
        norm = total.norm()
        total.mul_(min(1.0, args.clip / (norm.item() + 1e-9)))
        opt.step(views(total, params), schedule(progress, step), step + 1)
        barrier.wait()
        step, tokens = step + 1, tokens + args.batch
        now = time.monotonic()
        if rank == 0:
            if step % 20 == 0:
                found = stats[1:1 + 2 * n].view(n, 2)
                show = [found[:, i][found[:, i] >= 0].mean().item() for i in (0, 1)]
                print(json.dumps({"step": step, "tokens": tokens, "text": round(show[0], 3),
                                  "answer": round(show[1], 3), "norm": round(norm.item(), 3),
                                  "progress": round(progress, 4),
                                  "rate": round(20 * args.batch / (now - last))}), flush=True)
                last = now
            if now - saved > 120:
                save(args.out, model, step, tokens)
                saved = now
    if rank == 0:
        save(args.out, model, step, tokens)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--dir", type=pathlib.Path, default=cache_dir())
    parser.add_argument("--out", type=pathlib.Path, default=None)
    parser.add_argument("--steps", type=int, default=2860)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after this time at most")
    parser.add_argument("--batch", type=int, default=4096, help="tokens of one step")
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--lr-embed", type=float, default=0.004)
    parser.add_argument("--decay", type=float, default=0.02)
    parser.add_argument("--clip", type=float, default=1.0)
    parser.add_argument("--chat", type=float, default=0.6, help="share of conversations")
    parser.add_argument("--chat-late", type=float, default=0.7, help="the same, last third")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", type=pathlib.Path, help="start from these weights")
    parser.add_argument("--first-step", type=int, default=0)
    parser.add_argument("--first-progress", type=float, default=0, help="place in the schedule")
    for name, value in Shape().as_dict().items():
        if isinstance(value, int) and name != "n_vocab":
            parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    args = parser.parse_args()
    args.out = args.out or args.dir / "model.pt"
    torch.set_num_threads(1)
    shape = Shape(n_vocab=tokenizer_of(args.dir).size, n_ctx=args.n_ctx, dim=args.dim,
                  n_layer=args.n_layer, n_head=args.n_head, n_head_kv=args.n_head_kv,
                  n_ff=args.n_ff)
    model = Llama(shape)
    if args.resume:
        model.load_state_dict(torch.load(args.resume)["weights"])
    flat = torch.cat([p.detach().flatten() for p in model.parameters()]).share_memory_()
    grad = torch.zeros(args.jobs, flat.numel()).share_memory_()
    stats = torch.zeros(1 + 2 * args.jobs).share_memory_()
    print(json.dumps({"shape": shape.as_dict(), "parameters": flat.numel()}), flush=True)
    barrier = mp.Barrier(args.jobs)
    jobs = [mp.Process(target=worker, args=(r, args.jobs, args, shape, flat, grad, stats, barrier))
            for r in range(args.jobs)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()


if __name__ == "__main__":
    main()
