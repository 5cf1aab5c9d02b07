# DBAOps DataFlow
#
#   make deps      install the packages of etc/packages.debian (Debian, Ubuntu)
#   make           build build/dbaops-dataflow and build/tdsd
#   make demo      see it work, on a machine with nothing but Debian;
#                  DEMO=postgresql: from a PostgreSQL to SQL Server;
#                  DEMO=files: to Parquet files, which DuckDB reads
#   make bench     how fast, beside the tools that one would use otherwise
#   make test      install what is missing, build, run everything there is
#   make check     the tests alone (SANITIZE=address|thread to run them so)
#   make soak      MINUTES=60: random faults for so long, then whole tables compared
#   make fuzz      build the fuzzers, build/fuzz/tests/fuzz/fuzz_*
#   make lint      layers, habits, formatting, static analysis, SQL
#   make install   PREFIX=/usr/local DESTDIR=
#   make clean
#
# DEVELOPER=1 turns warnings into errors. CC=clang works as well.

PREFIX  ?= /usr/local
VERSION := $(shell sed -n 's/.*DATAFLOW_VERSION "\(.*\)"/\1/p' src/base/version.h)
PKG     ?= pkg-config
PYTHON  ?= /usr/bin/python3

# Everything made goes below $(O): build/, or build/address/ and so on.
O ?= build$(if $(SANITIZE),/$(SANITIZE))$(if $(FAILPOINTS),/failpoints)

# ------------------------------------------------------------------ compiler

CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wwrite-strings -Wcast-qual -Wformat=2 -Wvla
ifdef DEVELOPER
WARNINGS += -Werror
endif
ifeq ($(SANITIZE),address)
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
              -fno-omit-frame-pointer
else ifeq ($(SANITIZE),thread)
SANITIZERS := -fsanitize=thread
else ifeq ($(SANITIZE),fuzz)
SANITIZERS := -fsanitize=fuzzer-no-link,address,undefined \
              -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else ifdef SANITIZE
$(error SANITIZE must be address, thread or fuzz)
endif
FEATURES += $(if $(SANITIZE),-DSANITIZED)

ALL_CPPFLAGS = -D_POSIX_C_SOURCE=200809L -Isrc -I$(O)/gen $(FEATURES) $(CPPFLAGS)
ALL_CFLAGS   = -std=c11 -pthread $(WARNINGS) $(SANITIZERS) $(CFLAGS)
ALL_LDFLAGS  = -pthread $(SANITIZERS) $(LDFLAGS)

# ------------------------------------------------- libraries, drivers, sources

LIBS := $(shell $(PKG) --libs sqlite3 jansson openssl libmicrohttpd libcurl \
          expat zlib libzstd snappy 2>/dev/null) -lm

SOURCES := $(wildcard src/base/*.c src/row/*.c src/format/*.c src/drivers/*.c \
             src/drivers/memory/*.c src/drivers/files/*.c \
             src/monitor/*.c src/notify/*.c \
             src/s3/*.c \
             src/engine/*.c src/cli/*.c) \
           $(filter-out src/control/sqlserver.c,$(wildcard src/control/*.c))
SOURCES := $(filter-out src/base/platform_%.c,$(SOURCES)) \
           src/base/platform_posix.c src/base/platform_posix_files.c

# Moments to end the daemon at, see base/failpoint.h: for tests alone.
ifdef FAILPOINTS
FEATURES += -DDATAFLOW_FAILPOINTS
SOURCES  += tests/faults/failpoint.c
endif

# FreeTDS has no .pc file: look for its header.
HAVE_FREETDS := $(shell printf '\#include <sybdb.h>\n' | $(CC) -E - >/dev/null 2>&1 && echo 1)
ifeq ($(HAVE_FREETDS),1)
FEATURES += -DHAVE_FREETDS
SOURCES  += $(wildcard src/tds/*.c src/drivers/sqlserver/*.c) src/control/sqlserver.c
LIBS     += -lsybdb
endif

HAVE_LIBPQ := $(shell $(PKG) --exists libpq && echo 1)
ifeq ($(HAVE_LIBPQ),1)
FEATURES += -DHAVE_LIBPQ $(shell $(PKG) --cflags libpq)
SOURCES  += $(wildcard src/pg/*.c src/drivers/postgresql/*.c)
LIBS     += $(shell $(PKG) --libs libpq)
endif

# The daemon is a small main.c over a library, which the tests link too.
MAIN    := src/main.c
OBJECTS := $(SOURCES:%.c=$(O)/%.o)
GENERATED := $(O)/gen/control_sql.h $(O)/gen/control_schema.h \
             $(O)/gen/status_page.h

TDSD_SOURCES := $(wildcard tests/tdsd/*.c tests/tdsd/*/*.c)
TDSD_OBJECTS := $(TDSD_SOURCES:%.c=$(O)/%.o) \
                $(patsubst %,$(O)/src/base/%.o,error text strbuf arena)

