#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the models of archs.py compute, in float64: makes archs.tsv.

	tests/oracle/truth.py OUT [DIR]

Needs numpy; the test that reads archs.tsv does not. Written from the papers
and the models' own definitions, straight from the file's keys, with nothing in
common with the engine. With DIR, which holds CASE.ref, the f32 logits that
llama.cpp gave for all positions of a case's prompt (one thread, F32 KV cache,
no flash attention), the file also notes how far those are from the truth.
"archs.py DIR" writes models and prompts to be given to other programs.
"""
import os
import sys

import numpy as np

import archs

ROWS = 4        # positions whose logits are kept, the last among them
COLS = 32       # logits kept of each
GREEDY = 8      # tokens of a greedy continuation
# Of these the file also has what mistakes would give, for the last row.
CONTROLS = ("llama", "llama-layers", "mixtral", "mixtral-layers", "qwen3", "gemma2", "gemma3",
            "gpt-oss", "gpt-oss-layers")


class Model:
    def __init__(self, c, wrong=""):
        self.kv, self.c, self.wrong = archs.keys(c), c, wrong
        self.arch = c["arch"]
        self.t = {}
        for name, (shape, v) in archs.tensors(c).items():
            if archs.quantized(c, name):
                v = archs.mxfp4(v)[1]
            self.t[name] = np.array(v, np.float64).reshape(shape[::-1])

    def key(self, name, default=None):
        return self.kv.get(self.arch + "." + name, default)

    def of_layer(self, name, layer):
        """A key with one value, or with one for each layer."""
        return archs.of_layer(self.key(name), layer)

    def local(self, layer):
        """Whether a layer sees a window only."""
        pattern = self.key("attention.sliding_window_pattern",
                           {"gemma2": 2, "gpt-oss": 2, "gemma3": 6}.get(self.arch, 0))
        if isinstance(pattern, list):
            return pattern[layer]
        return pattern == 0 or layer % pattern < pattern - 1

    def frequencies(self, local, n_ctx):
        """Angles per position and what cos and sin are multiplied with."""
        n = self.key("rope.dimension_count")
        base = self.key("rope.freq_base", 10000.0)
        scale = self.key("rope.scaling.factor", self.key("rope.scale_linear", 1.0))
        if self.key("rope.scaling.type") == "none":
            scale = 1.0
        magnitude = self.key("rope.scaling.attn_factor", 1.0)
        yarn = self.key("rope.scaling.type") == "yarn"
        if local:
            base = self.key("rope.freq_base_swa", 10000.0 if self.arch == "gemma3" else base)
        if local and self.arch == "gemma3":
            scale = 1.0
        if self.wrong == "theta":
            base *= 1.02
        f = base ** (-np.arange(0, n, 2) / n)
        orig = self.key("rope.scaling.original_context_length", self.key("context_length"))
        for name in ("rope_freqs", "rope_factors_long" if n_ctx > orig else "rope_factors_short"):
            if name + ".weight" in self.t:
                f = f / self.t[name + ".weight"]
        if not yarn:
            return f / scale, magnitude
        # Peng et al., 2023: dimensions that turn often are left alone.
        def dim(turns):
            return n * np.log(orig / (turns * 2 * np.pi)) / (2 * np.log(base))
        lo = max(np.floor(dim(32.0)), 0)
        hi = min(np.ceil(dim(1.0)), n - 1)
        keep = 1 - np.clip((np.arange(n // 2) - lo) / max(hi - lo, 0.001), 0, 1)
        return f / scale * (1 - keep) + f * keep, magnitude * (1 + 0.1 * np.log(scale))

    def rope(self, x, freq, magnitude, pos):
        """x (tokens, heads, hd)"""
        n = 2 * len(freq)
        a = pos[:, None] * freq
        cos, sin = (np.cos(a) * magnitude)[:, None], (np.sin(a) * magnitude)[:, None]
        pairs = self.arch == "llama"
        if self.wrong == "pairs":
            pairs = not pairs
        u, v = (x[..., 0:n:2], x[..., 1:n:2]) if pairs else (x[..., :n // 2], x[..., n // 2:n])
        p, q = u * cos - v * sin, u * sin + v * cos
        y = x.copy()
        if pairs:
            y[..., 0:n:2], y[..., 1:n:2] = p, q
        else:
            y[..., :n // 2], y[..., n // 2:n] = p, q
        return y

    def norm(self, x, name):
        if name not in self.t:
            return x
        eps = self.key("attention.layer_norm_rms_epsilon") * (1000 if self.wrong == "eps" else 1)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * self.t[name]

    def dot(self, x, name):
        y = x @ self.t[name + ".weight"].T
        return y + self.t[name + ".bias"] if name + ".bias" in self.t else y

    def attention(self, x, layer, past, n_ctx):
        b = "blk.%d." % layer
        hd, hk = self.c["hd"], self.of_layer("attention.head_count_kv", layer)
        h, n = self.of_layer("attention.head_count", layer), len(x)
        local = bool(self.key("attention.sliding_window") or self.arch == "gemma2")
        local = local and not self.arch.startswith("qwen") and self.local(layer)
        window = self.key("attention.sliding_window", 4096) if local else 0
        q = self.norm(self.dot(x, b + "attn_q").reshape(n, h, hd), b + "attn_q_norm.weight")
        k = self.norm(self.dot(x, b + "attn_k").reshape(n, hk, hd), b + "attn_k_norm.weight")
        v = self.dot(x, b + "attn_v").reshape(n, hk, -1)
        freq = self.frequencies(local, n_ctx)
        pos = np.arange(n) + (past[0].shape[0] if past else 0)
        q, k = self.rope(q, *freq, pos), self.rope(k, *freq, pos)
        if past:
            k, v = np.concatenate([past[0], k]), np.concatenate([past[1], v])
        head = np.arange(h) % hk if self.wrong == "heads" else np.arange(h) // (h // hk)
        if self.wrong == "group":   # that of the first layer
            head = np.arange(h) // (self.of_layer("attention.head_count", 0) //
                                    self.of_layer("attention.head_count_kv", 0)) % hk
        s = np.einsum("ihd,jhd->hij", q, k[:, head]) / np.sqrt(self.score_dim())
        cap = self.key("attn_logit_softcapping", 50.0) if self.arch == "gemma2" else 0
        if cap:
            s = cap * np.tanh(s / cap)
        gap = pos[:, None] - np.arange(len(k))
        hidden = gap < (1 if self.wrong == "mask" else 0)
        hidden[:, 0] &= gap[:, 0] < 0
        if window:
            hidden |= gap >= window + (1 if self.wrong == "window" else 0)
        s = np.where(hidden, -np.inf, s)
        sinks = self.t.get(b + "attn_sinks.weight")
        top = s.max(-1, keepdims=True)
        if sinks is not None:
            top = np.maximum(top, sinks[:, None, None])
        p = np.exp(s - top)
        total = p.sum(-1, keepdims=True)
        if sinks is not None:
            total = total + np.exp(sinks[:, None, None] - top)
        o = np.einsum("hij,jhd->ihd", p / total, v[:, head]).reshape(n, -1)
        return self.dot(o, b + "attn_output"), (k, v)

    def score_dim(self):
        """Gemma's 27B models go by another size than that of their heads."""
        if (self.arch, self.c["layers"]) in (("gemma2", 46), ("gemma3", 62)):
            return self.c["embd"] // archs.of_layer(self.c["heads"], 0)
        return self.c["hd"]

    def gate(self, g, u):
        if self.arch.startswith("gemma"):
            g = 0.5 * g * (1 + np.tanh(np.sqrt(2 / np.pi) * (g + 0.044715 * g ** 3)))
        elif self.arch == "gpt-oss":
            g, u = np.minimum(g, 7), np.clip(u, -7, 7)
            return g / (1 + np.exp(-1.702 * g)) * (u + 1)
        else:
            g = g / (1 + np.exp(-g))
        return g * u

    def experts(self, x, b):
        logit = self.dot(x, b + "ffn_gate_inp")
        out = np.zeros_like(x)
        for i, row in enumerate(logit):
            best = np.argsort(-row, kind="stable")[:self.key("expert_used_count")]
            p = np.exp(row[best] - row.max())
            p /= np.exp(row - row.max()).sum() if self.wrong == "renormalise" else p.sum()
            for e, w in zip(best, p):
                def dot(v, what, e=e):
                    bias = self.t.get(b + "ffn_%s_exps.bias" % what)
                    y = self.t[b + "ffn_%s_exps.weight" % what][e] @ v
                    return y if bias is None else y + bias[e]
                out[i] += w * dot(self.gate(dot(x[i], "gate"), dot(x[i], "up")), "down")
        return out

    def forward(self, tokens, past=None, n_ctx=0):
        """Logits of all @tokens; gives the keys and values, too."""
        x, kv, n_ctx = self.t["token_embd.weight"][tokens], [], n_ctx or len(tokens)
        if self.arch.startswith("gemma"):
            x = x * np.sqrt(x.shape[1])
        post = self.arch in ("gemma2", "gemma3")
        for l in range(self.c["layers"]):
            b = "blk.%d." % l
            y, pair = self.attention(self.norm(x, b + "attn_norm.weight"), l,
                                     past and past[l], n_ctx)
            kv.append(pair)
            x = x + (self.norm(y, b + "post_attention_norm.weight") if post else y)
            name = "post_attention_norm" if self.arch == "gpt-oss" else "ffn_norm"
            y = self.norm(x, b + name + ".weight")
            if b + "ffn_gate_inp.weight" in self.t:
                y = self.experts(y, b)
            else:
                y = self.dot(self.gate(self.dot(y, b + "ffn_gate"), self.dot(y, b + "ffn_up")),
                             b + "ffn_down")
            x = x + (self.norm(y, b + "post_ffw_norm.weight") if post else y)
        x = self.norm(x, "output_norm.weight")
        out = self.t.get("output.weight", self.t["token_embd.weight"])
        y = x @ out.T
        cap = self.key("final_logit_softcapping", 30.0 if self.arch == "gemma2" else 0)
        return (cap * np.tanh(y / cap) if cap else y), kv


