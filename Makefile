# The two commands: `make run` serves the example project, `make test` runs every test. Each sets up all it needs on a
# machine that has Rust, a C compiler, Python 3 and the package registries.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
BOOKSHOP := examples/bookshop
PORT ?= 8000
FUZZ_SECONDS ?= 600

# What the wheel and the binary are made of.
SOURCES := $(shell find src python -type f -not -name '*.pyc' -not -name '*.so') Cargo.toml Cargo.lock build.rs pyproject.toml

# The interpreter that everything is built for: the virtual environment's, so that wheel and binary agree.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python

.PHONY: help run test test-rust test-e2e test-pythons test-debug bench instructions charts soak fuzz lint format wheel binary docs clean

help:
	@echo "make run           serve examples/bookshop on http://127.0.0.1:$(PORT)/"
	@echo "make test          run every test"
	@echo "make lint          formatting and lints"
	@echo "make test-pythons  build and smoke-test the wheel on every CPython from 3.10 up on this machine"
	@echo "make test-debug    growth and PEP 3333 on a debug build of CPython, which counts references"
	@echo "make bench         compare with other servers"
	@echo "make instructions  count a request's instructions; make charts draws the last bench for docs/performance.md"
	@echo "make soak          ten million requests, every answer compared; some minutes"
	@echo "make fuzz          feed the parsers hostile bytes, FUZZ_SECONDS=600 for each target"
	@echo "make docs          write the pages that are generated from the settings table"
	@echo "make wheel binary  build the one or the other"

# --- environment ---------------------------------------------------------------------------------------------------

$(STAMPS)/venv:
	$(PYTHON) -m venv $(VENV) || { echo "make: $(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/pip install --quiet "maturin>=1.9,<2"
	mkdir -p $(STAMPS)
	touch $@

$(STAMPS)/tools: $(STAMPS)/venv tests/e2e/requirements.txt $(BOOKSHOP)/requirements.txt
	$(BIN)/pip install --quiet -r tests/e2e/requirements.txt -r $(BOOKSHOP)/requirements.txt "ruff>=0.14,<1"
	touch $@

$(STAMPS)/wheel: $(STAMPS)/venv $(SOURCES)
	$(BIN)/maturin build --quiet --release --locked --interpreter $(BIN)/python --out target/wheels
	$(BIN)/pip install --quiet --force-reinstall --no-deps "$$(ls -t target/wheels/indrik-*.whl | head -n 1)"
	touch $@

wheel: $(STAMPS)/wheel

# The binary and the Rust tests link libpython, the wheel does not.
$(STAMPS)/libpython: $(STAMPS)/venv
	@$(BIN)/python tests/find_libpython.py || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq libpython3-dev >/dev/null \
	  && $(BIN)/python tests/find_libpython.py; }
	touch $@

target/release/indrik: $(STAMPS)/libpython $(SOURCES)
	cargo build --quiet --release --locked --bin indrik
	touch $@

binary: target/release/indrik

$(STAMPS)/nginx: $(STAMPS)/venv
	@command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
	  && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light >/dev/null; } \
	|| { echo "make: the tests need NGINX; install it (on Debian: apt-get install nginx-light) and try again" >&2; exit 1; }
	touch $@

# --- run -----------------------------------------------------------------------------------------------------------

$(STAMPS)/bookshop: $(STAMPS)/venv $(BOOKSHOP)/requirements.txt
	$(BIN)/pip install --quiet -r $(BOOKSHOP)/requirements.txt
	touch $@

# The stamp lies with the data, so that deleting these makes them anew.
$(BOOKSHOP)/var/.prepared: $(STAMPS)/bookshop $(shell find $(BOOKSHOP) -type f -not -path '*/var/*' -not -name '*.pyc')
	cd $(BOOKSHOP) && for step in "migrate --noinput" seed "collectstatic --noinput"; do \
	  $(CURDIR)/$(BIN)/python manage.py $$step --verbosity 0 || exit 1; done
	touch $@

run: $(STAMPS)/wheel $(BOOKSHOP)/var/.prepared
	@echo
	@echo "  The bookshop:  http://127.0.0.1:$(PORT)/"
	@echo "  The admin:     http://127.0.0.1:$(PORT)/admin/   (the page's footer shows the demo login)"
	@echo "  Ctrl-C stops it."
	@echo
	@cd $(BOOKSHOP) && exec $(CURDIR)/$(BIN)/indrik bookshop.wsgi --workers 2 --bind 127.0.0.1:$(PORT)

# --- test ----------------------------------------------------------------------------------------------------------

test: test-rust test-e2e

test-rust: $(STAMPS)/libpython
	cargo test --quiet --locked

test-e2e: $(STAMPS)/wheel $(STAMPS)/tools $(STAMPS)/nginx target/release/indrik
	INDRIK_BINARY=$(CURDIR)/target/release/indrik $(BIN)/python -m pytest -n 4 tests/e2e

test-pythons: $(STAMPS)/venv
	$(BIN)/python tests/pythons.py

# A debug build of CPython counts every reference and fills freed memory with rubbish.
DEBUG_PYTHON ?= python3.11-dbg
test-debug: $(STAMPS)/tools
	@command -v $(DEBUG_PYTHON) >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
	  && apt-get install -y -qq python3.11-dbg python3.11-venv >/dev/null; } \
	|| { echo "make: a debug build of CPython is needed: DEBUG_PYTHON=/path/to/it" >&2; exit 1; }
	$(DEBUG_PYTHON) -m venv .venv-debug
	.venv-debug/bin/pip install --quiet "maturin>=1.9,<2"
	PYO3_PYTHON=$(CURDIR)/.venv-debug/bin/python CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	  .venv-debug/bin/maturin build --quiet --release --locked --interpreter .venv-debug/bin/python \
	  --target-dir target/debug-python --out target/debug-python/wheels
	.venv-debug/bin/pip install --quiet --force-reinstall --no-deps target/debug-python/wheels/indrik-*.whl
	INDRIK_PROGRAM="$(CURDIR)/.venv-debug/bin/python -m indrik" \
	  $(BIN)/python -m pytest -n 2 tests/e2e/wsgi/test_growth.py tests/e2e/wsgi/test_statements.py

bench: $(STAMPS)/wheel $(STAMPS)/libpython
	cargo build --quiet --release --locked --example transport
	$(BIN)/python benches/bench.py
	$(BIN)/python benches/mixed.py
	$(BIN)/python benches/slow_clients.py
	$(BIN)/python benches/memory.py

instructions: $(STAMPS)/wheel
	$(BIN)/python benches/instructions.py

charts: $(STAMPS)/venv
	$(BIN)/pip install --quiet "matplotlib>=3.10,<4"
	$(BIN)/python benches/charts.py .bench/results docs

soak: $(STAMPS)/wheel $(STAMPS)/tools
	$(BIN)/python benches/soak.py
	GROWTH_REQUESTS=100000 $(BIN)/python -m pytest -n 2 tests/e2e/wsgi/test_growth.py

fuzz:
	sh fuzz/run.sh $(FUZZ_SECONDS)

# --- upkeep --------------------------------------------------------------------------------------------------------

lint: $(STAMPS)/tools $(STAMPS)/libpython
	cargo fmt --check
	cargo clippy --quiet --locked --all-targets -- -D warnings
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .

format: $(STAMPS)/tools
	cargo fmt
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format --quiet .

docs: $(STAMPS)/libpython
	INDRIK_BLESS=1 cargo test --quiet --locked --test settings_doc

clean:
	rm -rf target $(VENV) .venv-debug .bench $(BOOKSHOP)/var
