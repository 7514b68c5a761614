/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_LOOP_H
#define LLAMUX_LOOP_H

/* The thread of a model; @data is the struct llamux_model. */
int llamux_loop(void *data);

#endif
