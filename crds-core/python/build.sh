#!/bin/sh
# Builds the wheel of the Python package from nothing: one file for every CPython from 3.10 on.
#
#   crds-core/python/build.sh OUT [dev|release]
#
# Needs cargo and a C compiler; maturin comes from an environment of the project's own. The wheel needs the
# glibc of the machine that builds it or a newer one, and says so in its name (manylinux_2_34 on Debian 12).
set -eu
cd "$(dirname "$0")/../.."
out=${1:?usage: build.sh OUT [dev|release]}
profile=${2:-release}

tests/setup.sh python
PATH=$PWD/.venv/python/bin:$PATH
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
maturin build --quiet --locked --manifest-path crds-core/python/Cargo.toml --profile "$profile" --out "$out"
