# Every chore of the project. `make demo` and `make test` need nothing but a Debian machine with git and cargo.

HOST   := $(shell rustc -vV | sed -n 's/^host: //p')
ZIP    := mkdir -p target/lambda && rm -f target/lambda/bootstrap.zip && \
	zip --quiet --junk-paths target/lambda/bootstrap.zip target/$(HOST)/release/bootstrap

RELEASE := target/$(HOST)/release
STATIC := $(RELEASE)/caldp
# Where `make install` puts things: for everybody if root asks, else for oneself.
PREFIX ?= $(if $(filter 0,$(shell id -u)),/usr/local,$(HOME)/.local)

.PHONY: demo test deny static install uninstall help lambda image test-image test-infra test-system test-localstack test-all release

help: ## list the chores
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 17

demo: ## set everything up and calibrate a bundled dataset against a loopback S3 server
	tests/setup.sh calcos
	$(MAKE) static
	cargo run --quiet --package caldp-tests --bin caldp-demo -- --worker $(STATIC) --programs .venv/calcos/bin --directory .demo

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

image: ## the worker's image; settings in docker/bin/caldp-image-config
	docker/bin/caldp-image-build

test-image: ## build the image from a local base, look into it, run it as people do
	tests/system/run.sh image

test-infra: ## validate, scan and apply the infrastructure
	tests/system/run.sh infra

test-system: ## the whole system as one, against moto with real containers
	tests/system/run.sh system

test-localstack: ## the worker and the Lambda against LocalStack
	tests/system/run.sh localstack

test-all: ## test-image, test-infra, test-system and test-localstack, with one build for all
	tests/system/run.sh all
