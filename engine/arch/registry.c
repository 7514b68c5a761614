// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The implementations that were compiled in, best last. */
#include "lx/lx.h"
#include "op.h"

static const struct lx_ops *const implementations[] = {
	&lx_ops_generic,
#if defined(__x86_64__) && !defined(LX_GENERIC_ONLY)
	&lx_ops_avx2,
	&lx_ops_avxvnni,
	&lx_ops_avx512_256,
	&lx_ops_avx512,
#endif
};

static bool name_eq(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static bool usable(const struct lx_ops *ops)
{
	return (lx_cpu_features() & ops->cpu) == ops->cpu;
}

bool lx_ops_any(const char *name)
{
	return !name || name_eq(name, "auto");
}

const struct lx_ops *lx_ops_rival(const struct lx_ops *best, u32 n)
{
	if (!n)
		return best;
	for (u32 i = 0; i < LX_ARRAY_SIZE(implementations); i++) {
		const struct lx_ops *ops = implementations[i];

		if (ops != best && ops->rank == best->rank && usable(ops) &&
		    !--n)
			return ops;
	}
	return NULL;
}

const struct lx_ops *lx_ops_find(const char *name)
{
	bool best = lx_ops_any(name);
	u32 i = LX_ARRAY_SIZE(implementations);

	while (i-- > 0) {
		const struct lx_ops *ops = implementations[i];

		if (usable(ops) && (best || name_eq(name, ops->name)))
			return ops;
	}
	return NULL;
}

const char *lx_simd_name(u32 n, bool *ok)
{
	if (n >= LX_ARRAY_SIZE(implementations))
		return NULL;
	*ok = usable(implementations[n]);
	return implementations[n]->name;
}
