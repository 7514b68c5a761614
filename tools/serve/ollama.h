/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ollama's paths.
 */
#ifndef SERVE_OLLAMA_H
#define SERVE_OLLAMA_H

#include "request.h"

enum MHD_Result ollama_version(struct request *r);
enum MHD_Result ollama_tags(struct request *r);
enum MHD_Result ollama_ps(struct request *r);
enum MHD_Result ollama_show(struct request *r);
enum MHD_Result ollama_chat(struct request *r);
enum MHD_Result ollama_generate(struct request *r);
enum MHD_Result ollama_embed(struct request *r);

#endif
