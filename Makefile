# SPDX-License-Identifier: GPL-2.0-only
#
# Llamux. "make help" lists the targets.
#
#	CC, CFLAGS, LDFLAGS	as usual; CFLAGS come after the project's own
#	WERROR=-Werror	warnings stop the build
#	SANITIZE=address,undefined	all of it again, in build/san
#	FUZZ=1 CC=clang	fuzzers: for libFuzzer, in build/fuzz
#	V=1	show whole commands
#	BED=qemu-6.12 MODEL=file.gguf	run: in which kernel, on what
#	PROMPT=text ASK="--temp 0"	run: a question, options of llamux ask
#	T="cli @uml"	test: those whose name contains one of these
#	BENCH_ARGS="-r 5"	bench, bench-*: options of bench/run.py and its like
#	KDIR=directory	module: the kernel's headers
#	PREFIX=/usr/local DESTDIR=directory	install, uninstall

SILENT := $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS))))

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

CFLAGS ?=
LDFLAGS ?=
WERROR ?=
V ?=
# Coverage-guided fuzzers need all objects made for them, in a place of their own.
ifneq ($(FUZZ),)
SANITIZE := fuzzer-no-link,address,undefined
BUILD := build/fuzz
endif
BUILD ?= $(if $(SANITIZE),build/san,build)
MACHINE := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>&1)))
AR ?= ar
VERSION := $(shell sed -n 's/.*LLAMUX_VERSION "\(.*\)"/\1/p' include/llamux_version.h)

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
BASHCOMPDIR ?= $(DATADIR)/bash-completion/completions
ZSHCOMPDIR ?= $(DATADIR)/zsh/site-functions
FISHCOMPDIR ?= $(DATADIR)/fish/vendor_completions.d

# What is run, in which kernel, on what.
BED ?= qemu-6.1
MODEL ?= models/llamux-default.gguf
PROMPT ?=
ASK ?=
SECONDS ?= 60
KDIR ?= /lib/modules/$(shell uname -r)/build

WARN := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wshadow \
	-Wvla -Wno-unused-parameter -Wno-sign-compare $(WERROR)
BASE := -std=gnu11 -O2 -g $(WARN) $(if $(SANITIZE),-fsanitize=$(SANITIZE) \
	-fno-sanitize-recover=all -fno-omit-frame-pointer)
DEPS = -MMD -MP -MF $(@:.o=.d)
LINK := $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -pthread

ENGINE_INC := -Iengine/include -Iengine
USER_INC := -Iinclude -Iinclude/uapi -Iuser -Iengine/include
# What may end up in the shared library; llamux.h says what it shows.
PIC := -fPIC -fvisibility=hidden

# The engine is compiled as the kernel will: its integer files without any
# floating-point or vector register, the others without contraction.
ENGINE_INT := $(BASE) $(PIC) -ffreestanding -fno-strict-aliasing $(ENGINE_INC)
ENGINE_FP := $(BASE) $(PIC) -ffreestanding -fno-strict-aliasing -ffp-contract=off \
	-fno-math-errno -D_MM_MALLOC_H_INCLUDED $(ENGINE_INC)
AVX2 := -mavx2 -mfma -mf16c
AVX512 := $(AVX2) -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni

