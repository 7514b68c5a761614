# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Batches for train.py: rows of running text and rows of conversations."""

import json
import random

import sentencepiece
import torch

from facts import SYSTEMS

BOS, END, START = 1, 2, 3
ASK_WEIGHT = 0.15        # loss on a question, relative to an answer


class Tokenizer:
    """The chat format over anything that encodes and decodes like SentencePiece."""

    def __init__(self, spm):
        self.spm = spm
        self.size = self.spm.vocab_size()
        self.newline = self.spm.encode("\n")

    def turn(self, role, text):
        return [START, *self.spm.encode(f"{role}\n{text}"), END, *self.newline]

    def question(self, text):
        """Everything of a turn up to where the answer begins."""
        return self.turn("user", text) + [START, *self.spm.encode("assistant\n")]

    def answer(self, text):
        return [*self.spm.encode(text), END]


def tokenizer_of(folder):
    return Tokenizer(sentencepiece.SentencePieceProcessor(model_file=str(folder / "spm.model")))


def held_out(index):
    """Every 50th document is kept for eval.py."""
    return index % 50 == 7


def read_text(folder):
    return [json.loads(line)["text"] for line in open(folder / "text.jsonl")]


def read_qa(folder):
    return [json.loads(line) for line in open(folder / "qa.jsonl")]


class Text:
    """An endless shuffled stream of documents, cut into rows."""

    def __init__(self, tok, folder, rng):
        docs = [t for i, t in enumerate(read_text(folder)) if not held_out(i)]
        self.docs = [[BOS, *ids, END] for ids in tok.spm.encode(docs)]
        self.rng, self.stream, self.order = rng, [], []

    def row(self, length):
        while len(self.stream) <= length:
            if not self.order:
                self.order = list(range(len(self.docs)))
                self.rng.shuffle(self.order)
            self.stream += self.docs[self.order.pop()]
        ids, self.stream = self.stream[:length + 1], self.stream[length:]
        return ids, [1.0] * length


class Conversations:
    """Facts drawn by weight, one to three turns a conversation, packed into rows."""

    def __init__(self, tok, folder, rng):
        rows = read_qa(folder)
        self.tok, self.rng = tok, rng
        self.facts = range(len(rows))
        self.weight = [r["weight"] for r in rows]
        self.ask = [tok.spm.encode(["user\n" + q for q in r["ask"]]) for r in rows]
        self.reply = [tok.answer(r["answer"]) for r in rows]
        self.head = tok.spm.encode("assistant\n")
        self.system = [tok.turn("system", s) for s in SYSTEMS]
        self.queue, self.waiting = [], []

    def conversation(self):
        rng = self.rng
        ids, weight = [BOS], [0.0]
        if rng.random() < 0.06:
            ids += rng.choice(self.system)
        for _ in range(rng.choices((1, 2, 3), (70, 20, 10))[0]):
            if not self.queue:
                self.queue = rng.choices(self.facts, self.weight, k=4096)
            fact = self.queue.pop()
            ask = [START, *rng.choice(self.ask[fact]), END, *self.tok.newline, START, *self.head]
            ids += ask
            weight += [0.0] * (len(ids) - len(ask) - len(weight)) + [ASK_WEIGHT] * len(ask)
            ids += self.reply[fact]
            weight += [1.0] * len(self.reply[fact])
            ids += self.tok.newline
            weight += [ASK_WEIGHT]
        return ids, weight

    def next_fit(self, room):
        """A conversation of at most room tokens, or None; those too long wait for the next row."""
        for i, (ids, _) in enumerate(self.waiting):
            if len(ids) <= room:
                return self.waiting.pop(i)
        while len(self.waiting) < 8:
            made = self.conversation()
            if len(made[0]) <= room:
                return made
            self.waiting.append(made)
        return None

    def row(self, length):
        ids, weight = [], []
        self.waiting = [w for w in self.waiting if len(w[0]) <= length + 1]
        while (found := self.next_fit(length + 1 - len(ids))) is not None:
            ids, weight = ids + found[0], weight + found[1]
        pad = length + 1 - len(ids)
        return ids + [END] * pad, (weight + [0.0] * pad)[1:]


def batch(source, rows, length):
    """ids (rows, length), next ids (rows, length), loss weights (rows, length)"""
    made = [source.row(length) for _ in range(rows)]
    ids = torch.tensor([m[0] for m in made])
    return ids[:, :-1], ids[:, 1:], torch.tensor([m[1] for m in made])


def rng_for(seed, rank):
    return random.Random(seed * 1000 + rank)
