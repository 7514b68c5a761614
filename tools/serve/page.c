// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page at /: page.html as it is, in the program.
 */
#include "page.h"
#include "server.h"

__asm__(".section .rodata\n"
	".global serve_page, serve_page_end\n"
	"serve_page:\n"
	".incbin \"" SERVE_PAGE "\"\n"
	"serve_page_end:\n"
	".previous\n");

extern const char serve_page[], serve_page_end[];

/* Nothing from elsewhere, nobody frames it, nothing but this server is asked. */
static const char policy[] =
	"default-src 'none'; connect-src 'self'; img-src data:; "
	"style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

enum MHD_Result page_serve(struct request *r)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		(size_t)(serve_page_end - serve_page),
		(void *)(uintptr_t)serve_page, MHD_RESPMEM_PERSISTENT);

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Security-Policy", policy);
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	return reply_response(r, 200, "text/html; charset=utf-8", response);
}

/* 503 while there is no model to talk to. */
enum MHD_Result health_serve(struct request *r)
{
	json_t *model = backend_model(&r->server->backend, NULL);
	bool well = model != NULL;

	json_decref(model);
	return reply_json(r, well ? 200 : 503, json_pack("{s:s}", "status",
			  well ? "ok" : "no model is loaded"));
}
