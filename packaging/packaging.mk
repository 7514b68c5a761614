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
	@tests/packaging/install.sh
	@tests/packaging/boot/run bookworm
	@tests/packaging/boot/run trixie

.PHONY: release
release: ## Source tarball, packages, checksums and notes, into build/release
	@scripts/deps.sh build deb
	@packaging/release build/release
