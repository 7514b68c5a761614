// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which function serves which path.
 */
#include <string.h>

#include "metrics.h"
#include "ollama.h"
#include "openai.h"
#include "page.h"
#include "route.h"

static const struct route routes[] = {
	{ "GET", "/", DIALECT_OPENAI, true, page_serve },
	{ "GET", "/health", DIALECT_OPENAI, true, health_serve },
	{ "GET", "/metrics", DIALECT_OPENAI, false, metrics_serve },
	{ "GET", "/llamux/status", DIALECT_OPENAI, false, status_serve },
	{ "GET", "/v1/models", DIALECT_OPENAI, false, openai_models },
	{ "GET", "/v1/models/", DIALECT_OPENAI, false, openai_model },
	{ "POST", "/v1/chat/completions", DIALECT_OPENAI, false, openai_chat },
	{ "POST", "/v1/completions", DIALECT_OPENAI, false,
	  openai_completions },
	{ "POST", "/v1/embeddings", DIALECT_OPENAI, false, openai_embeddings },
	{ "GET", "/api/version", DIALECT_OLLAMA, false, ollama_version },
	{ "GET", "/api/tags", DIALECT_OLLAMA, false, ollama_tags },
	{ "GET", "/api/ps", DIALECT_OLLAMA, false, ollama_ps },
	{ "POST", "/api/show", DIALECT_OLLAMA, false, ollama_show },
	{ "POST", "/api/chat", DIALECT_OLLAMA, false, ollama_chat },
	{ "POST", "/api/generate", DIALECT_OLLAMA, false, ollama_generate },
	{ "POST", "/api/embed", DIALECT_OLLAMA, false, ollama_embed },
	{ "POST", "/api/embeddings", DIALECT_OLLAMA, false, ollama_embed },
};

#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

_Static_assert(N_ROUTES <= MAX_ROUTES, "the counters are too few");

const char *route_name(const struct route *route, const char *path)
{
	size_t n = strlen(route->path);

	return n > 1 && route->path[n - 1] == '/' &&
	       !strncmp(path, route->path, n) && path[n] ? path + n : NULL;
}

static bool matches(const struct route *r, const char *path)
{
	return !strcmp(path, r->path) || route_name(r, path);
}

const struct route *route_find(const char *method, const char *path,
			       bool *known)
{
	*known = false;
	if (!strcmp(method, "HEAD"))
		method = "GET";
	for (size_t i = 0; i < N_ROUTES; i++) {
		if (!matches(&routes[i], path))
			continue;
		*known = true;
		if (!strcmp(routes[i].method, method))
			return &routes[i];
	}
	return NULL;
}

const struct route *route_at(unsigned int i)
{
	return i < N_ROUTES ? &routes[i] : NULL;
}

unsigned int route_index(const struct route *route)
{
	return route ? (unsigned int)(route - routes) : MAX_ROUTES;
}
