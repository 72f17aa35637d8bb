#!/bin/sh
# Everything `make test` does: install what the tests need, check format and lints, run every test,
# and say in one closing line what ran and what could not.
set -eu
cd "$(dirname "$0")/.."

tests/setup.sh calibration shellcheck system
export CALDP_TEST_PROGRAMS="$PWD/.venv/calibration/bin"
export CALDP_TEST_PYTHON="$PWD/.venv/system/bin/python"

# The real CRDS rules and the recorded answers of Python CRDS are not part of the project.
if [ -z "${CALDP_TEST_DATA:-}" ]; then
    echo "tests: CALDP_TEST_DATA is not set: the comparisons with the real CRDS rules are left out" >&2
fi

cargo fmt --all --check
git ls-files -z -- ':!*.mime' | xargs -0 grep -lZE '^#!/(bin/sh|usr/bin/env (ba)?sh)|^# shellcheck shell=' -- | xargs -0 shellcheck
cargo clippy --quiet --workspace --all-targets -- -D warnings
RUSTDOCFLAGS='-D warnings' cargo doc --quiet --workspace --no-deps

# Features that one package turns on hide that another forgot to: each has to build alone as well.
for package in storage fits caldp-core crds-core crds-cli crds-python caldp-worker caldp-trigger caldp caldp-tests; do
    cargo check --quiet --package "$package"
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
# A pipe would hide the status of cargo, so it is written down.
{ cargo test --workspace --no-fail-fast 2>&1 || echo "cargo-test-failed"; } | tee "$log"
grep -qx cargo-test-failed "$log" && status=1

# What people type: the wrappers of the image, and what `make install` installs.
"$CALDP_TEST_PYTHON" -B tests/wrappers.py || status=1
tests/install.sh target/debug || status=1

# The Python package: a wheel of the same sources, beside the Python client.
{ crds-core/python/tests/run.sh 2>&1 || echo "python-failed"; } | tee -a "$log"
grep -qx python-failed "$log" && status=1

count() { awk -v word="$1" '/^test result:|^python: [0-9]/ { for (i = 2; i <= NF; i++) if ($i ~ "^" word) n += $(i - 1) } END { print n + 0 }' "$log"; }
real="without the real CRDS rules"
[ -n "${CALDP_TEST_DATA:-}" ] && real="with the real CRDS rules"
echo "format, lints and documentation checked; tests ran $real and the real calcos and runastrodriz:"
echo "$(count passed) passed, $(count failed) failed, $(count ignored) skipped"
exit "$status"
