#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Logits and greedy continuations against the reference vectors.

Reads $LLAMUX_SHARED/oracle (default: ../shared beside the tree), runs
`llamux logits` and `llamux ask` on every model there for every SIMD
implementation of this CPU, and holds the results against the bounds of the
oracle's README. Skips, counted, when the vectors are not there.
"""
# TIMEOUT: 900
import array
import math
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("LLAMUX_SHARED", os.path.join(TOP, "..", "shared"))
LLAMUX = os.environ.get("LLAMUX", os.path.join(TOP, "build", "llamux"))
SIMD = os.environ.get("LLAMUX_SIMD", "generic avx2 avxvnni avx512 avx512-256").split()

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


def run(*args):
    return subprocess.run([LLAMUX, "--user", *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)


def floats(path):
    a = array.array("f")
    with open(path, "rb") as f:
        a.frombytes(f.read())
    return a


def nmse(x, t):
    num = math.fsum((a - b) ** 2 for a, b in zip(x, t))
    return num / math.fsum(b * b for b in t)


def logits(model, simd, tokens, all_rows, *more):
    with tempfile.NamedTemporaryFile() as out:
        args = ["-m", model, "--simd", simd, "logits", "--tokens", tokens,
                "-o", out.name, *more]
        if all_rows:
            args.append("--all")
        r = run(*args)
        if r.returncode:
            return None, r.stderr.decode(errors="replace").strip()
        return floats(out.name), ""


def field(path, name):
    with open(path) as f:
        for line in f:
            if line.startswith(name + " "):
                return line.split()[1:]
    return []


def reference_nmse():
    table = {}
    with open(os.path.join(SHARED, "oracle", "SUMMARY.tsv")) as f:
        head = f.readline().rstrip("\n").split("\t")
        for line in f:
            row = dict(zip(head, line.rstrip("\n").split("\t")))
            table[row["case"]] = float(row["nmse(numpy64,ref)"])
    return table


def kind_of(name):
    """The class of bound a model's name falls in."""
    t = name.split("-", 1)[1]
    if name.startswith("minimoe") and t != "f16":
        return "moe"
    if t in ("f32",):
        return "f32"
    if t in ("f16",):
        return "f16"
    if t == "BF16":
        return "bf16"
    return "k" if t.endswith("_M") or t.endswith("_K") or t == "IQ4_XS" else "q"


SINGLE = {"f32": 1e-10, "f16": 3e-6, "bf16": 5e-5}
FACTOR = {"q": (1.05, 1.8), "k": (0.7, 1.2), "moe": (3.0, 3.0)}


def model_kind(name):
    # The 128-wide and Llama-3-style minis hold mostly Q5_0 and Q8_0.
    if name in ("mini128-Q4_K_M", "minil3-Q4_K_M"):
        return "q"
    return kind_of(name)


def type_of(name):
    """The quantization most of a model has: bounds on means are by type."""
    if name.startswith("minimoe"):
        return name
    if model_kind(name) != kind_of(name):
        return "Q5_0"
    return name.split("-", 1)[1]


def one_case(model, case, simd, ref):
    """NMSE of one case, bounds on it alone; returns it for the mean."""
    base = os.path.join(SHARED, "oracle", "cases", case)
    name = case.split(".")[0]
    kind = model_kind(name)
    truth = floats(base + ".truth.logits.bin")
    all_rows = field(base + ".txt", "logit_positions")[0] == "all"
    kv = ("--kv", "f32") if kind not in ("f16",) else ("--kv", "f16")
    x, err = logits(model, simd, base + ".tokens.txt", all_rows, *kv)
    if x is None:
        check(False, f"{case} {simd}: {err}")
        return None
    if len(x) != len(truth):
        check(False, f"{case} {simd}: {len(x)} logits, not {len(truth)}")
        return None
    e = nmse(x, truth)
    bound = SINGLE[kind] if kind in SINGLE else FACTOR[kind][1] * ref[case]
    rms = math.sqrt(math.fsum(t * t for t in truth) / len(truth))
    worst = max(abs(a - b) for a, b in zip(x, truth))
    limit = 8 * math.sqrt(max(ref[case], SINGLE.get(kind, 0))) * rms
    n = int(field(base + ".txt", "n_vocab")[0])
    check(e <= bound and worst <= limit,
          f"{case} {simd}: nmse {e:.3e} (bound {bound:.3e}) "
          f"max {worst:.4f} (bound {limit:.4f}) top1 {top1(x, truth, n):.3f} "
          f"kl {kl(x, truth, n):.2e}")
    return e


def rows(x, n):
    return [x[i:i + n] for i in range(0, len(x), n)]


def top1(x, t, n):
    hits = [max(range(n), key=a.__getitem__) == max(range(n), key=b.__getitem__)
            for a, b in zip(rows(x, n), rows(t, n))]
    return sum(hits) / len(hits)


