/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page at /, and whether the gateway is well.
 */
#ifndef SERVE_PAGE_H
#define SERVE_PAGE_H

#include "request.h"

enum MHD_Result page_serve(struct request *r);
enum MHD_Result health_serve(struct request *r);

#endif
