# Every chore of the project. `make demo` and `make test` need nothing but a Debian machine with git and cargo.

HOST   := $(shell rustc -vV | sed -n 's/^host: //p')
STATIC := target/$(HOST)/release/caldp

.PHONY: demo test lint unit static setup help

help: ## list the chores
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

demo: ## set everything up and calibrate a bundled dataset against a loopback S3 server
	tests/setup.sh calcos
	$(MAKE) static
	cargo run --quiet --package caldp-tests --bin caldp-demo -- --worker $(STATIC) --programs .venv/calcos/bin --directory .demo

test: ## format, lint and every test; says in its last line what ran
	tests/run.sh

static: ## the release binary with no shared libraries
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target $(HOST) --package caldp-worker --bin caldp
