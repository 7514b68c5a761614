/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What clients and tiles both know of sampling. */
#ifndef LX_SAMPLING_H
#define LX_SAMPLING_H

#include "deps.h"

#define LX_MAX_BIAS 512
#define LX_BIAS_NEVER (-0x7fffffff - 1)

struct lx_bias {
	s32 id;
	s32 bias_u;	/* added to the logit; LX_BIAS_NEVER: not chosen */
};

#define LX_MAX_LOGPROBS 20	/* alternatives of one token */
#define LX_LOGPROB_LEAST (-0x7fffffff)	/* and anything below */

/* A token and the natural logarithm of its probability, in millionths. */
struct lx_logprob {
	s32 id, lp_u;
};

#endif
