// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Messages and the model's chat format, put together once per turn. */
#include "render.h"
#include "scratch.h"

static bool formatted(const struct lx_session *s)
{
	enum lx_chat_kind k = s->e->model->info.chat;

	return !(s->p.flags & LX_SESSION_RAW) && k != LX_CHAT_NONE &&
	       k != LX_CHAT_UNKNOWN;
}

/* The first pass counts, the second writes. */
static void put(struct lx_rendered *r, const char *p, size_t n, bool special)
{
	if (!n)
		return;
	if (r->text) {
		lx_memcpy(r->text + r->len, p, n);
		r->spans[r->n_spans].end = r->len + n;
		r->spans[r->n_spans].special = special;
	}
	r->len += n;
	r->n_spans++;
}

static void put_str(struct lx_rendered *r, struct lx_str s)
{
	put(r, s.p, s.n, true);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* As templates that strip messages do it. */
static struct lx_str trim(struct lx_str t)
{
	while (t.n && is_space(t.p[t.n - 1]))
		t.n--;
	while (t.n && is_space(*t.p)) {
		t.p++;
		t.n--;
	}
	return t;
}

/* As the template does it when the conversation begins without one. */
static void put_default_system(const struct lx_session *s,
			       struct lx_rendered *r)
{
	enum lx_chat_kind k = s->e->model->info.chat;
	struct lx_str text = lx_chat_default_system(k, s->e->model->tmpl);

	if (!text.n || !s->n_msgs || s->msgs[0].role == LX_ROLE_SYSTEM)
		return;
	put_str(r, lx_chat_before(k, LX_ROLE_SYSTEM, 0, true));
	put(r, text.p, text.n, false);
	put_str(r, lx_chat_after(k, LX_ROLE_SYSTEM, 0, true));
}

static void walk(const struct lx_session *s, bool answer,
		 struct lx_rendered *r)
{
	enum lx_chat_kind k = s->e->model->info.chat;
	bool chat = formatted(s), sys = s->has_system;
	u32 index = s->n_messages;

	r->len = 0;
	r->n_spans = 0;
	if (chat && s->answered)
		put_str(r, lx_chat_after(k, LX_ROLE_ASSISTANT, index - 1, sys));
	if (chat && !index)
		put_default_system(s, r);
	for (u32 i = 0; i < s->n_msgs; i++, index++) {
		const struct lx_message *m = &s->msgs[i];
		struct lx_str t = { s->text + m->off, (u32)m->len };

		if (!index)
			sys = m->role == LX_ROLE_SYSTEM;
		if (chat) {
			put_str(r, lx_chat_before(k, m->role, index, sys));
			if (lx_chat_trims(k, m->role))
				t = trim(t);
		}
		put(r, t.p, t.n, m->flags & LX_WRITE_SPECIAL);
		if (chat)
			put_str(r, lx_chat_after(k, m->role, index, sys));
	}
	if (!chat || !answer)
		return;
	put_str(r, lx_chat_open(k));
	put_str(r, lx_chat_think(k, s->e->model->tmpl,
				 s->p.flags & LX_SESSION_NO_THINK));
}

int lx_render(struct lx_session *s, bool answer, struct lx_rendered *r,
	      struct lx_error *err)
{
	struct lx_host *h = s->e->host;

	*r = (struct lx_rendered){ 0 };
	walk(s, answer, r);
	r->cap = r->len + 1;
	r->cap_spans = r->n_spans + 1;
	r->spans = lx_scratch_get(h, r->cap_spans * sizeof(*r->spans));
	r->text = lx_scratch_get(h, r->cap);
	if (!r->spans || !r->text)
		return lx_fail(err, -LX_ENOMEM, "no memory for the prompt");
	walk(s, answer, r);
	return 0;
}

void lx_render_free(struct lx_session *s, struct lx_rendered *r)
{
	struct lx_host *h = s->e->host;

	lx_scratch_put(h, r->text, r->cap);
	lx_scratch_put(h, r->spans, r->cap_spans * sizeof(*r->spans));
}
