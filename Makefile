# Every chore of the project. `make demo` and `make test` need nothing but a Debian machine with git and cargo.

HOST   := $(shell rustc -vV | sed -n 's/^host: //p')
STATIC := target/$(HOST)/release/caldp

.PHONY: demo test lint unit static setup help lambda image test-image test-infra test-system test-localstack

help: ## list the chores
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 17

demo: ## set everything up and calibrate a bundled dataset against a loopback S3 server
	tests/setup.sh calcos
	$(MAKE) static
	cargo run --quiet --package caldp-tests --bin caldp-demo -- --worker $(STATIC) --programs .venv/calcos/bin --directory .demo

test: ## format, lint and every test; says in its last line what ran
	tests/run.sh

static: ## the release binary with no shared libraries
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target $(HOST) --package caldp-worker --bin caldp

lambda: ## the trigger's zip, for infra/
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target $(HOST) --package caldp-trigger --bin bootstrap
	mkdir -p target/lambda
	rm -f target/lambda/bootstrap.zip
	zip --quiet --junk-paths target/lambda/bootstrap.zip target/$(HOST)/release/bootstrap

image: ## the worker's image; settings in docker/bin/caldp-image-config
	docker/bin/caldp-image-build

test-image: ## build the image from a local base, look into it, run it as people do
	tests/system/run.sh image

test-infra: ## validate, scan and apply the infrastructure
	tests/system/run.sh infra

test-system: ## the whole system as one, against moto with real containers
	tests/system/run.sh system

test-localstack: ## one run of the image against LocalStack
	tests/system/run.sh localstack
