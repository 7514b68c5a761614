/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * OpenAI's paths.
 */
#ifndef SERVE_OPENAI_H
#define SERVE_OPENAI_H

#include "request.h"

enum MHD_Result openai_models(struct request *r);
enum MHD_Result openai_model(struct request *r);
enum MHD_Result openai_chat(struct request *r);
enum MHD_Result openai_completions(struct request *r);
enum MHD_Result openai_embeddings(struct request *r);

#endif
