// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Keys and values of a GGUF header: reading them with every length checked,
 * and looking them up. Values stay where they are in the blob.
 */
#include "gguf_priv.h"

#define KEY_MAX 65535

static const u8 type_size[LX_GGUF_TYPES] = {
	[LX_GGUF_U8] = 1, [LX_GGUF_I8] = 1, [LX_GGUF_U16] = 2,
	[LX_GGUF_I16] = 2, [LX_GGUF_U32] = 4, [LX_GGUF_I32] = 4,
	[LX_GGUF_F32] = 4, [LX_GGUF_BOOL] = 1, [LX_GGUF_U64] = 8,
	[LX_GGUF_I64] = 8, [LX_GGUF_F64] = 8,
};

int lx_gguf_read_u32(struct lx_gguf_reader *r, u32 *v)
{
	int ret = lx_gguf_need(r, 4);

	if (ret)
		return ret;
	*v = lx_le32(lx_gguf_at(r));
	r->off += 4;
	return 0;
}

int lx_gguf_read_u64(struct lx_gguf_reader *r, u64 *v)
{
	int ret = lx_gguf_need(r, 8);

	if (ret)
		return ret;
	*v = lx_le64(lx_gguf_at(r));
	r->off += 8;
	return 0;
}

int lx_gguf_read_str(struct lx_gguf_reader *r, struct lx_str *s,
		     const char *what)
{
	u64 n;
	int ret = lx_gguf_read_u64(r, &n);

	if (ret)
		return ret;
	if (n > r->size - r->off || n > 0xffffffff)
		return lx_fail(r->err, -LX_EBADMSG,
			       "%s has %llu bytes but the file only %llu more",
			       what, n, r->size - r->off);
	ret = lx_gguf_need(r, n);
	if (ret)
		return ret;
	s->p = (const char *)lx_gguf_at(r);
	s->n = (u32)n;
	r->off += n;
	return 0;
}

/*
 * The key of the value being read, for messages: re-read from its offset,
 * because the blob may have moved since.
 */
static struct lx_str key_at(const struct lx_gguf_reader *r, u64 off)
{
	struct lx_str k = { (const char *)r->blob.p + off + 8,
			    (u32)lx_le64(r->blob.p + off) };
	return k;
}

static int fail_key(struct lx_gguf_reader *r, u64 key_off, const char *why)
{
	struct lx_str k = key_at(r, key_off);

	return lx_fail(r->err, -LX_EBADMSG, "key '%.*s': %s",
		       (int)lx_min(k.n, 100u), k.p, why);
}

static int skip_bytes(struct lx_gguf_reader *r, u64 key_off, u64 count,
		      u32 size)
{
	int ret;

	if (count > (r->size - r->off) / size)
		return fail_key(r, key_off, "longer than the file");
	ret = lx_gguf_need(r, count * size);
	if (!ret)
		r->off += count * size;
	return ret;
}

static int skip_bools(struct lx_gguf_reader *r, u64 key_off, u64 count)
{
	u64 from = r->off;
	int ret = skip_bytes(r, key_off, count, 1);

	if (ret)
		return ret;
	for (u64 i = 0; i < count; i++)
		if (r->blob.p[from + i] > 1)
			return fail_key(r, key_off, "a bool that is not 0 or 1");
	return 0;
}

static int skip_strings(struct lx_gguf_reader *r, u64 key_off, u64 count)
{
	struct lx_str s;
	u64 n;
	int ret = 0;

	if (count > (r->size - r->off) / 8)
		return fail_key(r, key_off,
				"more strings than the file has room for");
	for (u64 i = 0; !ret && i < count; i++) {
		ret = lx_gguf_need(r, 8);
		if (ret)
			break;
		n = lx_le64(lx_gguf_at(r));
		if (n > r->size - r->off - 8)
			return fail_key(r, key_off,
					"a string longer than the file");
		ret = lx_gguf_read_str(r, &s, "string");
	}
	return ret;
}

