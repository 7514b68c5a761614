#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Damaged models through the module, where the sanitizers watch: errors that
# say what is wrong, nothing else.
# BEDS: uml-debug
# TIMEOUT: 900
. "$(dirname "$0")/lib.sh"

FLIP=$(program gguf_flip)
MODEL=$(test_model) || exit 77
insmod "$LLAMUX_KO" || exit 1
check "300 bit-flipped models" "$FLIP" "$MODEL" "$TMP/flip.gguf" flips 300 7
check "100 truncated models" "$FLIP" "$MODEL" "$TMP/cut.gguf" cuts 100
check "rmmod" rmmod llamux
finish
