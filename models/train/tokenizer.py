#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Train the vocabulary: SentencePiece BPE with byte fallback, chat markers as control tokens."""

import argparse
import json
import pathlib

import sentencepiece

from corpus import cache_dir

SPECIAL = {"<unk>": 0, "<s>": 1, "<|im_end|>": 2, "<|im_start|>": 3}


def sample(folder, out):
    """Two thirds questions and answers, one third running text, one line each."""
    with open(out, "w") as f:
        for line in open(folder / "qa.jsonl"):
            row = json.loads(line)
            for i in range(max(1, round(4 * row["weight"]))):
                ask = row["ask"][i * 7 % len(row["ask"])]
                f.write(f"user\n{ask}\nassistant\n{row['answer']}\n")
        for i, line in enumerate(open(folder / "text.jsonl")):
            if i % 2 == 0:
                f.write(json.loads(line)["text"][:3000] + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=pathlib.Path, default=cache_dir())
    parser.add_argument("--size", type=int, default=2048)
    args = parser.parse_args()
    sample(args.dir, args.dir / "spm.txt")
    sentencepiece.SentencePieceTrainer.train(
        input=str(args.dir / "spm.txt"), model_prefix=str(args.dir / "spm"), model_type="bpe",
        vocab_size=args.size, byte_fallback=True, character_coverage=1.0,
        unk_id=0, bos_id=1, eos_id=2, pad_id=-1, eos_piece="<|im_end|>",
        control_symbols=["<|im_start|>"], normalization_rule_name="identity",
        remove_extra_whitespaces=False, add_dummy_prefix=False, split_digits=True,
        allow_whitespace_only_pieces=True, max_sentence_length=20000, num_threads=2,
        minloglevel=1)
    spm = sentencepiece.SentencePieceProcessor(model_file=str(args.dir / "spm.model"))
    for piece, number in SPECIAL.items():
        assert spm.piece_to_id(piece) == number, piece


if __name__ == "__main__":
    main()