static int skip_values(struct lx_gguf_reader *r, u64 key_off, u32 type,
		       u64 count)
{
	if (type == LX_GGUF_STRING)
		return skip_strings(r, key_off, count);
	if (type == LX_GGUF_BOOL)
		return skip_bools(r, key_off, count);
	return skip_bytes(r, key_off, count, type_size[type]);
}

static int read_array_head(struct lx_gguf_reader *r, u64 key_off, u32 *elem,
			   u64 *count)
{
	int ret = lx_gguf_read_u32(r, elem);

	if (!ret)
		ret = lx_gguf_read_u64(r, count);
	if (ret)
		return ret;
	if (*elem == LX_GGUF_ARRAY)
		return fail_key(r, key_off, "an array of arrays");
	if (*elem >= LX_GGUF_TYPES)
		return fail_key(r, key_off, "an array of an unknown type");
	return 0;
}

int lx_gguf_read_kv(struct lx_gguf_reader *r, struct lx_gguf_kv *kv)
{
	u64 key_off = r->off, count = 1, data;
	u32 type, elem;
	struct lx_str key;
	int ret = lx_gguf_read_str(r, &key, "a key");

	if (ret)
		return ret;
	if (!key.n || key.n > KEY_MAX)
		return lx_fail(r->err, -LX_EBADMSG,
			       "a key of %u bytes at offset %llu", key.n,
			       key_off);
	ret = lx_gguf_read_u32(r, &type);
	if (ret)
		return ret;
	if (type >= LX_GGUF_TYPES)
		return fail_key(r, key_off, "a value of an unknown type");
	elem = type;
	if (type == LX_GGUF_ARRAY)
		ret = read_array_head(r, key_off, &elem, &count);
	data = r->off;
	if (!ret)
		ret = skip_values(r, key_off, elem, count);
	if (ret || !kv)
		return ret;
	kv->key = key_at(r, key_off);
	kv->type = type;
	kv->elem_type = elem;
	kv->count = count;
	kv->data = r->blob.p + data;
	kv->size = r->off - data;
	return 0;
}

bool lx_str_eq(struct lx_str s, const char *z)
{
	size_t n = lx_strlen(z);

	return s.n == n && !lx_memcmp(s.p, z, n);
}

const struct lx_gguf_kv *lx_gguf_find_kv(const struct lx_gguf_kv *kv, u64 n,
					 const char *key)
{
	for (u64 i = 0; i < n; i++)
		if (lx_str_eq(kv[i].key, key))
			return &kv[i];
	return NULL;
}

const struct lx_gguf_kv *lx_gguf_find(const struct lx_gguf *g, const char *key)
{
	return lx_gguf_find_kv(g->kv, g->n_kv, key);
}

struct lx_str lx_gguf_next_str(const struct lx_gguf_kv *kv, u64 *pos)
{
	struct lx_str s;

	s.n = (u32)lx_le64(kv->data + *pos);
	s.p = (const char *)kv->data + *pos + 8;
	*pos += 8 + s.n;
	return s;
}

u64 lx_gguf_elem(const struct lx_gguf_kv *kv, u64 i)
{
	const u8 *p = kv->data + i * type_size[kv->elem_type];

	switch (kv->elem_type) {
	case LX_GGUF_U8:
	case LX_GGUF_BOOL:
		return *p;
	case LX_GGUF_I8:
		return (u64)(s64)(s8)*p;
	case LX_GGUF_U16:
		return lx_le16(p);
	case LX_GGUF_I16:
		return (u64)(s64)(s16)lx_le16(p);
	case LX_GGUF_U32:
	case LX_GGUF_F32:
		return lx_le32(p);
	case LX_GGUF_I32:
		return (u64)(s64)(s32)lx_le32(p);
	case LX_GGUF_U64:
	case LX_GGUF_I64:
	case LX_GGUF_F64:
		return lx_le64(p);
	}
	return 0;
}

