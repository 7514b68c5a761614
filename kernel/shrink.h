/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_SHRINK_H
#define LLAMUX_SHRINK_H

#include <linux/types.h>

struct llamux_model;

/* By the model's thread, while the engine is open. */
int llamux_shrink_start(struct llamux_model *m);
void llamux_shrink_stop(struct llamux_model *m);

/*
 * All that can be computed again, of all models whose locks are free. Waits
 * for nothing. Returns bytes.
 */
u64 llamux_shrink_all(void);

#endif
