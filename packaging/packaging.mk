# SPDX-License-Identifier: GPL-2.0-only
#
# Packages and releases. Part of the Makefile.

.PHONY: deb
deb: ## Build the Debian packages, into build/deb
	@scripts/deps.sh build deb
	@packaging/build-deb build/deb
