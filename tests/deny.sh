#!/bin/sh
# What the crates may be: licences, sources, one TLS stack, and no known weakness (deny.toml). Uses the
# `cargo deny` that is there, else the pinned one in an environment of the project's own. The list of known
# weaknesses comes from GitHub; where that cannot be reached it is said loudly.
set -eu
cd "$(dirname "$0")/.."

if ! cargo deny --version >/dev/null 2>&1; then
    tests/setup.sh deny
    PATH=$PATH:$PWD/.venv/deny/bin
fi

passed=0 failed=0 skipped=0
check() {
    if cargo deny check --hide-inclusion-graph "$1"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

for what in licenses bans sources; do check "$what"; done
if timeout 120 cargo deny fetch db >/dev/null 2>&1; then
    check advisories
else
    skipped=1
    printf '%s\n' "************************************************************************" \
        "SKIPPED: known weaknesses of the crates (their list cannot be fetched)" \
        "************************************************************************" >&2
fi
echo "deny: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
