// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Scoring: how likely given continuations are behind the conversation and
 * the prompt that was written. The prompt is computed once; its last logits
 * give the first token of every continuation. Of a longer one the other
 * tokens are computed behind the prompt, in one piece, each in its turn.
 * Afterwards the session is what it was.
 */
#include "session.h"

struct lx_score {
	u64 bytes;		/* of this allocation */
	u32 n;			/* continuations */
	u32 choice;		/* being computed; n: none left */
	u32 prompt;		/* tokens with the prompt */
	/* to go back to */
	u32 state, finish, n_tokens, turn_start, gen_start, n_prompt, n_gen;
	bool answered;
	u32 *first;		/* [n + 1] where its tokens begin in ids */
	s32 *ids, *lp_u;
	s32 *first_ids, *first_lp_u;	/* [n] of the prompt's last logits */
};

/* ---- putting it together ---- */

static struct lx_score *new_score(struct lx_session *s, u32 n, u64 room)
{
	u64 bytes = sizeof(struct lx_score) + (3 * (u64)n + 1 + 2 * room) * 4;
	struct lx_score *sc = lx_engine_alloc(s->e, bytes, 1);

	if (!sc)
		return NULL;
	sc->bytes = bytes;
	sc->n = n;
	sc->first = (u32 *)(sc + 1);
	sc->first_ids = (s32 *)(sc->first + n + 1);
	sc->first_lp_u = sc->first_ids + n;
	sc->ids = sc->first_lp_u + n;
	sc->lp_u = sc->ids + room;
	return sc;
}

static void free_score(struct lx_session *s, struct lx_score *sc)
{
	lx_engine_release(s->e, sc, sc->bytes, 1);
}

/* The tokens of all continuations, each as it stands behind other text. */
static int tokenize(struct lx_session *s, struct lx_score *sc,
		    const char *text, const u32 *ends, u64 room, u32 *longest,
		    struct lx_error *err)
{
	u32 begin = 0, at = 0;

	*longest = 0;
	for (u32 i = 0; i < sc->n; i++) {
		s64 n = lx_tokenize(s->e->model->vocab, text + begin,
				    ends[i] - begin, LX_TOK_CONTINUE,
				    sc->ids + at, room - at);

		if (n < 0 || n > (s64)(room - at))
			return lx_fail(err, n < 0 ? (int)n : -LX_EMSGSIZE,
				       "continuation %u could not be tokenized",
				       i);
		if (!n)
			return lx_fail(err, -LX_EINVAL,
				       "continuation %u is empty", i);
		sc->first[i] = at;
		sc->first_ids[i] = sc->ids[at];
		*longest = lx_max(*longest, (u32)n);
		at += (u32)n;
		begin = ends[i];
	}
	sc->first[sc->n] = at;
	return 0;
}

/* The prompt behind the conversation; what was written stays written. */
static int add_prompt(struct lx_session *s, struct lx_error *err)
{
	return s->state == LX_SESSION_PENDING ? lx_prompt_append(s, err) : 0;
}

static void begin(struct lx_session *s, struct lx_score *sc)
{
	sc->prompt = s->n_tokens;
	sc->choice = LX_NONE;
	/* The logits of the last token are wanted. */
	s->n_past = lx_min(s->n_past, s->n_tokens - 1);
	s->turn_start = sc->n_tokens;
	s->gen_start = s->n_tokens;
	s->n_prompt = s->n_tokens - sc->n_tokens;
	s->eval = true;
	s->eval_out = NULL;
	s->score = sc;
	lx_session_begin(s);
}

static int check_text(const u32 *ends, u32 n)
{
	if (!n || n > LX_MAX_CHOICES || ends[n - 1] > LX_MAX_CHOICE_BYTES)
		return -LX_EINVAL;
	for (u32 i = 0; i < n; i++)
		if (ends[i] <= (i ? ends[i - 1] : 0))
			return -LX_EINVAL;
	return 0;
}

static void save(const struct lx_session *s, struct lx_score *sc)
{
	sc->state = s->state;
	sc->finish = s->finish;
	sc->n_tokens = s->n_tokens;
	sc->turn_start = s->turn_start;
	sc->gen_start = s->gen_start;
	sc->n_prompt = s->n_prompt;
	sc->n_gen = s->n_gen;
	sc->answered = s->answered;
}

