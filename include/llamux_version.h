/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The version of all of it: command, library, module and packages. Manual
 * pages and packaging/debian/changelog repeat it; scripts/check-version
 * compares.
 */
#ifndef LLAMUX_VERSION_H
#define LLAMUX_VERSION_H

#define LLAMUX_VERSION "0.1.0"

#endif
