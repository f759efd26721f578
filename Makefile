# deploy: build, test, install.  Needs GNU make; `make help` lists the
# targets.  What can be set on the command line stands first.

PREFIX = /usr/local
DESTDIR =
BINDIR = $(PREFIX)/bin
DATADIR = $(PREFIX)/share
MANDIR = $(DATADIR)/man

OBJ = .build
BIN = bin/deploy
CFLAGS = -O2 -g
# Warnings are errors; `make WERROR=` builds in spite of them.
WERROR = -Werror
# What `make test` runs: all, or names as in `make test TESTS="20-stage"`.
TESTS =
# Seconds that `make fuzz` spends on each target (0: as long as it takes), runs
# (-1: any number), which targets, and the sanitizers: without address it makes
# two or three times as many runs.
FUZZ_SECONDS = 20
FUZZ_RUNS = -1
FUZZ = $(notdir $(basename $(wildcard tests/fuzz/*.c)))
FUZZ_SAN = address,undefined
# `make check-sanitize SAN=thread` looks for data races instead.
SAN = address,undefined
SAN_CC = gcc

# Debian packages, by what needs them.
DEBS_BUILD = gcc make pkgconf libc6-dev libarchive-dev libcyaml-dev \
	libyaml-dev libjansson-dev uuid-dev libssl-dev libssh-dev zlib1g-dev \
	libcurl4-openssl-dev libpq-dev libsqlite3-dev libzstd-dev libbrotli-dev
DEBS_TEST = acl bsdextrautils bzip2 curl discount e2fsprogs jq libarchive-tools \
	mandoc mount mtree-netbsd nginx-light openssh-client openssh-server \
	postgresql procps python3-jsonschema python3.11-doc rsync shellcheck \
	sqlite3 util-linux webhook xz-utils zip zstd
# What `make static` needs besides: libarchive.a leaves them to us.
DEBS_STATIC = binutils libacl1-dev libbz2-dev liblz4-dev liblzma-dev \
	nettle-dev
# One test or two are skipped without each of these, or all take longer (gojq).
DEBS_MORE = $(DEBS_STATIC) apache2-bin btrfs-progs busybox caddy csh dpkg-dev faketime fish git \
	gojq hugo iproute2 ksh lintian openssl systemd tcsh time varnish xfsprogs zsh
DEBS_DEMO = curl discount hugo mandoc nginx-light
DEBS_HTML = discount mandoc
DEBS_PICTURE = jq openssh-client openssh-server procps termtosvg util-linux
DEBS_LINT = clang-format cppcheck mandoc shellcheck
DEBS_FUZZ = clang libclang-rt-dev llvm
DEBS_BENCH = capistrano curl e2fsprogs git jq nginx nq openjdk-17-doc openssh-client \
	openssh-server postgresql procps python3 python3.11-doc rsync sqlite3 time util-linux \
	webhook xfsprogs zstd

DEBS_GENERATORS = git hugo jekyll jq mkdocs pelican \
	$(if $(shell command -v npm),,nodejs npm)
# The newest that run with the Node.js of Debian's stable releases.
NPM_GENERATORS = eleventy astro
NPM_eleventy = @11ty/eleventy@2
NPM_astro = astro@5

# Libraries by their pkg-config names, and the package that has each.
LIBS = libcyaml yaml-0.1 jansson uuid zlib libzstd
DEB_libarchive = libarchive-dev
DEB_libcyaml = libcyaml-dev
DEB_yaml-0.1 = libyaml-dev
DEB_jansson = libjansson-dev
DEB_uuid = uuid-dev
DEB_libcrypto = libssl-dev
DEB_libssh = libssh-dev
DEB_zlib = zlib1g-dev
DEB_libzstd = libzstd-dev
DEB_libbrotlidec = libbrotli-dev
DEB_libbrotlienc = libbrotli-dev
DEB_sqlite3 = libsqlite3-dev
DEB_libpq = libpq-dev
DEB_libcurl = libcurl4-openssl-dev
# Only their headers: what includes base/library.h loads them when needed.  The
# static program is linked with the first of them, and has none of the others.
LOADED_LIBS = libarchive libcrypto libssh sqlite3 libbrotlidec libbrotlienc
HEADER_LIBS = $(LOADED_LIBS) libcurl libpq

PKG_CONFIG = pkg-config
LIB_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBS) $(HEADER_LIBS) 2>/dev/null)
LIB_LIBS := $(shell $(PKG_CONFIG) --libs $(LIBS) 2>/dev/null)
ifeq ($(and $(LIB_LIBS),$(LIB_CFLAGS)),)
MISSING := $(if $(shell command -v $(PKG_CONFIG)),,pkgconf) \
	$(foreach lib,$(LIBS) $(HEADER_LIBS),$(if $(shell \
	$(PKG_CONFIG) --exists $(lib) 2>/dev/null && echo y),,$(DEB_$(lib))))
endif

# The flags, if the compiler and the C library take them without a word: not
# every gcc fortifies with 3, and -fcf-protection is for x86.
takes = $(shell $(CC) -O2 -Werror $(1) -include string.h -fsyntax-only \
	-x c /dev/null 2>/dev/null && echo '$(1)')
FALLTHROUGH := $(or $(call takes,-Wimplicit-fallthrough=5),\
	-Wimplicit-fallthrough)

# A sanitizer wants to see the calls that fortified headers hide.
ifdef SANITIZE
HARDEN = -fno-omit-frame-pointer -fno-sanitize-recover=all \
	-fsanitize=$(SANITIZE)
LINK_HARDEN = -fsanitize=$(SANITIZE) $(SAN_LINK)
else
HARDEN := -fPIE -fstack-protector-strong $(or \
	$(call takes,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3),\
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) \
	$(call takes,-fstack-clash-protection) $(call takes,-fcf-protection)
LINK_HARDEN = -pie -Wl,-z,relro,-z,now
endif

STD = -std=c17 -D_GNU_SOURCE
WARN = -Wall -Wextra -Wshadow -Wmissing-prototypes -Wpedantic -Wconversion \
	-Wcast-qual -Wstrict-prototypes -Wold-style-definition -Wformat=2 \
	-Wundef -Wwrite-strings -Wvla -Wpointer-arith -Wdouble-promotion \
	$(FALLTHROUGH) $(WERROR)
COMPILE = $(CC) $(STD) $(WARN) $(HARDEN) -pthread -Isrc $(LIB_CFLAGS) \
	$(CPPFLAGS) $(CFLAGS)
LINK = $(CC) $(CFLAGS) $(HARDEN) $(LINK_HARDEN) -pthread $(LDFLAGS)

SRC := $(sort $(wildcard src/*.c src/*/*.c))
SRC_O = $(SRC:src/%.c=$(OBJ)/src/%.o) $(OBJ)/host_script.o $(OBJ)/webhook_script.o \
	$(OBJ)/doctor_script.o
LIB_O = $(filter-out %/main.o,$(SRC_O))
UNITS = $(patsubst tests/unit/%.c,$(OBJ)/unit/%,$(wildcard tests/unit/*.c))
PRELOADS = $(patsubst tests/faults/%.c,$(OBJ)/preload/%.so,\
	$(wildcard tests/faults/*.c))
FUZZERS = $(FUZZ:%=$(OBJ)/fuzz/%)

# Build on all cores, also when nobody asked for it.
PARALLEL = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
# One short line for each file; `make V=1` shows the commands.
show = $(if $(V),,@echo '  $(1)  $@';)
SUBMAKE = $(MAKE) --no-print-directory $(PARALLEL)

.DEFAULT_GOAL = all
.DELETE_ON_ERROR:
.SUFFIXES:

## all               build bin/deploy (the default)
.PHONY: all
all: $(BIN)

$(BIN): $(SRC_O) $(OBJ)/sources
	@mkdir -p $(@D)
	$(call show,LD)$(LINK) -o $@ $(SRC_O) $(LIB_LIBS)

$(OBJ)/src/%.o: src/%.c $(OBJ)/flags | libraries
	@mkdir -p $(@D)
	$(call show,CC)$(COMPILE) -MMD -MP -c -o $@ $<

# The sh verbs as C strings, a line each, as they travel: without leading tabs
# and comments, but for those that begin a part.  (The ? are escaped because of
# trigraphs.)
$(OBJ)/host_script.c: src/host/host.sh Makefile
	@mkdir -p $(@D)
	$(call show,GEN)(echo '#include "remote/host_script.h"'; \
	    echo 'const char *const host_script[] = {'; \
	    sed -e '/^[[:blank:]]*#[^:]/d' -e '/^[[:blank:]]*#$$/d' -e 's/^	*//' -e '/^$$/d' \
	    -e 's/[\\"?]/\\&/g' -e 's/	/\\t/g' -e 's/.*/"&\\n",/' $<; \
	    echo '(const char *)0 };') >$@

# The scripts that web hooks run, and root on a new host, as they are.
$(OBJ)/webhook_script.c: src/site/webhook.sh Makefile
$(OBJ)/doctor_script.c: src/cmd/doctor_script.sh Makefile
$(OBJ)/webhook_script.c $(OBJ)/doctor_script.c:
	@mkdir -p $(@D)
	$(call show,GEN)(echo '#include "$(patsubst src/%.sh,%.h,$<)"'; \
	    echo 'const char *const $(basename $(@F))[] = {'; \
	    sed -e 's/[\\"?]/\\&/g' -e 's/	/\\t/g' -e 's/.*/"&\\n",/' $<; \
	    echo '(const char *)0 };') >$@

$(OBJ)/host_script.o $(OBJ)/webhook_script.o $(OBJ)/doctor_script.o: %.o: %.c $(OBJ)/flags
	$(call show,CC)$(COMPILE) -MMD -MP -c -o $@ $<

# Debian has no libraries of Kerberos and ICU to link statically: GSSAPI and
# the xar format, which use them, are not used here, so their functions are
# none.  What NSS may load at run time is warned of; "files" is built in.
STATIC_LIBS = $(filter-out -lxml2,$(shell $(PKG_CONFIG) --static \
	--libs $(LIBS) $(LOADED_LIBS)))
STATIC_NONE = $(shell nm $$($(CC) -print-file-name=libssh.a) \
	$$($(CC) -print-file-name=libarchive.a) 2>/dev/null | awk '$$1 == "U" && \
	$$2 ~ /^(gss_|GSS_|xml|UTF8Toisolat1$$)/ { print $$2 }' | sort -u)
STATIC_OTHER = base/library.o base/libcrypto.o content/libarchive.o \
	content/libbrotli.o queue/libsqlite.o ssh/libssh.o
STATIC_O = $(filter-out $(STATIC_OTHER:%=$(OBJ)/src/%),$(SRC_O)) \
	$(STATIC_OTHER:%=$(OBJ)/static/%)
$(OBJ)/static/%.o: src/%.c $(OBJ)/flags
	@mkdir -p $(@D)
	$(call show,CC)$(COMPILE) -DDEPLOY_STATIC -c -o $@ $<
$(BIN)-static: $(STATIC_O) $(OBJ)/sources
	@mkdir -p $(@D)
	$(call show,LD)$(CC) $(CFLAGS) $(HARDEN) -static-pie -Wl,-z,relro,-z,now \
	    -Wl,--no-warnings -pthread $(LDFLAGS) -s -o $@ $(STATIC_O) \
	    -Wl,--start-group $(STATIC_LIBS) -Wl,--end-group \
	    $(STATIC_NONE:%=-Wl,--defsym=%=abort)

# Written anew only when the content changes: other flags rebuild
# everything, a source that is gone links again.
stamp = @mkdir -p $(@D); echo '$(1)' | cmp -s - $@ || echo '$(1)' >$@

$(OBJ)/flags: always
	$(call stamp,$(COMPILE) / $(LINK))
$(OBJ)/sources: always
	$(call stamp,$(SRC))

.PHONY: always libraries
always:
libraries:
ifneq ($(strip $(MISSING)),)
	@echo "deploy: to build it, these Debian packages are missing:" \
	    "$(strip $(MISSING)); 'make deps' installs them" >&2; exit 1
endif

## deps              install the Debian packages for all, demo and test
.PHONY: deps deps-build deps-test deps-large deps-demo deps-lint deps-fuzz deps-bench \
	deps-deb deps-generators deps-html deps-picture deps-static
deps:
	@.ci/deps $(sort $(DEBS_BUILD) $(DEBS_TEST) $(DEBS_DEMO))
	@.ci/deps --try $(DEBS_MORE)
## deps-build        install those for all alone
deps-build:
	@.ci/deps $(DEBS_BUILD)
deps-test:
	@.ci/deps $(sort $(DEBS_BUILD) $(DEBS_TEST))
	@.ci/deps --try $(DEBS_MORE)
deps-demo:
	@.ci/deps $(sort $(DEBS_BUILD) $(DEBS_DEMO))
deps-html:
	@.ci/deps $(DEBS_HTML)
deps-picture:
	@.ci/deps $(sort $(DEBS_BUILD) $(DEBS_PICTURE))
deps-static:
	@.ci/deps $(sort $(DEBS_BUILD) $(DEBS_STATIC))
deps-lint:
	@.ci/deps $(sort $(DEBS_BUILD) $(DEBS_LINT))
deps-fuzz:
	@.ci/deps $(sort $(DEBS_BUILD) $(DEBS_FUZZ))
deps-deb:
	@.ci/deps $(sort $(DEBS_BUILD) dpkg-dev binutils)
# What cannot be had is skipped.
deps-generators:
	@.ci/deps $(DEBS_BUILD)
	@for p in $(DEBS_GENERATORS); do .ci/deps --try $$p; done
deps-bench:
	@.ci/deps $(sort $(DEBS_BUILD) $(DEBS_BENCH))

# The targets below need packages that may have to be installed first, so a
# second make does the work: this one has looked for the libraries already.

## demo              a Hugo site goes live, is updated and rolled back
.PHONY: demo
demo: deps-demo
	+@$(SUBMAKE) all
	@DEPLOY=$(BIN) tests/demo

## picture           man/deploy.svg, the picture in README.md, anew
.PHONY: picture
picture: deps-picture
	+@$(SUBMAKE) all
	@DEPLOY=$(BIN) tests/picture man/deploy.svg

## html              README, tutorials and manuals as a site, in .build/html
.PHONY: html
html: deps-html
	@.ci/html $(OBJ)/html

## test              run every test, or those in TESTS="NAME ..."
## test-all          the same, with all combinations of hosts and faults, also
##                   those that no promise depends on
.PHONY: test test-all run-tests
test-all: export TEST_ALL = yes
test-all: deps-large test
# Large, and a daemon begins with one: without, their tests are skipped.
deps-large:
	@.ci/deps --try docker.io
	@.ci/deps --try chromium
test: deps-test
	+@$(SUBMAKE) all test-programs
	@$(MAKE) --no-print-directory run-tests
run-tests:
	@DEPLOY=$(BIN) TEST_OBJ=$(OBJ) tests/run $(TESTS)

.PHONY: test-programs
test-programs: $(UNITS) $(PRELOADS) $(OBJ)/ssh/driver $(OBJ)/proxy $(OBJ)/verbs \
	$(OBJ)/host-alone

# They make the archives that they read, or look at keys themselves.
$(OBJ)/unit/unpack $(OBJ)/fuzz/unpack: LIB_LIBS += -larchive
$(OBJ)/fuzz/key $(OBJ)/fuzz/known_hosts: LIB_LIBS += -lssh
$(OBJ)/unit/%: tests/unit/%.c $(LIB_O) $(OBJ)/sources
	@mkdir -p $(@D)
	$(call show,CC)$(COMPILE) -MMD -MP -MF $@.d -MT $@ -c -o $@.o $<
	$(call show,LD)$(LINK) -o $@ $@.o $(LIB_O) $(LIB_LIBS)

$(OBJ)/ssh/%: tests/ssh/%.c $(LIB_O) $(OBJ)/sources
	@mkdir -p $(@D)
	$(call show,CC)$(COMPILE) -MMD -MP -MF $@.d -MT $@ -c -o $@.o $<
	$(call show,LD)$(LINK) -o $@ $@.o $(LIB_O) $(LIB_LIBS)

# What the host side may reach, by src/LAYERS, and nothing else.
HOST_O = $(filter $(foreach f,base os content root host,$(OBJ)/src/$(f)/%),\
	$(SRC_O))
$(OBJ)/host-alone: tests/host-alone.c $(HOST_O) $(OBJ)/sources
	$(call show,CC)$(COMPILE) -c -o $@.o $<
	$(call show,LD)$(LINK) -o $@ $@.o $(HOST_O) $(LIB_LIBS)

$(OBJ)/proxy $(OBJ)/flips $(OBJ)/visits $(OBJ)/verbs: $(OBJ)/%: tests/%.c $(OBJ)/flags
	@mkdir -p $(@D)
	$(call show,CC)$(CC) $(STD) $(WARN) -O2 -g -o $@ $<

# Never built with a sanitizer: it is the program that is under test.
$(OBJ)/preload/%.so: tests/faults/%.c $(OBJ)/flags
	@mkdir -p $(@D)
	$(call show,CC)$(CC) $(STD) $(WARN) $(CPPFLAGS) -O2 -g -fPIC -shared -pthread \
	    -MMD -MP -MF $@.d -MT $@ -o $@ $< -ldl

## test-generators   publish real sites of Hugo, Pelican, Jekyll, MkDocs,
##                   Eleventy and Astro (the last two from npm)
.PHONY: test-generators
test-generators: deps-generators
	+@$(SUBMAKE) all
	@$(MAKE) --no-print-directory $(NPM_GENERATORS:%=$(OBJ)/npm/%)
	@DEPLOY=$(BIN) TEST_OBJ=$(OBJ) tests/run tests/generators/*.sh

# The tests know nothing of the user's proxies and registries: here they count.
$(OBJ)/npm/%:
	@rm -rf $@.new && mkdir -p $@.new
	-@npm install --silent --no-fund --no-audit --cache $@.cache \
	    --prefix $@.new $(NPM_$*) && mv $@.new $@; rm -rf $@.cache

## check-sanitize    the same under ASan, UBSan and LSan, or SAN=thread
.PHONY: check-sanitize
# The runtimes of gcc go into the program: a preloaded library of the tests
# could not stand before a shared one.
SAN_STATIC_address,undefined = -static-libasan -static-libubsan
SAN_STATIC_thread = -static-libtsan
SAN_LINK = $(if $(findstring clang,$(CC)),,$(SAN_STATIC_$(SANITIZE)))
check-sanitize: SAN_OBJ = $(OBJ)/sanitize-$(subst $(comma),-,$(SAN))
check-sanitize: SAN_VARS = CC=$(SAN_CC) SANITIZE=$(SAN) OBJ=$(SAN_OBJ) \
	BIN=$(SAN_OBJ)/deploy CFLAGS="-O1 -g"
check-sanitize: deps-test
	+@$(SUBMAKE) $(SAN_VARS) all test-programs
	@TEST_TIMEOUT=$${TEST_TIMEOUT:-3600} TEST_SANITIZE=$(SAN) \
	    $(MAKE) --no-print-directory $(SAN_VARS) run-tests
comma = ,

## fuzz              run each fuzz target for FUZZ_SECONDS (20) or FUZZ_RUNS
.PHONY: fuzz run-fuzz
fuzz: FUZZ_OBJ = $(OBJ)/fuzzing-$(subst $(comma),-,$(FUZZ_SAN))
fuzz: deps-fuzz
	+@$(SUBMAKE) CC=clang OBJ=$(FUZZ_OBJ) \
	    SANITIZE=fuzzer-no-link,$(FUZZ_SAN) CFLAGS="-O2 -g" fuzzers
	@FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_RUNS=$(FUZZ_RUNS) \
	    tests/run-fuzz $(FUZZ_OBJ)/fuzz $(FUZZ)

.PHONY: fuzzers
fuzzers: $(FUZZERS)

$(OBJ)/fuzz/%: tests/fuzz/%.c $(LIB_O) $(OBJ)/sources
	@mkdir -p $(@D)
	$(call show,CC)$(COMPILE) -Wno-missing-prototypes -MMD -MP -MF $@.d \
	    -MT $@ -c -o $@.o $<
	$(call show,LD)$(LINK) -fsanitize=fuzzer -o $@ $@.o $(LIB_O) $(LIB_LIBS)

## bench             measure beside cp and rsync; BENCH=hosts: beside rsync,
##                   tar and Capistrano, over four hosts and a slow link;
##                   BENCH=queue: the build queue, beside nq;
##                   BENCH=visitors: what visitors get that is wrong;
##                   BENCH=week: the same over three weeks of all kinds of deploys
.PHONY: bench
BENCH =
BENCHES = hosts queue visitors week
bench: deps-bench
	+@$(SUBMAKE) all $(OBJ)/proxy $(OBJ)/flips $(OBJ)/visits
	@DEPLOY=$(BIN) TEST_OBJ=$(OBJ) tests/bench/$(if \
	    $(filter $(BENCHES),$(BENCH)),$(filter $(BENCHES),$(BENCH)),run) \
	    $(filter-out $(BENCHES),$(BENCH))

## lint              manuals, shell scripts, layout of C, headers
.PHONY: lint lint-rest lint-man lint-shell lint-headers lint-fuzz lint-format \
	lint-cppcheck
lint: lint-rest
	@$(MAKE) --no-print-directory lint-man lint-headers lint-fuzz lint-cppcheck
	+@$(SUBMAKE) lint-shell
# What is not among the tests, as the others are, and is a verdict.
lint-rest: deps-lint
	@$(MAKE) --no-print-directory lint-format

MANUALS = $(wildcard man/*.[1-9])
lint-man:
	$(if $(MANUALS),mandoc -T lint -W warning $(MANUALS))

SCRIPTS = $(shell find $(wildcard .ci tests completions man/examples) -type f -size -200k \
	! -path 'tests/fuzz/corpus/*' -exec awk \
	'FNR == 1 && (/^\#!.*sh$$/ || FILENAME ~ /\.(ba)?sh$$/) \
	{ print FILENAME }' {} +)
# Two seconds each, so only those that have changed, or what they source.  With
# LINT_ALONE=y each by itself: half as long, but what it sources is not known.
LINT_ALONE =
SHELLCHECK = shellcheck -S warning $(if $(LINT_ALONE),-e $(subst $() ,$(comma),SC2034 SC2088 SC2154 SC2164),-x -P SCRIPTDIR)
LINT_SH = $(addprefix $(OBJ)/lint/,host.sh.ok webhook.sh.ok doctor_script.sh.ok)
lint-shell: $(SCRIPTS:%=$(OBJ)/lint/%.ok) $(LINT_SH)
# Warnings and errors; what is below them is a matter of taste in tests.
$(OBJ)/lint/%.ok: % $(wildcard tests/*.sh tests/faults/*.sh)
	@mkdir -p $(@D)
	$(call show,LINT)$(SHELLCHECK) $<
	@touch $@
$(OBJ)/lint/host.sh.ok: src/host/host.sh
$(OBJ)/lint/webhook.sh.ok: src/site/webhook.sh
$(OBJ)/lint/doctor_script.sh.ok: src/cmd/doctor_script.sh
$(LINT_SH):
	@mkdir -p $(@D)
	$(call show,LINT)shellcheck -s sh $<
	@touch $@

# A header that needs another one before it says so by including it.
HEADERS = $(wildcard src/*.h src/*/*.h tests/unit/*.h)
lint-headers: | libraries
	@for h in $(HEADERS); do \
	    printf '#include "%s"\nextern int not_empty;\n' $$h | \
	    $(COMPILE) -I. -fsyntax-only -x c - || exit; \
	done

# They are run apart from the tests; that they fit the program is seen always.
lint-fuzz: | libraries
	@for f in $(wildcard tests/fuzz/*.c); do \
	    $(COMPILE) -Wno-missing-prototypes -fsyntax-only $$f || exit; \
	done

# Headers are laid out by hand.
FORMATTED = $(SRC) $(wildcard tests/unit/*.c tests/fuzz/*.c tests/faults/*.c) \
	tests/proxy.c tests/flips.c tests/visits.c
lint-format:
	clang-format --dry-run -Werror $(FORMATTED)

## format            lay out the C sources as .clang-format says
.PHONY: format
format: deps-lint
	clang-format -i $(FORMATTED)

# Advice, not a verdict.
lint-cppcheck:
	-cppcheck --quiet --std=c11 --inline-suppr -Isrc -D_GNU_SOURCE \
	    --enable=warning,performance,portability \
	    --suppress=missingInclude src

## install           to DESTDIR and PREFIX (/usr/local)
.PHONY: install uninstall
TO = $(DESTDIR)
TUTORIALS = $(wildcard man/*.md)
DOCDIR = $(DATADIR)/doc/deploy
EXAMPLES = $(wildcard man/examples/*)
EXAMPLEDIR = $(DOCDIR)/examples
SCHEMA = $(EXAMPLEDIR)/deploy.schema.json
install: all
	install -d $(TO)$(BINDIR)
	install -m 755 $(BIN) $(TO)$(BINDIR)/deploy
	@set -e; for m in $(MANUALS); do \
	    d=$(TO)$(MANDIR)/man$${m##*.}; \
	    (set -x; install -d $$d; install -m 644 $$m $$d/); \
	done
	install -d $(TO)$(EXAMPLEDIR)
	install -m 644 $(TUTORIALS) $(TO)$(DOCDIR)/
	@set -e; for f in $(EXAMPLES); do \
	    mode=644; [ ! -x $$f ] || mode=755; \
	    (set -x; install -m $$mode $$f $(TO)$(EXAMPLEDIR)/); \
	done
	$(BIN) config --schema >$(TO)$(SCHEMA) && chmod 644 $(TO)$(SCHEMA)
	$(call complete,bash,bash-completion/completions,deploy)
	$(call complete,zsh,zsh/site-functions,_deploy)
	$(call complete,fish,fish/vendor_completions.d,deploy.fish)

# complete SHELL, DIRECTORY, NAME: the program itself prints the script.
complete = install -d $(TO)$(DATADIR)/$(2) && \
	$(BIN) completion $(1) >$(TO)$(DATADIR)/$(2)/$(3) && \
	chmod 644 $(TO)$(DATADIR)/$(2)/$(3)

## uninstall         remove what install put there
uninstall:
	rm -f $(TO)$(BINDIR)/deploy $(foreach m,$(notdir $(MANUALS)),\
	    $(TO)$(MANDIR)/man$(patsubst .%,%,$(suffix $(m)))/$(m)) \
	    $(foreach f,$(TUTORIALS),$(TO)$(DOCDIR)/$(notdir $(f))) \
	    $(foreach f,$(EXAMPLES),$(TO)$(EXAMPLEDIR)/$(notdir $(f))) \
	    $(TO)$(SCHEMA) \
	    $(TO)$(DATADIR)/bash-completion/completions/deploy \
	    $(TO)$(DATADIR)/zsh/site-functions/_deploy \
	    $(TO)$(DATADIR)/fish/vendor_completions.d/deploy.fish

## deb               a Debian package, bin/deploy_VERSION_ARCH.deb
.PHONY: deb
deb: deps-deb
	+@$(SUBMAKE) all
	@rm -rf $(OBJ)/deb
	+@$(SUBMAKE) -s install PREFIX=/usr DESTDIR=$(OBJ)/deb
	@.ci/deb $(OBJ)/deb $(or $(DEB_DIR),$(dir $(BIN)))

## static            bin/deploy-static: needs no library, for hosts that have
##                   none; no check: and no queue in PostgreSQL
.PHONY: static
static: deps-static
	+@$(SUBMAKE) $(BIN)-static

## dist              a source archive, deploy-VERSION.tar.gz, of HEAD
.PHONY: dist
VERSION = $(shell sed -n 's/.*DEPLOY_VERSION "\(.*\)"/\1/p' src/base/version.h)
DIST = $(or $(DIST_DIR),$(patsubst %/,%,$(dir $(BIN))))/deploy-$(VERSION).tar.gz
dist:
	@mkdir -p $(dir $(DIST))
	@git archive --format=tar --prefix=deploy-$(VERSION)/ HEAD | \
	    gzip -9n >$(DIST)
	@echo "$(DIST)"

## clean             remove what was built
.PHONY: clean
clean:
	rm -rf $(OBJ) $(BIN) $(BIN)-static

## help              this list
.PHONY: help
help:
	@sed -n 's/^## /  /p' Makefile
	@echo 'Variables: CC CFLAGS WERROR= V=1 OBJ BIN PREFIX DESTDIR TESTS' \
	    'FUZZ FUZZ_SECONDS FUZZ_RUNS FUZZ_SAN SAN SAN_CC'

-include $(SRC_O:.o=.d) $(UNITS:=.d) $(OBJ)/ssh/driver.d $(PRELOADS:=.d) $(FUZZERS:=.d)
