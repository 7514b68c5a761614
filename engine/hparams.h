/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LX_HPARAMS_H
#define LX_HPARAMS_H

struct lx_model;
struct lx_error;

/* Fill m->hp from the header. -LX_EBADMSG or -LX_ENOPKG name the key. */
int lx_hparams_read(struct lx_model *m, struct lx_error *err);
/* Which of m->layers have a window, and how they rotate. */
int lx_hparams_layers(struct lx_model *m, struct lx_error *err);

#endif