static int fail_type(struct lx_error *err, const struct lx_gguf_kv *kv,
		     const char *want)
{
	return lx_fail(err, -LX_EBADMSG, "key '%.*s' is not %s",
		       (int)lx_min(kv->key.n, 100u), kv->key.p, want);
}

static bool is_signed_type(u32 type)
{
	return type == LX_GGUF_I8 || type == LX_GGUF_I16 ||
	       type == LX_GGUF_I32 || type == LX_GGUF_I64;
}

static bool is_unsigned_type(u32 type)
{
	return type == LX_GGUF_U8 || type == LX_GGUF_U16 ||
	       type == LX_GGUF_U32 || type == LX_GGUF_U64;
}

int lx_gguf_kv_u32(const struct lx_gguf_kv *kv, u32 *v, struct lx_error *err)
{
	u64 x;

	if (!is_signed_type(kv->type) && !is_unsigned_type(kv->type))
		return fail_type(err, kv, "an integer");
	x = lx_gguf_elem(kv, 0);
	if (x > 0xffffffff)
		return fail_type(err, kv, "in the range of a u32");
	*v = (u32)x;
	return 1;
}

int lx_gguf_get_u32(const struct lx_gguf *g, const char *key, u32 *v,
		    struct lx_error *err)
{
	const struct lx_gguf_kv *kv = lx_gguf_find(g, key);

	return kv ? lx_gguf_kv_u32(kv, v, err) : 0;
}

/*
 * The bits of an f64 as those of the nearest f32, ties to even; a NaN stays
 * one. Works on the 52-bit fraction as an integer: bring it to the f32's
 * position (further for subnormals), then round by what was shifted out.
 */
static u32 f32_from_f64(u64 d)
{
	u32 sign = (u32)(d >> 63) << 31;
	s32 e = (s32)(d >> 52 & 0x7ff) - 1023 + 127;	/* the f32's biased */
	u64 m = d & ((1ull << 52) - 1);
	u64 rest, half, q;
	u32 shift = 29;

	if ((d >> 52 & 0x7ff) == 0x7ff)
		return sign | 0x7f800000 | (m ? 0x400000 : 0);
	if (e >= 255)
		return sign | 0x7f800000;
	if (e <= 0) {
		if (e < -24)
			return sign;
		m |= 1ull << 52;
		shift = (u32)(30 - e);
		e = 0;
	}
	q = m >> shift;
	rest = m & ((1ull << shift) - 1);
	half = 1ull << (shift - 1);
	if (rest > half || (rest == half && (q & 1)))
		q++;
	/* A carry out of the fraction is the next exponent, as it should be. */
	return sign | (((u32)e << 23) + (u32)q);
}

int lx_gguf_get_f32(const struct lx_gguf *g, const char *key, u32 *bits,
		    struct lx_error *err)
{
	const struct lx_gguf_kv *kv = lx_gguf_find(g, key);

	if (!kv)
		return 0;
	if (kv->type == LX_GGUF_F32)
		*bits = (u32)lx_gguf_elem(kv, 0);
	else if (kv->type == LX_GGUF_F64)
		*bits = f32_from_f64(lx_gguf_elem(kv, 0));
	else
		return fail_type(err, kv, "a float");
	return 1;
}

int lx_gguf_get_bool(const struct lx_gguf *g, const char *key, bool *v,
		     struct lx_error *err)
{
	const struct lx_gguf_kv *kv = lx_gguf_find(g, key);

	if (!kv)
		return 0;
	if (kv->type != LX_GGUF_BOOL)
		return fail_type(err, kv, "a bool");
	*v = *kv->data != 0;
	return 1;
}

int lx_gguf_get_str(const struct lx_gguf *g, const char *key,
		    struct lx_str *v, struct lx_error *err)
{
	const struct lx_gguf_kv *kv = lx_gguf_find(g, key);
	u64 pos = 0;

	if (!kv)
		return 0;
	if (kv->type != LX_GGUF_STRING)
		return fail_type(err, kv, "a string");
	*v = lx_gguf_next_str(kv, &pos);
	return 1;
}
