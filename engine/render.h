/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A session's messages as one text for the tokenizer. */
#ifndef LX_RENDER_H
#define LX_RENDER_H

#include "session.h"

struct lx_rendered {
	char *text;
	size_t len, cap;
	struct lx_span *spans;
	u32 n_spans, cap_spans;
};

/*
 * Put the pending messages into the model's chat format; plain text when the
 * session is raw or the format is not known. The parts of the template are
 * trusted, messages only if they were written so. @answer: it is opened at the
 * end. Free with lx_render_free(),
 * also after an error. -LX_ENOMEM.
 */
int lx_render(struct lx_session *s, bool answer, struct lx_rendered *r,
	      struct lx_error *err);
void lx_render_free(struct lx_session *s, struct lx_rendered *r);

#endif
