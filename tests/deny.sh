#!/bin/sh
# What the crates may be: licences, sources, one TLS stack, and no known weakness (deny.toml). Uses the
# `cargo deny` that is there, else builds the pinned one into target/tools, without optimisation: that halves
# its minutes. The list of known weaknesses comes from GitHub; where that cannot be reached it is said loudly.
set -eu
cd "$(dirname "$0")/.."

PATH=$PATH:$PWD/target/tools/bin
if ! cargo deny --version >/dev/null 2>&1; then
    echo "deny: building cargo-deny" >&2
    cargo install --quiet --locked --debug --root target/tools --version 0.20.2 cargo-deny
fi
cargo deny check licenses bans sources
if timeout 120 cargo deny fetch db >/dev/null 2>&1; then
    cargo deny check advisories
else
    printf '%s\n' "************************************************************************" \
        "SKIPPED: known weaknesses of the crates (their list cannot be fetched)" \
        "************************************************************************" >&2
fi
