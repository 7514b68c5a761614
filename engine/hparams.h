/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LX_HPARAMS_H
#define LX_HPARAMS_H

struct lx_model;
struct lx_error;

/*
 * Fill m->hp from the header, but for what differs from layer to layer.
 * -LX_EBADMSG or -LX_ENOPKG name the key.
 */
int lx_hparams_read(struct lx_model *m, struct lx_error *err);
/*
 * The sizes of m->layers[n_layer], and the largest of them in m->hp; which
 * have a window, and how they rotate. Errors name the key and the layer.
 */
int lx_hparams_layers(struct lx_model *m, struct lx_error *err);

#endif