ENGINE_SRC := $(wildcard engine/*.c engine/arch/*.c)
FP_SRC := $(wildcard engine/fp/*.c engine/arch/generic/*.c)
ifneq ($(filter x86_64 i%86,$(MACHINE)),)
ENGINE_INT += -mgeneral-regs-only
# Fuzzers are for parsers, and vectors under sanitizers take minutes to compile.
ifeq ($(FUZZ),)
FP_SRC += $(wildcard engine/arch/x86/*.c)
else
ENGINE_INT += -DLX_GENERIC_ONLY
FP_SRC += engine/arch/x86/cpu.c
endif
endif
ifneq ($(filter aarch64,$(MACHINE)),)
ENGINE_INT += -mgeneral-regs-only
FP_SRC += $(wildcard engine/arch/arm64/*.c)
endif

LX_SRC := user/host.c user/map.c user/numa.c user/slab.c user/pool.c user/crew.c \
	user/files.c user/local.c user/output.c user/quantize.c user/shared.c
GRAMMAR_SRC := user/gbnf.c user/gbnf_emit.c user/jsonread.c user/schema.c \
	user/schema_keys.c user/schema_merge.c user/schema_number.c \
	user/schema_object.c user/schema_string.c user/schema_text.c
LIB_SRC := user/client.c user/device.c user/ctl.c user/inproc.c \
	user/inproc_gen.c $(GRAMMAR_SRC)
TOOL_SRC := $(wildcard tools/*.c)
SERVE_SRC := $(wildcard tools/serve/*.c)
# tests/engine/test_X.c are programs, what lies beside them is theirs to share.
TEST_SRC := $(wildcard tests/engine/test_*.c)
# Of the gateway, where it is built.
SERVE_TEST_SRC = $(if $(HAVE_SERVE),$(wildcard tests/serve/test_*.c))
HELP_SRC := $(filter-out $(TEST_SRC),$(wildcard tests/engine/*.c))
FUZZ_SRC := $(wildcard fuzz/fuzz_*.c)
KTEST_SRC := $(wildcard tests/kernel/*.c)

# The gateway is built where its libraries are (scripts/deps.sh serve).
HAVE_SERVE := $(shell printf '\043include <microhttpd.h>\n\043include <jansson.h>\n' | \
	$(CC) -E - >/dev/null 2>&1 && echo y)

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
ENGINE_OBJ := $(call objects,$(ENGINE_SRC))
FP_OBJ := $(call objects,$(FP_SRC))
HOST_OBJ := $(call objects,$(LX_SRC) $(LIB_SRC))
TOOL_OBJ := $(call objects,$(TOOL_SRC))
SERVE_OBJ := $(call objects,$(SERVE_SRC))
SERVE_TOOL_OBJ := $(call objects,tools/sha256.c)
TEST_OBJ := $(call objects,$(TEST_SRC) $(SERVE_TEST_SRC) $(HELP_SRC) \
	$(FUZZ_SRC) fuzz/standalone.c)
ALL_OBJ := $(ENGINE_OBJ) $(FP_OBJ) $(HOST_OBJ) $(TOOL_OBJ) $(SERVE_OBJ) \
	$(TEST_OBJ)
TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(TEST_SRC) $(SERVE_TEST_SRC))
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(FUZZ_SRC))
# These run inside booted kernels: nothing but a system call is needed there.
KTESTS := $(patsubst tests/kernel/%.c,$(BUILD)/kernel-tests/%,$(KTEST_SRC))
ALL_KTESTS := $(if $(SANITIZE),,$(KTESTS))
SERVE := $(if $(HAVE_SERVE),$(BUILD)/llamux-serve)
LIBS := $(BUILD)/libllamux.a $(BUILD)/liblx.a
SONAME := libllamux.so.0
SHARED := $(if $(SANITIZE),,$(BUILD)/$(SONAME))

comma := ,

# One short line instead of a command. make's own -j, else a job per CPU.
short = $(if $(V)$(SILENT),,@echo "  $(1)	$(or $(2),$@)" &&)
JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: all
all: command $(LIBS) $(SHARED) $(TESTS) $(ALL_KTESTS) ## Build the command, libraries and tests
	@:

.PHONY: command
command: $(BUILD)/llamux $(SERVE) ## Build the command
	@:

$(BUILD)/liblx.a: $(ENGINE_OBJ) $(FP_OBJ) $(call objects,$(LX_SRC))
$(BUILD)/libllamux.a: $(call objects,$(LIB_SRC))
$(BUILD)/libfuzz.a: $(ENGINE_OBJ) $(FP_OBJ) $(call objects,$(GRAMMAR_SRC))
$(BUILD)/%.a:
	@rm -f $@
	$(call short,AR)$(AR) rcs $@ $^

$(BUILD)/$(SONAME): $(ENGINE_OBJ) $(FP_OBJ) $(HOST_OBJ) user/libllamux.map
	$(call short,LD)$(CC) -shared -pthread -Wl,-soname,$(SONAME) -Wl,-z,defs \
		-Wl,--version-script=user/libllamux.map $(LDFLAGS) -o $@ \
		$(filter %.o,$^)
	@ln -sf $(SONAME) $(BUILD)/libllamux.so

$(BUILD)/llamux: $(TOOL_OBJ) $(LIBS)
	$(call short,LD)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ -ldl

$(BUILD)/llamux-serve: $(SERVE_OBJ) $(SERVE_TOOL_OBJ) $(LIBS)
	$(call short,LD)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ -lmicrohttpd -ljansson

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(call objects,$(HELP_SRC)) $(LIBS)
	@mkdir -p $(@D)
	$(call short,LD)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ -lm

$(BUILD)/tests/serve/%: $(BUILD)/obj/tests/serve/%.o \
		$(filter-out %/main.o,$(SERVE_OBJ)) $(SERVE_TOOL_OBJ) $(LIBS)
	@mkdir -p $(@D)
	$(call short,LD)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ -lmicrohttpd -ljansson

# With clang libFuzzer has the main function, otherwise standalone.c.
FUZZ_LINK := $(if $(FUZZ),-fsanitize=fuzzer$(comma)address$(comma)undefined,$(LINK))

$(BUILD)/fuzz/%: $(BUILD)/obj/fuzz/%.o $(call objects,$(HELP_SRC) \
		$(if $(FUZZ),,fuzz/standalone.c)) $(BUILD)/libfuzz.a
	@mkdir -p $(@D)
	$(call short,LD)$(CC) $(FUZZ_LINK) -pthread $(LDFLAGS) -o $@ $^

$(BUILD)/kernel-tests/%: tests/kernel/%.c $(wildcard tests/kernel/*.h) \
		include/uapi/linux/llamux.h
	@mkdir -p $(@D)
	$(call short,CC,$@)$(CC) -O2 -Wall -Wno-unused-result -static -pthread -Iinclude/uapi \
		-o $@ $<

$(ENGINE_OBJ): FLAGS = $(ENGINE_INT)
$(FP_OBJ): FLAGS = $(ENGINE_FP) $(ISA)
$(BUILD)/obj/engine/arch/x86/avx2%: ISA = $(AVX2)
$(BUILD)/obj/engine/arch/x86/avxvnni%: ISA = $(AVX2) -mavxvnni
$(BUILD)/obj/engine/arch/x86/avx512%: ISA = $(AVX512)
$(HOST_OBJ): FLAGS = $(BASE) $(PIC) -pthread $(USER_INC)
$(TOOL_OBJ): FLAGS = $(BASE) -pthread $(USER_INC)
$(SERVE_OBJ): FLAGS = $(BASE) -pthread $(USER_INC) -Itools \
	-DSERVE_PAGE='"tools/serve/page.html"'
$(BUILD)/obj/tools/serve/page.o: tools/serve/page.html
$(BUILD)/obj/tools/zoo.o: models/zoo.json
$(TEST_OBJ): FLAGS = $(BASE) -pthread $(USER_INC) -Itests \
	-Itests/engine -Iengine -Ifuzz -Itools/serve

$(ALL_OBJ): $(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call short,CC,$(@:$(BUILD)/obj/%=%))$(CC) $(FLAGS) $(CFLAGS) $(DEPS) -c -o $@ $<

-include $(ALL_OBJ:.o=.d)
-include $(wildcard scripts/*.mk)
-include packaging/packaging.mk

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1	\2/p' \
		Makefile packaging/packaging.mk | expand -t 16
	@echo
	@sed -n '/^#	CC,/,/^$$/s/^#	/  /p' Makefile | expand -t 40

# What follows works on a machine without a compiler: it is installed first.
# The answer alone goes to standard output.
.PHONY: run
run: ## Boot a stock kernel with the module and talk to MODEL, or ask PROMPT
	@scripts/deps.sh build
	@$(MAKE) --no-print-directory $(JOBS) command >&2
	@scripts/run "$(BED)" "$(MODEL)" $${PROMPT:+"$$PROMPT"}
export PROMPT ASK

.PHONY: test
test: ## Run everything CI runs, or the tests named T=...
	@scripts/deps.sh build check test serve
	@$(MAKE) --no-print-directory $(JOBS) all
	@tests/run $(T)

.PHONY: check
check: ## Check style, layering, objects and shell scripts
	@scripts/deps.sh build check
	@$(MAKE) --no-print-directory $(JOBS) all
	@scripts/check

.PHONY: bench
bench: ## Measure MODEL: whole runs, loading, operations, kernels; JSON and a plot
	@scripts/deps.sh build bench
	@$(MAKE) --no-print-directory $(JOBS) command $(BUILD)/bench/load $(BUILD)/bench/steps \
		$(BUILD)/bench/micro >&2
	@bench/run.py $(BENCH_ARGS) "$(MODEL)"

# Where a step's time goes; matrix kernels alone.
$(BUILD)/bench/%: bench/%.c bench/clock.h $(LIBS)
	@mkdir -p $(@D)
	$(call short,CC)$(CC) $(BASE) -pthread $(ENGINE_INC) -Iuser -Iinclude/uapi \
		$(LDFLAGS) -o $@ $< \
		$(BUILD)/liblx.a

.PHONY: bench-steps
bench-steps: ## Measure each operation of a step of MODEL
	@scripts/deps.sh build
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/bench/steps >&2
	@$(BUILD)/bench/steps -m "$(MODEL)" $(BENCH_ARGS)

.PHONY: bench-micro
bench-micro: ## Measure matrix kernels beside the memory's read speed
	@scripts/deps.sh build
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/bench/micro >&2
	@$(BUILD)/bench/micro $(BENCH_ARGS)

.PHONY: bench-load
bench-load: ## Measure how long MODEL takes to load, beside a copy of its file
	@scripts/deps.sh build
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/bench/load >&2
	@$(BUILD)/bench/load $(BENCH_ARGS) "$(MODEL)"

BENCH_BED ?= uml

.PHONY: bench-bed
bench-bed: ## Measure MODEL in the module of a booted kernel: speed, start, latency
	@scripts/deps.sh build
	@$(MAKE) --no-print-directory $(JOBS) command $(BUILD)/bench/latency >&2
	@ln -f "$(MODEL)" $(BUILD)/bench/model.gguf 2>/dev/null || \
		cp "$(MODEL)" $(BUILD)/bench/model.gguf
	@beds/run $(BENCH_BED) -m 8G -t 1800 -- bench/bed.py $(BENCH_ARGS) \
		"$$(beds/build-module $(BENCH_BED) | tail -n 1)" $(BUILD)/bench/model.gguf
	@rm -f $(BUILD)/bench/model.gguf

# Where and from what it was measured; the bed cannot know.
BENCH_ABOUT = -e "BENCH_MACHINE=$$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $$(nproc) CPUs" \
	-e "BENCH_COMPILER=$$($(CC) --version | head -n 1)" \
	-e "BENCH_COMMIT=$$(git describe --always --dirty)" \
	-e "BENCH_LOAD=$$(cut -d' ' -f1-3 /proc/loadavg)" \
	-e "BENCH_MODEL=$(notdir $(MODEL))"

.PHONY: bench-many
bench-many: ## Measure many conversations with MODEL in a booted kernel, into build/bench-many.json
	@scripts/deps.sh build
	@$(MAKE) --no-print-directory $(JOBS) command $(BUILD)/bench/many >&2
	@ln -f "$(MODEL)" $(BUILD)/bench/model.gguf 2>/dev/null || \
		cp "$(MODEL)" $(BUILD)/bench/model.gguf
	@beds/run $(BENCH_BED) -m 6G -t 3600 $(BENCH_ABOUT) \
		-e "BENCH_COMMAND=make bench-many BENCH_ARGS='$(BENCH_ARGS)'" \
		-- bench/many.py $(BENCH_ARGS) \
		"$$(beds/build-module $(BENCH_BED) | tail -n 1)" $(BUILD)/bench/model.gguf \
		>$(BUILD)/bench-many.json
	@rm -f $(BUILD)/bench/model.gguf
	@cat $(BUILD)/bench-many.json

PEER_TREE ?= build/peer

.PHONY: bench-peers
bench-peers: ## Measure MODEL in turn with llama.cpp of Debian sid (root, debootstrap)
	@scripts/deps.sh build
	@$(MAKE) --no-print-directory $(JOBS) command >&2
	@bench/peers.py --tree "$(PEER_TREE)" $(BENCH_ARGS) "$(MODEL)"

# Kbuild leaves its products beside the source: beside a copy of it, then.
.PHONY: module
module: ## Build llamux.ko for the kernel at KDIR, into build/module
	@[ -d "$(KDIR)" ] || { echo "no kernel headers at $(KDIR):" \
		"install linux-headers-$(shell uname -r), or give KDIR=" >&2; false; }
	@mkdir -p build/module
	@find build/module -name '*.[ch]' ! -name '*.mod.c' -delete
	@cp -rp --parents engine kernel include build/module
	@$(MAKE) --no-print-directory $(JOBS) -C "$(KDIR)" \
		M="$(CURDIR)/build/module/kernel" $(if $(V),V=1) modules

.PHONY: fuzzers
fuzzers: $(FUZZERS) ## Build the fuzzers (with SANITIZE=..., into build/san)

.PHONY: fuzz
fuzz: ## Build the fuzzers for libFuzzer and run each for SECONDS=60
	@scripts/deps.sh build test fuzz
	@$(MAKE) --no-print-directory $(JOBS) CC=clang FUZZ=1 fuzzers
	@scripts/fuzz "$(SECONDS)"

KO := build/module/kernel/llamux.ko

# What goes where: MODE:FILE:PLACE. Packages take it from here, too.
# Every call has its page: the one whose NAME line begins with it, or a link.
MAN3 := $(patsubst %,$(BUILD)/man3/%.3,$(shell \
	sed -n '/^.SH NAME/{n;s/ .- .*//;s/,//g;p}' man/*.3))
COMPLETIONS := $(addprefix $(BUILD)/completion/,bash zsh fish)
SERVE_COMPLETIONS := $(if $(SERVE),$(addprefix $(BUILD)/completion/serve/,bash zsh fish))
INSTALLED := \
	755:$(BUILD)/llamux:$(BINDIR)/llamux \
	644:$(BUILD)/$(SONAME):$(LIBDIR)/$(SONAME) \
	644:$(BUILD)/libllamux.a:$(LIBDIR)/libllamux.a \
	644:$(BUILD)/liblx.a:$(LIBDIR)/liblx.a \
	644:$(BUILD)/libllamux.pc:$(PKGCONFIGDIR)/libllamux.pc \
	644:user/llamux.h:$(INCLUDEDIR)/llamux.h \
	644:include/uapi/linux/llamux.h:$(INCLUDEDIR)/linux/llamux.h \
	644:man/llamux.1:$(MANDIR)/man1/llamux.1 \
	644:man/llama.4:$(MANDIR)/man4/llama.4 \
	$(foreach m,$(MAN3),644:$(m):$(MANDIR)/man3/$(notdir $(m))) \
	644:$(BUILD)/completion/bash:$(BASHCOMPDIR)/llamux \
	644:$(BUILD)/completion/zsh:$(ZSHCOMPDIR)/_llamux \
	644:$(BUILD)/completion/fish:$(FISHCOMPDIR)/llamux.fish \
	644:models/llamux-default.gguf:$(DATADIR)/llamux/default.gguf
INSTALLED += $(if $(SERVE),755:$(SERVE):$(BINDIR)/llamux-serve \
	644:man/llamux-serve.1:$(MANDIR)/man1/llamux-serve.1 \
	644:$(BUILD)/completion/serve/bash:$(BASHCOMPDIR)/llamux-serve \
	644:$(BUILD)/completion/serve/zsh:$(ZSHCOMPDIR)/_llamux-serve \
	644:$(BUILD)/completion/serve/fish:$(FISHCOMPDIR)/llamux-serve.fish)
# INSTALLED, a word of an entry: $(call part,N,ENTRY)
part = $(word $(1),$(subst :, ,$(2)))

define install_file
install -D -m $(call part,1,$(1)) $(call part,2,$(1)) "$(DESTDIR)$(call part,3,$(1))"

endef

$(MAN3): $(BUILD)/man3/%.3: $(wildcard man/*.3)
	@mkdir -p $(@D)
	@page=$$(grep -lE '^(.*, )?$*(,.*)? \\- ' man/*.3) && \
		if [ "$$page" = man/$*.3 ]; then cp $$page $@; \
		else echo ".so man3/$${page#man/}" >$@; fi

$(COMPLETIONS): $(BUILD)/llamux scripts/completion
	@mkdir -p $(@D)
	@scripts/completion $(@F) $< >$@

$(SERVE_COMPLETIONS): $(SERVE) scripts/completion
	@mkdir -p $(@D)
	@scripts/completion $(@F) $< >$@

# Its directories are those of this installation.
.PHONY: $(BUILD)/libllamux.pc
$(BUILD)/libllamux.pc: user/libllamux.pc.in
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|;s|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|;s|@VERSION@|$(VERSION)|' $< >$@

.PHONY: install
install: $(LIBS) $(SHARED) $(BUILD)/libllamux.pc ## Install all, the module if built
install: $(SERVE) $(COMPLETIONS) $(SERVE_COMPLETIONS) $(MAN3)
	$(foreach f,$(INSTALLED),$(call install_file,$(f)))
	ln -sf $(SONAME) "$(DESTDIR)$(LIBDIR)/libllamux.so"
	@[ ! -e $(KO) ] || scripts/install-module $(KO) "$(DESTDIR)"

.PHONY: uninstall
uninstall: ## Remove what install installed
	rm -f $(foreach f,$(INSTALLED),"$(DESTDIR)$(call part,3,$(f))") \
		"$(DESTDIR)$(LIBDIR)/libllamux.so"
	rm -f "$(DESTDIR)"/lib/modules/*/updates/llamux.ko

.PHONY: clean
clean: ## Remove what was built
	rm -rf build
