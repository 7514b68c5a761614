# SPDX-License-Identifier: GPL-2.0-only
#
# Packages and releases. Part of the Makefile.

.PHONY: deb
deb: ## Build the Debian packages, into build/deb
	@scripts/deps.sh build deb
	@packaging/build-deb build/deb

.PHONY: release
release: ## Source tarball, packages, checksums and notes, into build/release
	@scripts/deps.sh build deb
	@packaging/release build/release