.PHONY: all
all: $(O)/dbaops-dataflow $(O)/tdsd

# V=1 shows the commands.
ifdef V
say = @:
else
say = @printf '  %-7s %s\n'
.SILENT:
endif

$(O)/dbaops-dataflow: $(O)/src/main.o $(O)/libdataflow.a
	$(say) LINK $@
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# A fresh archive each time, or objects of deleted sources would stay in it.
$(O)/libdataflow.a: $(OBJECTS)
	$(say) AR $@
	rm -f $@
	$(AR) rcs $@ $^

$(O)/tdsd: $(TDSD_OBJECTS)
	$(say) LINK $@
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell $(PKG) --libs sqlite3 openssl) -lm

$(O)/%.o: %.c $(GENERATED) Makefile
	@mkdir -p $(@D)
	$(say) CC $<
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/tests/tdsd/%.o: ALL_CPPFLAGS += -Itests/tdsd

-include $(OBJECTS:.o=.d) $(TDSD_OBJECTS:.o=.d) $(O)/src/main.d

# ------------------------------------------------------ embedded SQL and HTML

SQL_STATEMENTS := $(wildcard src/control/sql/*.sql)
VIEWS          := $(sort $(wildcard views/*.sql))
SQLITE_VIEWS   := $(sort $(wildcard views/sqlite/*.sql))
PROCEDURES     := $(sort $(wildcard procedures/*.sql))

$(O)/gen/control_sql.h: src/control/sql/embed.sh $(SQL_STATEMENTS)
	@mkdir -p $(@D)
	$(say) SQL $@
	sh $< $(foreach f,$(SQL_STATEMENTS),sql_$(basename $(notdir $f))=$f) > $@

$(O)/gen/control_schema.h: src/control/sql/embed.sh schema-dataflow.sql \
		src/control/sql/sqlite/schema.sql $(VIEWS) $(SQLITE_VIEWS) $(PROCEDURES)
	@mkdir -p $(@D)
	$(say) SQL $@
	cat schema-dataflow.sql $(VIEWS) $(PROCEDURES) > $(O)/gen/schema_sqlserver.sql
	cat src/control/sql/sqlite/schema.sql $(SQLITE_VIEWS) > $(O)/gen/schema_sqlite.sql
	sh $< schema_sqlserver=$(O)/gen/schema_sqlserver.sql \
		schema_sqlite=$(O)/gen/schema_sqlite.sql > $@

$(O)/gen/status_page.h: src/control/sql/embed.sh src/monitor/status.html
	@mkdir -p $(@D)
	$(say) HTML $@
	sh $< status_page=src/monitor/status.html > $@

# ---------------------------------------------------------------------- tests

# Each test_*.c and fuzz_*.c of these folders is a program; the folder's other
# sources are linked into all of them.
TEST_PROGRAMS := $(patsubst %.c,$(O)/%,$(wildcard tests/unit/test_*.c tests/contract/test_*.c))
# Parts of the daemon that the tests in Python drive from outside.
PROBES := $(patsubst %.c,$(O)/%,$(wildcard tests/integration/*.c))
FUZZERS := $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/fuzz_*.c))
helpers = $(patsubst %.c,$(O)/%.o,$(filter-out $(1)/test_%.c $(1)/fuzz_%.c,$(wildcard $(1)/*.c)))

.PHONY: tests
tests: $(TEST_PROGRAMS) $(PROBES) $(O)/tests/format/rowfile

$(O)/tests/unit/test_%: $(O)/tests/unit/test_%.o $(call helpers,tests/unit) $(O)/libdataflow.a
	$(say) LINK $@
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

# On a machine that is short of everything: see tests/unit/scarce/scarce.h.
SCARCE := $(patsubst %,$(O)/tests/unit/test_every_%,allocation change module format file s3) \
          $(O)/tests/contract/test_scarce_postgresql
WRAPPED := malloc calloc realloc strdup strndup pthread_create
$(SCARCE): $(O)/tests/unit/scarce/scarce.o
$(SCARCE): ALL_LDFLAGS += $(WRAPPED:%=-Wl,--wrap=%)

# What reads a server's answers has one that gives any.
$(O)/tests/unit/test_answers: $(O)/tests/fuzz/dblib.o $(O)/tests/fuzz/fuzz.o

$(O)/tests/contract/test_%: $(O)/tests/contract/test_%.o $(call helpers,tests/contract) $(O)/libdataflow.a
	$(say) LINK $@
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

# What the tests in Python write and read files with.
$(O)/tests/format/%: $(O)/tests/format/%.o $(O)/libdataflow.a
	$(say) LINK $@
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# What the benchmarks write files with.
$(O)/tests/bench/%: $(O)/tests/bench/%.o $(O)/libdataflow.a
	$(say) LINK $@
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(PROBES): $(O)/%: $(O)/%.o $(O)/libdataflow.a
	$(say) LINK $@
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# libFuzzer comes with clang.
.PHONY: fuzz fuzzers
fuzz:
	$(MAKE) --no-print-directory SANITIZE=fuzz CC=clang fuzzers

fuzzers: $(FUZZERS)

$(O)/tests/fuzz/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(call helpers,tests/fuzz) \
		$(patsubst %,$(O)/tests/unit/%.o,utf8 sanitizer memfile) $(O)/libdataflow.a
	$(say) LINK $@
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

# The stand-in's own; -Itests/tdsd comes before what is ours by the same name.
TDSD_FUZZ_OBJECTS := $(filter-out $(O)/tests/tdsd/main.o,$(TDSD_OBJECTS)) \
                     $(O)/src/base/platform_posix.o $(O)/src/base/clock.o \
                     $(O)/tests/fuzz/fuzz.o $(O)/tests/unit/utf8.o \
                     $(O)/tests/unit/sanitizer.o

$(O)/tests/fuzz/fuzz_tdsd_%: $(O)/tests/fuzz/fuzz_tdsd_%.o $(TDSD_FUZZ_OBJECTS)
	$(say) LINK $@
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ \
		$(shell $(PKG) --libs sqlite3 openssl) -lm

$(O)/tests/fuzz/fuzz_tdsd_%.o: ALL_CPPFLAGS += -Itests/tdsd
$(O)/tests/unit/%.o $(O)/tests/contract/%.o $(O)/tests/fuzz/%.o: ALL_CPPFLAGS += -Itests
-include $(wildcard $(patsubst %,$(O)/tests/%/*.d,unit unit/scarce contract integration fuzz format bench))

# Packages may be missing when make starts, hence the second make.
.PHONY: deps demo bench soak test check lint
deps:
	sh etc/install-packages

# DEMO names one of tests/demo/.
DEMO ?= demo

demo:
	sh etc/install-packages build demo $(DEMO:demo=)
	$(MAKE) --no-print-directory all
	$(PYTHON) tests/demo/$(DEMO).py

bench:
	sh etc/install-packages build demo postgresql bench
	$(MAKE) --no-print-directory all
	$(PYTHON) tests/bench/bench.py
	$(PYTHON) tests/bench/postgresql.py
	$(PYTHON) tests/bench/scale.py
	$(PYTHON) tests/bench/formats.py
	$(PYTHON) tests/bench/files.py

MINUTES ?= 60

soak:
	sh etc/install-packages build demo test
	$(MAKE) --no-print-directory FAILPOINTS=1 all
	DATAFLOW=$(CURDIR)/build/failpoints/dbaops-dataflow \
		TDSD=$(CURDIR)/build/failpoints/tdsd \
		$(PYTHON) tests/faults/rounds.py --minutes $(MINUTES)

# The fuzzers have a minute each in check, less here; and here a twentieth of the
# integration tests runs under AddressSanitizer, all in check SANITIZE=address.
test: deps
	FUZZ_SECONDS=$${FUZZ_SECONDS:-10} ADDRESS_SHARE=$${ADDRESS_SHARE:-5} \
		$(PYTHON) tests/run

check: all tests
	$(PYTHON) tests/run $(if $(SANITIZE),$(SANITIZE),unit contract format tdsd integration fuzz)

lint: all
	BUILD=$(O) $(PYTHON) tests/lint/lint.py

# -------------------------------------------------------------------- install

.PHONY: install clean
install: $(O)/dbaops-dataflow
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/share/dbaops-dataflow/views \
		$(DESTDIR)$(PREFIX)/share/dbaops-dataflow/procedures \
		$(DESTDIR)$(PREFIX)/lib/systemd/system \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions
	install -m 755 $(O)/dbaops-dataflow $(DESTDIR)$(PREFIX)/bin
	install -m 644 docs/dbaops-dataflow.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 644 schema-dataflow.sql etc/dataflow.conf \
		etc/prometheus-alerts.yml etc/grafana-dashboard.json \
		etc/least-privilege-source.sql etc/least-privilege-destination.sql \
		etc/least-privilege-control.sql \
		etc/least-privilege-postgresql-destination.sql \
		etc/least-privilege-postgresql-source.sql \
		$(DESTDIR)$(PREFIX)/share/dbaops-dataflow
	install -m 644 $(VIEWS) $(DESTDIR)$(PREFIX)/share/dbaops-dataflow/views
	install -m 644 $(PROCEDURES) $(DESTDIR)$(PREFIX)/share/dbaops-dataflow/procedures
	$(O)/dbaops-dataflow completion bash \
		> $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dbaops-dataflow
	$(O)/dbaops-dataflow completion zsh \
		> $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_dbaops-dataflow
	sed 's|@PREFIX@|$(PREFIX)|' etc/dbaops-dataflow.service \
		> $(DESTDIR)$(PREFIX)/lib/systemd/system/dbaops-dataflow.service

clean:
	rm -rf build
