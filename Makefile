# Builds iked and ikectl, and runs the tests; GNU make, no automake.
#
# New files need no edit here: sources are found by their folder. Every variant
# (clang, sanitizers, fuzzing) is this same file with another B, so nothing is
# shared between them. Counting test results is test/tally's job, installing
# what is missing is bootstrap's.
#
#   make [V=1]                      iked and ikectl; V=1 shows the commands
#   make check                      all tests of CI, in the parts
#                                   lint rooms reproducible check-unit check-scenario
#                                   asan-smoke check-crossing simulate fuzz-smoke
#                                   check-lab
#                                   within MINUTES=30: no scenario of the lab begins
#                                   later, but for those that must be seen
#   make simulate SEED=1 RUNS=1000
#   make fuzz-smoke SEED=2 FUZZ_SECONDS=600
#   make check-lab REKEYS=200      from each side, with each peer; a few by default
#   make check-lab LONG=yes        also meshes, floods and hosts that move
#   make check-unit LONG=yes       also 10,000 connections between two daemons
#   make check-asan | check-valgrind | coverage | clang | lint | format | bench | demo
#   make install [DESTDIR=DIR] | uninstall | clean | distclean

B = build
CLANG = clang
SEED = 1
RUNS = 200
MINUTES = 30
FUZZ_SECONDS = 5
FORMAT_VERSION = 14
CPPCHECK_VERSION = 2.10
UNIT_TIMEOUT = $(if $(filter yes,$(LONG)),1800,300)
V = 0

unconfigured_goals = clean distclean format
ifneq ($(filter-out $(unconfigured_goals),$(or $(MAKECMDGOALS),all)),)
configured = yes
endif

ifdef configured
ifeq ($(wildcard config.mk),)
$(error not configured: run ./bootstrap, or autoconf and ./configure)
endif
include config.mk
endif

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: FORCE
FORCE:

say_0 = @printf '  %-4s %s\n' $(1) $(2);
say_1 =
say = $(say_$(V))

# --- flags -------------------------------------------------------------------

warnings = -Wall -Wextra -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
ifeq ($(WERROR),yes)
warnings += -Werror
endif

ifeq ($(FUZZ),yes)
sanitize = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
else ifneq ($(SANITIZE),)
sanitize = -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
endif
ifneq ($(sanitize),)
sanitize += -fno-omit-frame-pointer
endif

# _FORTIFY_SOURCE needs optimization, and hides from ASan what it checks itself.
fortify = -U_FORTIFY_SOURCE $(if $(sanitize)$(filter -O0,$(CFLAGS)),,$(FORTIFY))

cppflags = -I. -D_GNU_SOURCE= $(fortify) $(sort $(CRYPTO_CFLAGS) $(MNL_CFLAGS) $(EVENT_CFLAGS) \
	$(CONFIG_CFLAGS) $(JANSSON_CFLAGS) $(SECCOMP_CFLAGS)) $(CPPFLAGS)
cflags = -std=gnu17 $(warnings) -fPIE $(HARDENING) $(PREFIX_MAP) $(sanitize) $(CFLAGS)
ldflags = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(sanitize) $(LDFLAGS)

compile = $(CC) $(cppflags) $(cflags) -MMD -MP -c -o $@ $<
link = $(CC) $(cflags) $(ldflags) -o $@ $(filter %.o,$^) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group

