# Every target does all it needs, says each step, and does nothing twice. Options:
#   GPU=cuda|vulkan|none   backend of llama.cpp (kept until it changes)      JOBS=N   compile jobs
#   HOST=... PORT=... MODEL=...   for serve, demo, bench      PREFIX=...   for install
#   ARGS="..."   for polyphon serve, bench, ctest

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export GPU JOBS
HOST ?= 127.0.0.1
PORT ?= 8080
PREFIX ?= /usr/local
MODEL ?= SmolLM2-135M
CACHE := $(or $(POLYPHON_CACHE),$(HOME)/.cache/polyphon)
CORES := $(shell nproc)
SETUP := scripts/setup.sh
POLYPHON := build/release/polyphon
VENV := $(CACHE)/venv
CLANG_FORMAT := $(VENV)/bin/clang-format
CPP_FILES = git ls-files --cached --others --exclude-standard 'src/*.cpp' 'src/*.h'
CTEST = ctest --output-on-failure --progress --parallel $(CORES) --test-dir build/release $(ARGS)

.PHONY: help serve test build demo learn check check-long install package bench kernels asan tsan dev docs format lint llama trainer model clean

help: ## this list
	@sed -n 's/^\([a-z -]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

serve: ## the server on http://127.0.0.1:8080 with the default model
	@$(SETUP) packages python llama build model
	@exec $(POLYPHON) serve --host $(HOST) --port $(PORT) --model $(MODEL) $(ARGS)

test: ## every test: fast ones and those with the real model
	@$(SETUP) packages python-test llama torch tests model
	@$(CTEST) --label-exclude long

build: ## the program: build/release/polyphon
	@$(SETUP) packages python llama build

demo: ## one problem, 8 streams side by side, the merged answer, the timings
	@$(SETUP) packages python llama build model
	@scripts/demo.py $(MODEL)

learn: ## self-play, training and what it is worth on held-out problems
	@$(SETUP) packages python llama torch trainer model
	@scripts/learn.sh $(MODEL) $(or $(LEARN),build/learn)

check: ## format, lint, layers, build, every test
	@$(SETUP) packages python-test python-lint llama torch tests model
	@echo "      clang-format" && $(CPP_FILES) | xargs -r $(CLANG_FORMAT) --dry-run --Werror
	@echo "      layers" && scripts/check_layers.py
	@cmake --preset lint >/dev/null
	@echo "      clang-tidy, of what changed" && scripts/lint.py build/lint $(VENV)/bin/clang-tidy
	@$(CTEST) --label-exclude long

check-long: ## the tests that show a figure on much input
	@$(SETUP) packages python-test llama torch tests model
	@$(CTEST) --label-regex long

bench: ## streams against plain libllama; results in bench/results
	@$(SETUP) packages python llama build model
	@scripts/bench.py streams --model $(MODEL) $(ARGS)

kernels: ## our kernels against ggml's; results in bench/results, plots in docs
	@$(SETUP) packages python-plot llama build model
	@$(VENV)/bin/python scripts/plot.py "$$(scripts/bench.py attention $(ARGS))" docs/attention.svg
	@$(VENV)/bin/python scripts/plot.py \
	  "$$(scripts/bench.py decode --model $(MODEL) $(ARGS))" docs/decode-$(MODEL).svg

asan tsan dev: ## the fast tests under a sanitizer (asan, tsan), or with assertions (dev)
	@$(SETUP) packages python llama
	@cmake --preset $@ >/dev/null
	@nice cmake --build --preset $@ --parallel $(or $(JOBS),$(CORES))
	@ctest --preset $@ --label-regex fast --progress --parallel $(CORES)

docs: ## docs/configuration.md, from the settings table
	@$(SETUP) packages python-test llama torch tests model
	@POLYPHON_WRITE_DOCS=1 build/release/polyphon_deploy_tests --gtest_filter='Settings.TheManual*'

format: ## clang-format over src/
	@$(SETUP) packages python-lint
	@$(CPP_FILES) | xargs -r $(CLANG_FORMAT) -i

llama: ## only the pinned llama.cpp, into the cache folder
	@$(SETUP) packages python llama

trainer: ## both programs: polyphon-train needs libtorch (0.5 GB)
	@$(SETUP) packages python llama torch trainer

model: ## only the default model, into the cache folder
	@$(SETUP) packages python model

install: ## the program into PREFIX (/usr/local), for every CPU
	@$(SETUP) packages python llama-all build
	@cmake --install build/release --prefix $(PREFIX) --component program >/dev/null
	@! [ -x build/release/polyphon-train ] || \
	  cmake --install build/release --prefix $(PREFIX) --component trainer >/dev/null

package: ## a .deb and a .tar.gz in build/package
	@$(SETUP) packages python llama-all build
	@cd build/release && cpack -G 'DEB;TGZ' >"$(CACHE)/package.log" || { cat "$(CACHE)/package.log"; false; }
	@ls build/package/polyphon*.*

clean: ## deletes build/ (the cache folder stays)
	@rm -rf build
