# SPDX-License-Identifier: GPL-2.0-only
#
# Packages and releases. Part of the Makefile.

.PHONY: deb
deb: ## Build the Debian packages, into build/deb
	@scripts/deps.sh build deb
	@packaging/build-deb build/deb

# Minutes: the module is built several times, and machines are booted.
.PHONY: test-packages
test-packages: ## Install the packages in Debian, boot it, and purge them
	@scripts/deps.sh build deb kernel qemu
	@$(MAKE) --no-print-directory $(JOBS) command
	@set -e; for suite in bookworm trixie; do \
		tests/packaging/install.sh $$suite; \
		tests/packaging/boot/run $$suite; \
	done

.PHONY: release
release: ## Source tarball, packages, checksums and notes, into build/release
	@scripts/deps.sh build deb
	@packaging/release build/release
