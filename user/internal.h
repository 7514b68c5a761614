/* SPDX-License-Identifier: MIT OR LGPL-2.1-or-later */
/*
 * Calls of libllamux that this project's own programs need beside those of
 * llamux.h. The shared library does not export them.
 */
#ifndef USER_INTERNAL_H
#define USER_INTERNAL_H

#include "llamux.h"

/*
 * llamux_logprobs() from record @first on: at most @max records are written,
 * and no others are copied. Returns how many there are in all.
 */
ssize_t llamux_logprobs_from(struct llamux *l, size_t first,
			     uint32_t n_logprobs,
			     struct llamux_logprob *records, size_t max);
/* llamux_set_grammar() with what gbnf_compile() has made of it; NULL: none. */
int llamux_set_automaton(struct llamux *l, const void *blob, size_t n);

#endif
