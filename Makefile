# surgetank: two commands do everything: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find crates -name '*.rs' -o -name 'Cargo.toml') Cargo.toml Cargo.lock pyproject.toml
OUT ?= runs/black-thursday
# What tests were skipped, over both runs of pytest.
SKIPPED := $(CURDIR)/$(VENV)/skipped.txt
LOWEST := .venv-lowest
WHEEL := .venv-wheel
# A target of Rust; empty: this machine.
TARGET ?=
DIST ?= dist

.PHONY: help
help: ## this text
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.PHONY: need
need:
	@command -v $(PYTHON) >/dev/null || { echo "surgetank needs Python 3.11 or newer ('$(PYTHON)' was not found)"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "surgetank needs Python 3.11 or newer; set PYTHON=..."; exit 2; }
	@command -v cargo >/dev/null || { echo "surgetank needs a Rust toolchain (cargo was not found); see rustup.rs"; exit 2; }

$(VENV)/.ready: pyproject.toml | need
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
		print('\n'.join(p['dependencies'] + sum((p['optional-dependencies'][x] for x in ('live', 'gossipsub', 'dev')), [])))" > $(VENV)/wanted.txt
	$(BIN)/python -m pip install --quiet -r $(VENV)/wanted.txt
	@touch $@

$(VENV)/.built: $(VENV)/.ready $(SOURCES)
	$(BIN)/maturin develop --release --quiet
	@touch $@

.PHONY: build
build: $(VENV)/.built ## make .venv and build the package into it

.PHONY: run
run: build ## run the flagship scenario and say where its report is
	@$(BIN)/surgetank run black-thursday --out $(OUT) --force; code=$$?; \
		echo "The report: $(OUT)/report.html"; [ $$code -le 1 ] || exit $$code

.PHONY: lint
lint: build ## format, lints, types
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	$(BIN)/ruff format --check python tests benchmarks docs packaging
	$(BIN)/ruff check python tests benchmarks docs packaging
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest surgetank._core --ignore-disjoint-bases

.PHONY: test
test: lint ## build, lint, types, Rust tests, live tests (by themselves), all others
	cargo test --quiet --workspace --exclude surgetank-bindings
	@rm -f $(SKIPPED)
	SURGETANK_SKIPPED=$(SKIPPED) $(BIN)/python -m pytest -m "live and not soak" -n 3 --dist loadfile --reruns 1 --timeout 900
	SURGETANK_SKIPPED=$(SKIPPED) $(BIN)/python -m pytest -m "not live and not soak" -n auto --dist worksteal
	@! test -s $(SKIPPED) || { echo "Not tested here, in both runs:"; cat $(SKIPPED); }

.PHONY: lowest
lowest: $(VENV)/.built ## the oldest libraries that pyproject.toml allows, in .venv-lowest: they must do
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --upgrade pip
	$(BIN)/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
		print('\n'.join(d.replace('>=', '==').split(',')[0] for d in p['dependencies']))" > $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pip install --quiet --requirement $(LOWEST)/lowest.txt pytest pytest-xdist hypothesis playwright
	cd tests && PYTHONPATH=$(CURDIR)/python $(CURDIR)/$(LOWEST)/bin/python -m pytest \
		cli/test_cli.py cli/test_cli_ending.py tape/test_reading.py report/test_report.py lab/test_world.py \
		search/test_search.py -m "not live and not soak" -n auto --dist worksteal

.PHONY: soak
soak: build ## longer random worlds
	SURGETANK_WORLDS=50000 SURGETANK_DISKS=100000 SURGETANK_FUZZ=10000000 SURGETANK_FLIPS=500 \
		cargo test --release --workspace --exclude surgetank-bindings
	$(BIN)/python -m pytest -m soak

.PHONY: bench
bench: build ## the figures of docs/benchmarks.md, against their peers
	$(BIN)/python benchmarks/publish.py

.PHONY: pictures
pictures: build ## the gallery, and the pictures of pages in docs/pictures
	$(BIN)/python docs/gallery.py
	$(BIN)/python benchmarks/picture.py

.PHONY: wheel
wheel: need ## dist/: an sdist and, from it, a wheel for this machine (or TARGET=aarch64-unknown-linux-gnu)
	$(PYTHON) -m venv $(WHEEL)
	$(WHEEL)/bin/python -m pip install --quiet --upgrade pip
	$(WHEEL)/bin/python -m pip install --quiet build "maturin[zig]>=1.9,<2"
	$(WHEEL)/bin/python packaging/build_wheel.py --out $(DIST) --target "$(TARGET)"

.PHONY: docs
docs: $(VENV)/.ready ## the docs site, in target/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --config-file packaging/mkdocs.yml
	@echo "The site: target/site/index.html"

.PHONY: format
format: $(VENV)/.ready ## format everything
	cargo fmt --all
	$(BIN)/ruff format python tests benchmarks docs packaging
	$(BIN)/ruff check --fix python tests benchmarks docs packaging

.PHONY: clean
clean: ## remove what was built
	rm -rf $(VENV) $(LOWEST) $(WHEEL) dist target runs