def kl(x, t, n):
    """Mean KL divergence of the rows, truth against ours, in nats."""
    total = 0.0
    for a, b in zip(rows(x, n), rows(t, n)):
        ma, mb = max(a), max(b)
        la = ma + math.log(math.fsum(math.exp(v - ma) for v in a))
        lb = mb + math.log(math.fsum(math.exp(v - mb) for v in b))
        total += math.fsum(math.exp(q - lb) * ((q - lb) - (p - la))
                           for p, q in zip(a, b))
    return total / (len(t) // n)


def greedy(model, case, simd):
    """Under teacher forcing: argmax where the margin says it must agree."""
    base = os.path.join(SHARED, "oracle", "cases", case)
    want = [int(t) for t in field(base + ".txt", "greedy32")]
    margins = [float(m) for m in field(base + ".txt", "margins")]
    n = int(field(base + ".txt", "n_vocab")[0])
    kind = model_kind(case.split(".")[0])
    need = 0.0
    if kind not in SINGLE:
        truth = floats(base + ".truth.logits.bin")
        rms = math.sqrt(math.fsum(t * t for t in truth) / len(truth))
        need = 8.5 * math.sqrt(REF[case]) * rms
    with open(base + ".tokens.txt") as f:
        prompt = f.read().split()
    with tempfile.NamedTemporaryFile("w") as tok:
        tok.write("\n".join(prompt + [str(t) for t in want[:-1]]))
        tok.flush()
        x, err = logits(model, simd, tok.name, True)
    if x is None:
        check(False, f"{case} {simd} greedy: {err}")
        return
    r = rows(x, n)[len(prompt) - 1:]
    got = [max(range(n), key=v.__getitem__) for v in r]
    bad = [i for i in range(len(want)) if got[i] != want[i] and margins[i] > need]
    sure = sum(m > need for m in margins)
    check(not bad and len(got) == len(want),
          f"{case} {simd} greedy: {sure} steps with a margin above {need:.2f}"
          + (f", wrong at {bad}" if bad else ""))


def same_bytes(model, case, simds):
    """Batch sizes, threads and implementations: the same bits."""
    tokens = os.path.join(SHARED, "oracle", "cases", case + ".tokens.txt")
    want, err = logits(model, simds[0], tokens, True)
    for simd in simds:
        for more in ((), ("--batch", "1"), ("--batch", "7"), ("--batch", "64"),
                     ("-t", "1"), ("-t", "3", "--batch", "13")):
            got, err = logits(model, simd, tokens, True, *more)
            check(got is not None and want is not None and got == want,
                  f"{case} {simd} {' '.join(more)}: same bytes {err}")


def stories(simd):
    model = os.path.join(SHARED, "models", "stories260K.gguf")
    base = os.path.join(SHARED, "oracle", "cases", "stories260K.once")
    want = field(base + ".txt", "greedy32")
    r = run("-m", model, "--simd", simd, "--json", "ask", "--raw", "--temp",
            "0", "-n", "32", "Once upon a time")
    text = run("-m", model, "detokenize", " ".join(want)).stdout.decode()
    check(r.returncode == 0 and text.strip() in r.stdout.decode().replace('\\n', '\n'),
          f"stories260K {simd}: the 32 greedy tokens")


def usable(simd):
    model = os.path.join(SHARED, "models", "stories260K.gguf")
    r = run("-m", model, "--simd", simd, "ask", "--raw", "-n", "1", "x")
    if b"lacks it" not in r.stderr:
        return True
    skip(simd + ": not on this CPU")
    return False


def main():
    global REF
    if not os.path.isdir(os.path.join(SHARED, "oracle")):
        skip("no reference vectors at " + SHARED)
        return
    REF = reference_nmse()
    only = sys.argv[1:]
    simds = [simd for simd in SIMD if usable(simd)]
    for simd in simds:
        stories(simd)
        by_type = {}
        for case in sorted(REF):
            name = case.split(".")[0]
            if only and not any(o in case for o in only):
                continue
            model = os.path.join(SHARED, "oracle", "models", name + ".gguf")
            e = one_case(model, case, simd, REF)
            kind = model_kind(name)
            if e is not None and kind in FACTOR:
                by_type.setdefault((type_of(name), kind), []).append((e, REF[case]))
            if ".B24" in case:
                greedy(model, case, simd)
        for (name, kind), pairs in by_type.items():
            g = math.exp(math.fsum(math.log(a / b) for a, b in pairs) / len(pairs))
            check(g <= FACTOR[kind][0],
                  f"{name} {simd}: geometric mean {g:.3f} of the reference "
                  f"(bound {FACTOR[kind][0]})")
    for case in ("mini256-Q4_K_M.C200", "mini256-Q6_K.C200", "minimoe-Q8_0.C200",
                 "mini256-f16.C200", "minil3-Q4_K_M.C200", "mini256-Q2_K.C200"):
        if not only or any(o in case for o in only):
            same_bytes(os.path.join(SHARED, "oracle", "models",
                                    case.split(".")[0] + ".gguf"), case, simds)


REF = {}
main()
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed else 77 if not passed else 0)