# ikectl needs far less than the daemon; --as-needed keeps each to what it uses.
iked_libs = $(EVENT_LIBS) $(MNL_LIBS) $(SECCOMP_LIBS) $(CONFIG_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)
ikectl_libs = $(CONFIG_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

# --- sources, objects and programs -------------------------------------------

rooms := $(notdir $(wildcard lib/*))
lib_src := $(foreach room,$(rooms),$(wildcard lib/$(room)/*.c))
iked_src := $(wildcard iked/*.c iked/*/*.c iked/*/*/*.c)
ikectl_src := $(wildcard ikectl/*.c)
common_src := $(wildcard test/common/*.c)
unit_src := $(wildcard test/unit/*.c)
scenario_src := $(wildcard test/scenario/*.c)
simulate_src := $(wildcard test/simulate/*.c)
crossing_src := $(wildcard test/crossing/*.c)
fuzz_src := $(wildcard test/fuzz/*.c)
bench_src := $(wildcard test/bench/*.c)
all_src := $(lib_src) $(iked_src) $(ikectl_src) $(common_src) $(unit_src) $(scenario_src) \
	$(simulate_src) $(crossing_src) $(fuzz_src) $(bench_src)

# In test/unit and test/bench each file with a main is a program; a file without
# one is for all programs of its folder: linked to each in test/bench, taken by
# those that call it in test/unit. test/common is there for all tests.
with_main = $(if $(1),$(shell grep -lE '^(int +)?main ?.(void|int)' $(1)))
unit_main := $(call with_main,$(unit_src))
bench_main := $(call with_main,$(bench_src))
fuzz_main := $(filter test/fuzz/fuzz_%,$(fuzz_src))

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
helpers = $(call obj,$(filter-out $($(1)_main),$($(1)_src)))

programs := $(if $(iked_src),$(B)/iked) $(if $(ikectl_src),$(B)/ikectl)
unit_programs := $(patsubst %.c,$(B)/%,$(unit_main))
bench_programs := $(patsubst %.c,$(B)/%,$(bench_main))
scenario_program := $(if $(scenario_src),$(B)/test/scenario)
simulate_program := $(if $(simulate_src),$(B)/test/simulate)
crossing_program := $(if $(crossing_src),$(B)/test/crossing)
fuzz_programs := $(patsubst test/fuzz/%.c,$(B)/%,$(fuzz_main))

.PHONY: all tests
all: $(programs)
tests: $(unit_programs) $(scenario_program) $(simulate_program) $(crossing_program) $(bench_programs)

ifdef configured

# Written anew only when its text changes: other flags, or a file that came or
# went, rebuild what depends on them.
$(B):
	@mkdir -p $@
$(B)/flags: FORCE | $(B)
	$(file >$@.new,$(CC) $(cppflags) $(cflags) $(ldflags))@\
	if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi
$(B)/files: FORCE | $(B)
	$(file >$@.new,$(all_src))@\
	if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi

$(B)/obj/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(compile)
$(B)/obj/test/unit/%.o: CPPFLAGS += $(CMOCKA_CFLAGS)

-include $(wildcard $(patsubst %.c,$(B)/obj/%.d,$(all_src)))

archives = $(addprefix $(B)/,libike.a libiked.a libikectl.a libtest.a libunit.a)
$(B)/libike.a: $(call obj,$(lib_src))
$(B)/libiked.a: $(call obj,$(filter-out iked/main.c,$(iked_src)))
$(B)/libikectl.a: $(call obj,$(filter-out ikectl/main.c,$(ikectl_src)))
$(B)/libtest.a: $(call obj,$(common_src))
$(B)/libunit.a: $(call helpers,unit)
$(archives): $(B)/files
	$(call say,AR,$@)rm -f $@ && $(AR) crs $@ $(filter %.o,$^)

$(B)/iked: $(call obj,$(iked_src)) $(B)/libike.a
	$(call say,LD,$@)$(link) $(iked_libs)
$(B)/ikectl: $(call obj,$(ikectl_src)) $(B)/libike.a
	$(call say,LD,$@)$(link) $(ikectl_libs)

# Tests of the tool's own objects are named after them; the daemon's are there for all, because
# simulated hosts have its keeper.
$(filter $(B)/test/unit/ikectl_%,$(unit_programs)): $(B)/libikectl.a
$(unit_programs): $(B)/%: $(B)/obj/%.o $(B)/libunit.a $(B)/libtest.a $(B)/libiked.a $(B)/libike.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(link) $(CMOCKA_LIBS) $(iked_libs)

$(bench_programs): $(B)/%: $(B)/obj/%.o $(call helpers,bench) \
		$(B)/libtest.a $(B)/libiked.a $(B)/libike.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(link) $(iked_libs)

$(B)/test/scenario: $(call obj,$(scenario_src)) $(B)/libtest.a $(B)/libiked.a $(B)/libike.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(link) $(iked_libs)

$(B)/test/simulate: $(call obj,$(simulate_src)) $(B)/libtest.a $(B)/libiked.a $(B)/libike.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(link) $(iked_libs)

$(B)/test/crossing: $(call obj,$(crossing_src)) $(B)/libtest.a $(B)/libiked.a $(B)/libike.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(link) $(iked_libs)

# Only in the variant that fuzz-smoke makes: the library, too, is instrumented.
.PHONY: fuzz-programs
fuzz-programs: $(fuzz_programs)
$(fuzz_programs): $(B)/%: $(B)/obj/test/fuzz/%.o $(call helpers,fuzz) \
		$(B)/libtest.a $(B)/libiked.a $(B)/libike.a
	$(call say,LD,$@)$(link) -fsanitize=fuzzer $(iked_libs)

# What configure writes follows its sources.
configure: configure.ac
	autoconf
config.status: configure
	./config.status --recheck
config.mk: config.mk.in config.h.in config.status
	./config.status
	@touch config.mk

endif

# --- tests -------------------------------------------------------------------
#
# Each part counts into one tally. Alone it prints its own total; under check
# all parts run, also after a failure, and the total comes last.

export TALLY = $(B)/tally
export IKED_BUILD = $(abspath $(B))
tally = test/tally
check_parts = lint rooms reproducible check-unit check-scenario asan-smoke check-crossing simulate \
	fuzz-smoke check-lab
asan_parts = check-unit check-scenario check-crossing simulate

.PHONY: check $(check_parts) check-asan check-valgrind coverage
check:
	@$(tally) --start
	@export LAB_UNTIL=$$(($$(date +%s) + 60 * $(MINUTES))); \
	for part in $(check_parts); do $(tally) --part $$part $(MAKE) $$part || exit 1; done
	@$(tally) --total

# What gcc warns about with sanitizers alone is no error.
asan-smoke: asan_parts = check-unit check-scenario
check-asan asan-smoke:
	@$(tally) --start
	@for part in $(asan_parts); do \
		$(tally) --part asan/$$part $(MAKE) B=$(B)/asan TALLY=$(TALLY) WERROR=no \
			SANITIZE=address,undefined 'CFLAGS=-O1 -g' $$part || exit 1; \
	done
	@$(tally) --total

# Which lines unit, scenario and crossing tests go through, per folder.
coverage_parts = check-unit check-scenario check-crossing
coverage:
	@$(tally) --start
	@test ! -d $(B)/coverage || find $(B)/coverage -name '*.gcda' -delete
	@for part in $(coverage_parts); do \
		$(tally) --part coverage/$$part $(MAKE) B=$(B)/coverage TALLY=$(TALLY) WERROR=no \
			'CFLAGS=-O0 -g --coverage' $$part || exit 1; \
	done
	@test/coverage $(B)/coverage/obj
	@$(tally) --total

# Who calls whom, held against the rule in HACKING.md.
rooms: $(programs)
	@$(tally) --start
	@$(tally) -1 rooms test/rooms $(B)/obj
	@$(tally) --total

# The same sources in another folder, built into another one, give the same programs.
elsewhere = $(B)/elsewhere/tree
reproducible: $(programs)
	@$(tally) --start
	@rm -rf $(elsewhere) && mkdir -p $(elsewhere)
	@cp -a Makefile configure configure.ac config.* lib iked ikectl $(elsewhere)
	@$(MAKE) -C $(elsewhere) B=made all
	@for program in $(notdir $(programs)); do \
		$(tally) -1 reproducible/$$program cmp $(B)/$$program $(elsewhere)/made/$$program; \
	done
	@$(tally) --total

ifeq ($(unit_programs),)
check-unit check-valgrind:
	@echo "$@: no tests yet"
else ifneq ($(CMOCKA),yes)
check-unit check-valgrind:
	@echo "$@: cmocka is missing: install it (Debian: libcmocka-dev) and run ./configure" >&2
	@false
else
check-unit: $(unit_programs) $(programs)
	@$(tally) --start
	@for program in $(unit_programs); do \
		$(tally) -q unit/$${program##*/} timeout $(UNIT_TIMEOUT) $$program || exit 1; \
	done
	@$(tally) --total

check-valgrind: $(unit_programs) $(programs)
	@$(tally) --start
	@for program in $(unit_programs); do \
		$(tally) -q valgrind/$${program##*/} timeout $(UNIT_TIMEOUT) \
			valgrind -q --error-exitcode=9 --leak-check=full $$program || exit 1; \
	done
	@$(tally) --total
endif

ifeq ($(scenario_program),)
check-scenario:
	@echo "$@: no tests yet"
else
check-scenario: $(scenario_program)
	@$(tally) --start
	@$(tally) -q scenario $(scenario_program) $(sort $(wildcard test/scenario/*.scn))
	@$(tally) --total
endif

ifeq ($(crossing_program),)
check-crossing:
	@echo "$@: no tests yet"
else
check-crossing: $(crossing_program)
	@$(tally) --start
	@$(tally) crossing $(crossing_program)
	@$(tally) --total
endif

ifeq ($(simulate_program),)
simulate:
	@echo "$@: no tests yet"
else
simulate: $(simulate_program)
	@$(tally) --start
	@$(tally) simulate $(simulate_program) --seed $(SEED) --runs $(RUNS)
	@$(tally) --total
endif

# fuzz_NAME starts from test/fuzz/corpus/NAME, which stays as it is; what it
# finds goes to build/fuzz/corpus/NAME. An input that fails is kept beside it.
# One SEED is one order of inputs, as far as addresses do not matter to it: a
# check of the same tree does not fail by luck. To look for more: another SEED
# and more FUZZ_SECONDS.
fixed_addresses := $(shell setarch -R true 2>/dev/null && echo setarch -R)
ifeq ($(fuzz_main),)
fuzz-smoke:
	@echo "$@: no tests yet"
else
fuzz-smoke:
	@$(MAKE) B=$(B)/fuzz FUZZ=yes CC=$(CLANG) 'CFLAGS=-O1 -g' fuzz-programs
	@$(tally) --start
	@for program in $(patsubst test/fuzz/fuzz_%.c,%,$(fuzz_main)); do \
		mkdir -p $(B)/fuzz/corpus/$$program; \
		seeds=test/fuzz/corpus/$$program; \
		words=test/fuzz/$$program.dict; \
		$(tally) -q -1 fuzz/$$program timeout $$(($(FUZZ_SECONDS) + 120)) \
			$(fixed_addresses) $(B)/fuzz/fuzz_$$program -seed=$(SEED) \
			-max_total_time=$(FUZZ_SECONDS) -timeout=60 \
			-artifact_prefix=$(B)/fuzz/$$program- \
			$$(test ! -f $$words || echo -dict=$$words) \
			$(B)/fuzz/corpus/$$program $$(test ! -d $$seeds || echo $$seeds) || exit 1; \
	done
	@$(tally) --total
endif

ifeq ($(wildcard test/lab/run),)
check-lab:
	@echo "$@: no tests yet"
else
check-lab: $(programs) $(scenario_program) $(B)/test/bench/flood
	@$(tally) --start
	@$(tally) lab env LAB_REKEYS=$(REKEYS) LAB_LONG=$(LONG) test/lab/run
	@$(tally) --total
endif

.PHONY: bench demo
bench: $(programs) $(bench_programs)
	test/bench/run
demo: $(programs)
	@test/lab/demo

# --- the sources' care -------------------------------------------------------

formatted = $(wildcard $(addsuffix /*.[ch],$(addprefix lib/,$(rooms)) iked iked/* iked/*/* ikectl \
	$(addprefix test/,common unit scenario crossing simulate fuzz bench)))
manuals = $(wildcard man/*.[1-9])

.PHONY: clang format
clang:
	@$(MAKE) B=$(B)/clang CC=$(CLANG) WERROR=yes all tests

format:
	clang-format -i $(formatted)
	test/rooms --order $(formatted)

# Other versions lay out otherwise, and suspect other lines: those of Debian 12 are the judges.
lint:
	@$(tally) --start
	@case "$$(clang-format --version)" in \
	*"version $(FORMAT_VERSION)."*) \
		$(tally) -q -1 lint/format clang-format --dry-run -Werror $(formatted) ;; \
	*) echo "  skip lint/format: needs clang-format $(FORMAT_VERSION)" ;; \
	esac
	@$(tally) -q -1 lint/columns sh -c '! grep -n ".\{101,\}" "$$@"' sh $(formatted)
	@case "$$(cppcheck --version)" in \
	*" $(CPPCHECK_VERSION)") \
		$(tally) -q -1 lint/cppcheck cppcheck -q --std=c11 \
			--enable=warning,performance,portability --library=test/cppcheck.cfg \
			--inline-suppr --error-exitcode=1 -I. -D_GNU_SOURCE= \
			-I/usr/include/$(shell $(CC) -print-multiarch) \
			--suppress='*:/usr/include/*' $(lib_src) $(iked_src) $(ikectl_src) ;; \
	*) echo "  skip lint/cppcheck: needs cppcheck $(CPPCHECK_VERSION)" ;; \
	esac
	@$(tally) -q -1 lint/manuals mandoc -T lint -W warning $(manuals)
	@$(tally) --total

# --- installing --------------------------------------------------------------

unitdir = $(prefix)/lib/systemd/system
sysusersdir = $(prefix)/lib/sysusers.d
completiondir = $(datadir)/bash-completion/completions
fill = sed -e 's|@sbindir@|$(sbindir)|g' -e 's|@sysconfdir@|$(sysconfdir)|g' -e 's|@user@|$(user)|g'
in_section = $(foreach page,$(manuals),$(mandir)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))

.PHONY: install uninstall
install: $(programs)
	install -d $(DESTDIR)$(sbindir) $(DESTDIR)$(unitdir) $(DESTDIR)$(sysusersdir) \
		$(DESTDIR)$(completiondir) $(DESTDIR)$(docdir) $(DESTDIR)$(sysconfdir)/iked/conf.d
	install -m 755 $(programs) $(DESTDIR)$(sbindir)
	for page in $(manuals); do \
		install -D -m 644 $$page $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/} || exit 1; \
	done
	$(fill) etc/iked.service > $(DESTDIR)$(unitdir)/iked.service
	$(fill) etc/iked.sysusers > $(DESTDIR)$(sysusersdir)/iked.conf
	install -m 644 etc/completion/ikectl $(DESTDIR)$(completiondir)/ikectl
	install -m 644 $(wildcard etc/iked.conf) LICENSE $(DESTDIR)$(docdir)
	test -e $(DESTDIR)$(sysconfdir)/iked/iked.conf || test ! -e etc/iked.conf || \
		install -m 644 etc/iked.conf $(DESTDIR)$(sysconfdir)/iked/iked.conf
	@test -n "$(DESTDIR)" || echo "Next: systemd-sysusers (or useradd -r $(user)); write" \
		"$(sysconfdir)/iked/iked.conf and secrets.conf; ikectl check"

# Leaves the configuration, which may hold the user's work.
uninstall:
	rm -f $(addprefix $(DESTDIR),$(sbindir)/iked $(sbindir)/ikectl $(in_section) \
		$(unitdir)/iked.service $(sysusersdir)/iked.conf $(completiondir)/ikectl \
		$(docdir)/iked.conf $(docdir)/LICENSE)
	test ! -d $(DESTDIR)$(docdir) || rmdir --ignore-fail-on-non-empty $(DESTDIR)$(docdir)
	@echo "What iked gave the kernel stays there unless it ended with on_exit = \"clear\": ip xfrm policy"
	@echo "The configuration stays in $(DESTDIR)$(sysconfdir)/iked"

.PHONY: clean distclean
clean:
	rm -rf $(B)
distclean: clean
	rm -rf autom4te.cache
	rm -f configure configure~ config.h config.mk config.log config.status
