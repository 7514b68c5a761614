# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The llama architecture in PyTorch, at a size a laptop can train."""

from dataclasses import asdict, dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Shape:
    n_vocab: int = 2048
    n_ctx: int = 512
    dim: int = 192
    n_layer: int = 6
    n_head: int = 6
    n_head_kv: int = 2
    n_ff: int = 512
    rope_base: float = 10000.0
    eps: float = 1e-5

    @property
    def head_dim(self):
        return self.dim // self.n_head

    def as_dict(self):
        return asdict(self)


class RMSNorm(nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        scale = torch.rsqrt(x.float().square().mean(-1, keepdim=True) + self.eps)
        return x * scale.to(x.dtype) * self.weight.to(x.dtype)


def rope_tables(shape, length):
    half = shape.head_dim // 2
    freq = shape.rope_base ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.arange(length, dtype=torch.float64)[:, None] * freq[None]
    return angle.cos().float(), angle.sin().float()


def rotate(x, cos, sin):
    """Pairs (i, i + d/2); export.py reorders rows into llama's (2i, 2i + 1)."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def attend(q, k, v, mask):
    """q (batch, head, t, d), k and v (batch, kv head, t, d), mask (t, t) -> (batch, head, t, d)"""
    (batch, n_kv, length, dim), n_head = k.shape, q.shape[1]
    q = (q * dim ** -0.5).reshape(batch, n_kv, -1, dim)
    score = (q @ k.transpose(-1, -2)).view(batch, n_kv, -1, length, length) + mask
    out = score.softmax(-1).view(batch, n_kv, -1, length) @ v
    return out.view(batch, n_head, length, dim)


class Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        kv = s.n_head_kv * s.head_dim
        self.attn_norm = RMSNorm(s.dim, s.eps)
        self.wqkv = nn.Linear(s.dim, s.dim + 2 * kv, bias=False)
        self.wo = nn.Linear(s.dim, s.dim, bias=False)
        self.ffn_norm = RMSNorm(s.dim, s.eps)
        self.wgu = nn.Linear(s.dim, 2 * s.n_ff, bias=False)
        self.wd = nn.Linear(s.n_ff, s.dim, bias=False)

    def forward(self, x, cos, sin, mask):
        s, (batch, length, dim) = self.s, x.shape
        kv = s.n_head_kv * s.head_dim
        q, k, v = self.wqkv(self.attn_norm(x)).split((dim, kv, kv), dim=-1)
        q = q.view(batch, length, s.n_head, s.head_dim).transpose(1, 2)
        k = k.view(batch, length, s.n_head_kv, s.head_dim).transpose(1, 2)
        v = v.view(batch, length, s.n_head_kv, s.head_dim).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        y = attend(q, k, v, mask).transpose(1, 2).reshape(batch, length, dim)
        x = x + self.wo(y)
        gate, up = self.wgu(self.ffn_norm(x)).chunk(2, dim=-1)
        return x + self.wd(F.silu(gate) * up)


class Llama(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        self.embed = nn.Embedding(s.n_vocab, s.dim)  # tied with the output
        self.blocks = nn.ModuleList(Block(s) for _ in range(s.n_layer))
        self.norm = RMSNorm(s.dim, s.eps)
        cos, sin = rope_tables(s, s.n_ctx)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                last = name.endswith(("wo.weight", "wd.weight"))
                nn.init.normal_(p, std=0.02 / (2 * s.n_layer) ** 0.5 if last
                                else 0.02 if name.startswith("embed") else s.dim ** -0.5)

    def hidden(self, ids):
        x = self.embed(ids)
        if torch.is_autocast_enabled() or torch.is_autocast_cpu_enabled():
            x = x.to(torch.bfloat16)
        length = ids.shape[1]
        cos, sin = self.cos[:length].to(x.dtype), self.sin[:length].to(x.dtype)
        mask = torch.full((length, length), float("-inf"), dtype=x.dtype).triu(1)
        for block in self.blocks:
            x = block(x, cos, sin, mask)
        return self.norm(x)

    def forward(self, ids):
        return F.linear(self.hidden(ids), self.embed.weight)
