# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Just enough of GGUF v3: scalars, strings, arrays; F32 and Q8_0 tensors."""

import heapq
import struct

import numpy as np

MAGIC, VERSION, ALIGN = 0x46554747, 3, 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
SCALAR = {U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}
TENSOR_F32, TENSOR_Q8_0 = 0, 8
BLOCK = np.dtype([("d", "<f2"), ("q", "i1", 32)])    # 32 weights: scale and quants


def quantize_q8_0(x):
    """x (rows, cols), cols a multiple of 32 -> blocks"""
    x = np.asarray(x, np.float32).reshape(-1, 32)
    d = (np.abs(x).max(1) / 127).astype(np.float16)
    scale = d.astype(np.float32)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    out = np.empty(len(x), BLOCK)
    out["d"] = d
    out["q"] = np.clip(np.rint(x * inverse[:, None]), -127, 127)
    return out


def _string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(kind, value):
    if kind == STRING:
        return _string(value)
    if kind == ARRAY:
        item, values = value
        return struct.pack("<IQ", item, len(values)) + b"".join(_value(item, v) for v in values)
    return struct.pack(SCALAR[kind], value)


def write(path, metadata, tensors):
    """metadata: [(key, kind, value)]; tensors: [(name, array (rows, cols) or (n,))]"""
    head = [struct.pack("<IIQQ", MAGIC, VERSION, len(tensors), len(metadata))]
    for key, kind, value in metadata:
        head.append(_string(key) + struct.pack("<I", kind) + _value(kind, value))
    data, offset = [], 0
    for name, array in tensors:
        matrix = array.ndim == 2
        raw = quantize_q8_0(array).tobytes() if matrix else array.astype("<f4").tobytes()
        shape = array.shape[::-1]
        head.append(_string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape,
                                                TENSOR_Q8_0 if matrix else TENSOR_F32, offset))
        raw += b"\0" * (-len(raw) % ALIGN)
        data.append(raw)
        offset += len(raw)
    head = b"".join(head)
    with open(path, "wb") as f:
        f.write(head + b"\0" * (-len(head) % ALIGN) + b"".join(data))


class Reader:
    """metadata: {key: value}; tensors: {name: float32 array}"""

    def __init__(self, path):
        self.raw, self.at = open(path, "rb").read(), 0
        magic, version, n_tensor, n_meta = self._take("<IIQQ")
        if magic != MAGIC or version != VERSION:
            raise ValueError("not a GGUF v3 file")
        self.metadata = {}
        for _ in range(n_meta):
            key = self._string()
            self.metadata[key] = self._read(self._take("<I")[0])
        infos = []
        for _ in range(n_tensor):
            name, n_dim = self._string(), self._take("<I")[0]
            infos.append((name, self._take(f"<{n_dim}Q")[::-1], *self._take("<IQ")))
        base = -(-self.at // ALIGN) * ALIGN
        self.tensors = {name: self._tensor(base + offset, kind, shape)
                        for name, shape, kind, offset in infos}

    def _take(self, form):
        out = struct.unpack_from(form, self.raw, self.at)
        self.at += struct.calcsize(form)
        return out

    def _string(self):
        n = self._take("<Q")[0]
        self.at += n
        return self.raw[self.at - n:self.at].decode()

    def _read(self, kind):
        if kind == STRING:
            return self._string()
        if kind == ARRAY:
            item, n = self._take("<IQ")
            return [self._read(item) for _ in range(n)]
        return self._take(SCALAR[kind])[0]

    def _tensor(self, at, kind, shape):
        n = int(np.prod(shape))
        if kind == TENSOR_F32:
            return np.frombuffer(self.raw, "<f4", n, at).reshape(shape)
        blocks = np.frombuffer(self.raw, BLOCK, n // 32, at)
        return (blocks["d"].astype(np.float32)[:, None] * blocks["q"]).reshape(shape)


class Vocabulary:
    """SentencePiece BPE as the file describes it: join the neighbours of the best score."""

    def __init__(self, metadata):
        self.pieces = metadata["tokenizer.ggml.tokens"]
        self.scores = metadata["tokenizer.ggml.scores"]
        self.kinds = metadata["tokenizer.ggml.token_type"]
        self.ids = {p: i for i, p in enumerate(self.pieces) if self.kinds[i] == 1}
        self.bytes = {int(p[3:5], 16): i for i, p in enumerate(self.pieces) if self.kinds[i] == 6}

    def vocab_size(self):
        return len(self.pieces)

    def encode(self, text):
        part = list(text.replace(" ", "\u2581"))
        after = list(range(1, len(part) + 1))
        before = list(range(-1, len(part) - 1))
        heap = []

        def offer(left):
            right = after[left] if left >= 0 else len(part)
            if right < len(part):
                found = self.ids.get(part[left] + part[right])
                if found is not None:
                    heapq.heappush(heap, (-self.scores[found], left, right, self.pieces[found]))

        for i in range(len(part) - 1):
            offer(i)
        while heap:
            _, left, right, joined = heapq.heappop(heap)
            if part[left] is None or part[right] is None or part[left] + part[right] != joined:
                continue
            part[left], part[right] = joined, None
            after[left] = after[right]
            if after[left] < len(part):
                before[after[left]] = left
            offer(before[left])
            offer(left)
        out = []
        for p in part:
            if p in self.ids:
                out.append(self.ids[p])
            elif p is not None:
                out += [self.bytes[b] for b in p.replace("\u2581", " ").encode()]
        return out

    def decode(self, ids):
        raw = b"".join(bytes([int(self.pieces[i][3:5], 16)]) if self.kinds[i] == 6 else
                       self.pieces[i].replace("\u2581", " ").encode() if self.kinds[i] == 1 else b""
                       for i in ids)
        return raw.decode("utf-8", "replace")
