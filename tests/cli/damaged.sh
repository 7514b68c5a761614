#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Models with one thing wrong are refused, and the message names it.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need_model

# refused WHAT WORDS: see damage.py.
refused() {
	python3 "$top/tests/cli/damage.py" "$model" "$work/model.gguf" "$1" || {
		is "$1: made" false
		return
	}
	run --user -m "$work/model.gguf" ask --raw --temp 0 -n 1 x
	is "$1: refused" test "$status" -eq 1
	is "$1: named ($2)" err_has "$2"
	is "$1: says nothing else" silent
}

refused missing 'blk\.0\.attn_q\.weight'
refused renamed 'blk\.0\.attn_q\.weight'
refused shape 'blk\.0\.attn_q\.weight'
refused type 'blk\.0\.attn_norm\.weight'
refused dimensions 'blk\.0\.attn_norm\.weight'
refused zero "'blk\.0\.attn_q\.weight' has a dimension of 0"
refused offset 'blk\.0\.attn_q\.weight'
refused nan 'blk\.0\.attn_q\.weight.*finite'
refused infinite 'blk\.0\.attn_q\.weight.*finite'
refused alignment "'general\.alignment' is 2147483648"
refused duplicate "key '.*' stands there twice"
refused scores "'tokenizer\.ggml\.scores'"
refused string 'the file|4294967296|long'
refused keys '1152921504606846976 keys'
refused tensors '1152921504606846976 tensors'
refused version 'version 1 is not supported'
refused endian 'big-endian'
refused token "'tokenizer\.ggml\.bos_token_id' is 16777216"
refused tokens "'tokenizer\.ggml\.token_type'"
refused block_count=0 'block_count: 0'
refused block_count=9999999 'block_count: 9999999'
refused attention.head_count=0 'head_count: 0'
refused attention.head_count_kv=0 'head_count_kv: 0'
refused embedding_length=0 'embedding_length: 0'
refused embedding_length=4294967295 'embedding_length: 4294967295'
refused context_length=0 'context_length: 0'
refused rope.dimension_count=3 'rope\.dimension_count.* 3 is odd'
finish
