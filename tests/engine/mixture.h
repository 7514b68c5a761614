/* SPDX-License-Identifier: GPL-2.0-only */
/* A small mixture of experts with random weights, as a file. */
#ifndef MIXTURE_H
#define MIXTURE_H

#include <stdbool.h>

#define MIXTURE_LAYERS 3
#define MIXTURE_EXPERTS 8
#define MIXTURE_USED 2
#define MIXTURE_VOCAB 320

bool mixture_write(const char *path);

#endif