def nmse(x, t):
    return float(((x - t) ** 2).sum() / (t ** 2).sum())


def greedy(m, tokens, logits, kv):
    ids, sure, row, n_ctx = [], [], logits[-1], len(tokens)
    for _ in range(GREEDY):
        best = np.argsort(-row)[:2]
        ids.append(int(best[0]))
        sure.append(float(row[best[0]] - row[best[1]]))
        row, kv = m.forward([ids[-1]], kv, n_ctx)
        row = row[-1]
    return ids, sure


def positions(n):
    return [n * (i + 1) // ROWS - 1 for i in range(ROWS)]


def columns():
    return list(range(0, archs.VOCAB, archs.VOCAB // COLS))


def wrongs(name, c):
    if name not in CONTROLS:
        return []
    out = ["theta", "pairs", "eps", "heads", "mask"]
    if c.get("window"):
        out.append("window")
    if isinstance(c["kv_heads"], list):
        out.append("group")
    if c.get("experts"):
        out.append("renormalise")
    return out


def main():
    ref_dir = sys.argv[2] if len(sys.argv) > 2 else ""
    with open(sys.argv[1], "w", encoding="ascii") as f:
        f.write("# SPDX-License-Identifier: GPL-2.0-only\n"
                "# Made by truth.py. Lines of a case: what, then numbers.\n")
        for name, c in archs.CASES.items():
            tokens, m = archs.prompt(c), Model(c)
            t, kv = m.forward(tokens)
            f.write("case\t%s\n" % name)
            ref = os.path.join(ref_dir, name + ".ref")
            if ref_dir and os.path.exists(ref):
                r = np.fromfile(ref, np.float32).reshape(t.shape)
                e = nmse(r, t)
                print("%-20s reference %.2e" % (name, e))
                # llama.cpp gives llama and phi3 no window.
                f.write("reference\t%.2e\n" % e if e < 0.1 else "")
            for p in positions(len(tokens)):
                f.write("row\t%d\t%s\n" % (p, " ".join("%.8g" % v for v in t[p, columns()])))
            ids, sure = greedy(m, tokens, t, kv)
            f.write("greedy\t%s\n" % " ".join(map(str, ids)))
            f.write("margins\t%s\n" % " ".join("%.3g" % v for v in sure))
            for wrong in wrongs(name, c):
                x, _ = Model(c, wrong).forward(tokens)
                f.write("wrong\t%s\t%s\n" % (wrong, " ".join("%.6g" % v for v in
                                                             x[-1, columns()])))
                e = nmse(x[-1, columns()], t[-1, columns()])
                print("%-20s %s %.2e" % (name, wrong, e))
    return 0


if __name__ == "__main__":
    sys.exit(main())
