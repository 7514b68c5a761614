# SPDX-License-Identifier: GPL-2.0-only
"""A damaged copy of a model: damage.py IN OUT WHAT. For damaged.sh."""
import struct
import sys

SIZE = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


class File:
    """A GGUF taken apart: keys as (name, type, bytes), tensors as lists."""

    def __init__(self, path):
        self.data = open(path, "rb").read()
        self.at = 24
        self.version, n_tensors, n_kv = struct.unpack_from("<IQQ", self.data, 4)
        self.kv = [self.key() for _ in range(n_kv)]
        self.tensors = [self.tensor() for _ in range(n_tensors)]
        self.body = self.data[(self.at + 31) // 32 * 32:]
        self.n_kv, self.n_tensors = None, None

    def take(self, n):
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def string(self):
        return self.take(self.number("Q"))

    def value(self, kind):
        if kind == 8:
            self.string()
        elif kind == 9:
            elem, count = self.number("I"), self.number("Q")
            if elem == 8:
                for _ in range(count):
                    self.string()
            else:
                self.take(SIZE[elem] * count)
        else:
            self.take(SIZE[kind])

    def key(self):
        name, kind, start = self.string(), self.number("I"), self.at
        self.value(kind)
        return [name.decode(), kind, self.data[start:self.at]]

    def tensor(self):
        name = self.string().decode()
        ne = [self.number("Q") for _ in range(self.number("I"))]
        return [name, ne, self.number("I"), self.number("Q")]

    def __bytes__(self):
        n_tensors = len(self.tensors) if self.n_tensors is None else self.n_tensors
        n_kv = len(self.kv) if self.n_kv is None else self.n_kv
        out = b"GGUF" + struct.pack("<IQQ", self.version, n_tensors, n_kv)
        for name, kind, value in self.kv:
            out += text(name) + struct.pack("<I", kind) + value
        for name, ne, kind, offset in self.tensors:
            out += text(name) + struct.pack("<I", len(ne))
            out += struct.pack("<%dQIQ" % len(ne), *ne, kind, offset)
        return out + bytes(-len(out) % 32) + self.body

    def find(self, name):
        return next(x for x in self.kv + self.tensors if x[0] == name)

    def put(self, name, kind, value):
        self.kv = [k for k in self.kv if k[0] != name] + [[name, kind, value]]


def text(s):
    data = s.encode()
    return struct.pack("<Q", len(data)) + data


def u32(v):
    return struct.pack("<I", v)


def array(kind, count, data):
    return struct.pack("<IQ", kind, count) + data


Q = "blk.0.attn_q.weight"
NORM = "blk.0.attn_norm.weight"


def damage(f, what):
    arch = next(k for k in f.kv if k[0] == "general.architecture")[2][8:].decode()
    q, norm = f.find(Q), f.find(NORM)
    if what == "missing":
        f.tensors.remove(q)
    elif what == "renamed":
        q[0] = "blk.0.attn_Q.weight"
    elif what == "shape":
        q[1] = [q[1][0], q[1][1] // 2]
    elif what == "type":
        norm[2] = 26
    elif what == "dimensions":
        norm[1] = [1, norm[1][0]]
    elif what == "zero":
        q[1] = [q[1][0], 0]
    elif what == "offset":
        q[3] = 2**64 - 32
    elif what in ("nan", "infinite"):
        f.body = bytearray(f.body)
        f.body[q[3]:q[3] + 2] = b"\0\x7e" if what == "nan" else b"\0\x7c"
    elif what == "alignment":
        f.put("general.alignment", 4, u32(1 << 31))
    elif what == "duplicate":
        f.kv.append(f.kv[0])
    elif what == "scores":
        f.put("tokenizer.ggml.scores", 9, array(5, 1, u32(0)))
    elif what == "string":
        f.kv.append(["long", 8, struct.pack("<Q", 1 << 32)])
    elif what == "keys":
        f.n_kv = 1 << 60
    elif what == "tensors":
        f.n_tensors = 1 << 60
    elif what == "version":
        f.version = 1
    elif what == "endian":
        f.version = 0x03000000
    elif what == "token":
        f.put("tokenizer.ggml.bos_token_id", 4, u32(1 << 24))
    elif what == "tokens":
        f.put("tokenizer.ggml.token_type", 9, array(4, 1, u32(1)))
    else:  # block_count=0 and the like
        name, value = what.split("=")
        f.put(arch + "." + name, 4, u32(int(value)))


def main():
    f = File(sys.argv[1])
    damage(f, sys.argv[3])
    with open(sys.argv[2], "wb") as out:
        out.write(bytes(f))


if __name__ == "__main__":
    main()
