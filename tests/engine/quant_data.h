/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Seeded weights of several shapes, by operations that round the same way
 * everywhere: what the reference was measured on can be made again.
 */
#ifndef QUANT_DATA_H
#define QUANT_DATA_H

#include <stdint.h>

#define QUANT_ROWS 16
#define QUANT_COLS 1024

enum quant_shape {
	QUANT_GAUSS, QUANT_HEAVY, QUANT_OUTLIERS, QUANT_SHIFTED, QUANT_UNEVEN,
	QUANT_SHAPES
};

static const char *const quant_shape_names[] = {
	"gauss", "heavy", "outliers", "shifted", "uneven"
};

static inline uint32_t quant_random(uint64_t *s)
{
	*s = *s * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*s >> 33);
}

/* Twelve uniform numbers: mean 0, variance 1 */
static inline float quant_gauss(uint64_t *s)
{
	int32_t sum = 0;

	for (int i = 0; i < 12; i++)
		sum += (int32_t)(quant_random(s) & 0xffff);
	return (float)(sum - 393210) * (1.0f / 65536.0f);
}

/* @x: QUANT_ROWS x QUANT_COLS */
static inline void quant_data(enum quant_shape shape, float *x)
{
	uint64_t s = 0x9e3779b97f4a7c15ull + (uint64_t)shape;
	float scale = 0.02f;

	for (int i = 0; i < QUANT_ROWS * QUANT_COLS; i++) {
		float g = quant_gauss(&s), h;

		switch (shape) {
		case QUANT_HEAVY:
			h = quant_gauss(&s);
			g = g / ((h < 0.0f ? -h : h) + 0.2f);
			break;
		case QUANT_OUTLIERS:
			if (quant_random(&s) % 97 == 0)
				g = g * 16.0f;
			break;
		case QUANT_SHIFTED:
			g = g + 0.75f;
			break;
		case QUANT_UNEVEN:
			if (i % 16 == 0)
				scale = (float)(1 + quant_random(&s) % 255) *
					0x1p-12f;
			break;
		default:
			break;
		}
		x[i] = g * scale;
	}
}

#endif
