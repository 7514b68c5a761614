/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_HOST_H
#define LLAMUX_HOST_H

struct llamux_model;

/* Make a model's struct lx_host: memory accounted to it, the shared workers. */
void llamux_host_init(struct llamux_model *m);

#endif
