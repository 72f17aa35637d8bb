# Every chore of the project. `make demo` and `make test` need nothing but a Debian machine with git and cargo.

HOST   := $(shell rustc -vV | sed -n 's/^host: //p')
ZIP    := mkdir -p target/lambda && rm -f target/lambda/bootstrap.zip && \
	zip --quiet --junk-paths target/lambda/bootstrap.zip target/$(HOST)/release/bootstrap

RELEASE := target/$(HOST)/release
STATIC := $(RELEASE)/caldp
DEMO := target/$(HOST)/demo
SYSTEM := tests/setup.sh system && .venv/system/bin/python -B tests/system/run.py
# Where `make install` puts things: for everybody if root asks, else for oneself.
PREFIX ?= $(if $(filter 0,$(shell id -u)),/usr/local,$(HOME)/.local)

.PHONY: demo demo-build demo-programs test deny static wheel install uninstall help lambda image test-image test-infra test-system test-localstack test-permissions test-page test-all release

help: ## list the chores
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 17

demo: ## set everything up and calibrate a bundled dataset against a loopback S3 server
	tests/setup.sh
	$(MAKE) --no-print-directory --jobs=2 demo-build demo-programs
	$(DEMO)/caldp-demo --worker $(DEMO)/caldp --programs .venv/calcos/bin --directory .demo

# One build for the worker and the demonstration, so that they share every crate. cargo is not to take part in make's
# count of jobs: it would compile one crate at a time.
demo-build:
	env -u MAKEFLAGS -u MFLAGS RUSTFLAGS='-C target-feature=+crt-static' cargo build --profile demo --target $(HOST) \
		--package caldp --bin caldp --package caldp-tests --bin caldp-demo

demo-programs:
	tests/setup.sh calcos

test: ## format, lint and every test; says in its last line what ran
	tests/run.sh

deny: ## licences, sources and known weaknesses of the crates
	tests/deny.sh

static: ## the release binary with no shared libraries
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target $(HOST) --package caldp --bin caldp

release: ## both of the above and below in one build
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target $(HOST) \
		--package caldp --package caldp-trigger --bin caldp --bin bootstrap
	$(ZIP)

install: ## caldp and crds with all their names, completions and manual pages: PREFIX=<directory>, DESTDIR
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target $(HOST) --package caldp --bin caldp --package crds-cli --bin crds
	caldp/install.sh install $(RELEASE) $(abspath $(PREFIX))

uninstall: ## what `make install` with the same PREFIX put there
	caldp/install.sh uninstall $(abspath $(PREFIX))

lambda: ## the trigger's zip, for infra/
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target $(HOST) --package caldp-trigger --bin bootstrap
	$(ZIP)

wheel: ## the Python package as one file, in target/wheels
	crds-core/python/build.sh target/wheels

image: ## the worker's image; settings in docker/bin/caldp-image-config
	docker/bin/caldp-image-build

test-image: ## build the image from a local base, look into it, run it as people do
	$(SYSTEM) image

test-infra: ## validate, scan and apply the infrastructure
	$(SYSTEM) infra

test-system: ## the whole system as one, against moto with real containers
	$(SYSTEM) system

test-localstack: ## the worker and the Lambda against LocalStack
	$(SYSTEM) localstack

test-page: ## the pages of a batch in a headless Chromium; screenshots in target/page
	$(SYSTEM) page

test-permissions: ## what each role may do, against an emulator that enforces it
	$(SYSTEM) permissions

test-all: ## test-page, test-image, test-infra, test-system, test-localstack and test-permissions, with one build for all
	$(SYSTEM) all