int lx_session_score(struct lx_session *s, const char *text, const u32 *ends,
		     u32 n, struct lx_error *err)
{
	struct lx_engine *e = s->e;
	struct lx_score *sc;
	u32 longest = 0;
	u64 room;
	int ret;

	if (check_text(ends, n))
		return lx_fail(err, -LX_EINVAL, "too many continuations, too long, or one is empty");
	if (s->state == LX_SESSION_DONE && !s->out_len)
		lx_session_end_turn(s);
	if (s->in_batch || (s->state != LX_SESSION_IDLE &&
			    s->state != LX_SESSION_PENDING))
		return -LX_EBUSY;
	if (s->state == LX_SESSION_IDLE && !s->n_tokens)
		return lx_fail(err, -LX_EINVAL, "there is no prompt");
	room = 3 * (u64)ends[n - 1] + 8;
	sc = new_score(s, n, room);
	if (!sc)
		return -LX_ENOMEM;
	save(s, sc);
	ret = tokenize(s, sc, text, ends, room, &longest, err);
	if (!ret)
		ret = add_prompt(s, err);
	if (!ret && s->n_tokens + longest - 1 > e->n_ctx)
		ret = lx_fail(err, -LX_EMSGSIZE,
			      "prompt and continuation have %u tokens, the context %u",
			      s->n_tokens + longest - 1, e->n_ctx);
	if (!ret && lx_session_grow_tokens(s, s->n_tokens + longest))
		ret = -LX_ENOMEM;
	if (ret) {
		s->n_tokens = sc->n_tokens;
		free_score(s, sc);
		return ret;
	}
	begin(s, sc);
	return 0;
}

/* ---- in a step ---- */

bool lx_score_chooses(const struct lx_session *s)
{
	return s->score && s->score->choice != LX_NONE;
}

u32 lx_score_tokens(const struct lx_session *s, u32 n)
{
	u32 rows = LX_MAX_ROWS - s->e->n_rows;

	return lx_score_chooses(s) ? lx_min(n, rows) : n;
}

static void want(struct lx_engine *e, const struct lx_session *s, u32 slot,
		 const s32 *targets, s32 *lp_u, u32 n)
{
	struct lx_sample_slot *sl = lx_sampling_want(e, s, e->n_rows);

	e->row_slot[e->n_rows++] = slot;
	sl->targets = targets;
	sl->target_lp_u = lp_u;
	sl->n_targets = n;
}

void lx_score_want(struct lx_engine *e, const struct lx_entry *en)
{
	struct lx_session *s = en->s;
	struct lx_score *sc = s->score;

	if (sc->choice == LX_NONE) {
		if (s->n_past + en->n == s->n_tokens)
			want(e, s, en->slot0 + en->n - 1, sc->first_ids,
			     sc->first_lp_u, sc->n);
		return;
	}
	for (u32 i = 0; i < en->n; i++) {
		u32 at = sc->first[sc->choice] + s->n_past + i - sc->prompt + 1;

		/* The prompt again, whose pages were given to others. */
		if (s->n_past + i < sc->prompt)
			continue;
		want(e, s, en->slot0 + i, sc->ids + at, sc->lp_u + at, 1);
	}
}

/* The next continuation of more than one token, or the end. */
void lx_score_next(struct lx_session *s)
{
	struct lx_score *sc = s->score;
	u32 n = 0;

	if (sc->choice == LX_NONE)
		for (u32 i = 0; i < sc->n; i++)
			sc->lp_u[sc->first[i]] = sc->first_lp_u[i];
	while (++sc->choice < sc->n && !n)
		n = sc->first[sc->choice + 1] - sc->first[sc->choice] - 1;
	if (!n) {
		lx_session_finish(s, LX_FINISH_LENGTH, 0);
		return;
	}
	sc->choice--;
	lx_session_rewind(s, sc->prompt);
	lx_memcpy(s->tokens + s->n_tokens, sc->ids + sc->first[sc->choice],
		  n * sizeof(*s->tokens));
	s->n_tokens += n;
}

/* ---- the end ---- */

int lx_session_score_end(struct lx_session *s, struct lx_choice *out)
{
	struct lx_score *sc = s->score;
	int ret = s->finish == LX_FINISH_ERROR ? s->error :
		  s->finish == LX_FINISH_CANCELLED ? -LX_ECANCELED : 0;

	for (u32 i = 0; !ret && i < sc->n; i++) {
		out[i] = (struct lx_choice){
			.n_tokens = sc->first[i + 1] - sc->first[i],
		};
		for (u32 k = sc->first[i]; k < sc->first[i + 1]; k++)
			out[i].lp_u += sc->lp_u[k];
	}
	lx_session_rewind(s, sc->n_tokens);
	s->state = sc->state;
	s->finish = sc->finish;
	s->error = 0;
	s->turn_start = sc->turn_start;
	s->gen_start = sc->gen_start;
	s->n_prompt = sc->n_prompt;
	s->n_gen = sc->n_gen;
	s->answered = sc->answered;
	s->eval = false;
	lx_score_drop(s);
	return ret;
}

void lx_score_drop(struct lx_session *s)
{
	if (s->score)
		free_score(s, s->score);
	s->score = NULL;
}
