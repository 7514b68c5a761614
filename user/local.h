/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A model file opened in this process, as far as somebody needs it: headers
 * and vocabulary, weights, or a running engine.
 */
#ifndef USER_LOCAL_H
#define USER_LOCAL_H

#include "files.h"
#include "host.h"
#include "lx/lx.h"

struct local {
	struct lx_host *host;
	struct model_files files;
	struct lx_gguf gguf;		/* only with local_open_vocab() */
	struct lx_vocab *own_vocab;	/* likewise */
	struct lx_model *model;
	struct lx_engine *engine;
	struct lx_error error;
	char message[LX_ERROR_MAX + 128];	/* of the call that failed */
};

/*
 * Start the host and open the file, @direct: past the page cache. After an
 * error nothing is held.
 */
int local_open_files(struct local *l, const char *path, bool direct,
		     const struct user_host_options *opt);
/* The same, and the vocabulary. */
int local_open_vocab(struct local *l, const char *path,
		     const struct user_host_options *opt);
/* The same, and the model and an engine on it. */
int local_open_engine(struct local *l, const char *path,
		      const struct user_host_options *opt,
		      const struct lx_model_params *mp,
		      const struct lx_engine_params *ep);
void local_close(struct local *l);

const struct lx_vocab *local_vocab(const struct local *l);

#endif
