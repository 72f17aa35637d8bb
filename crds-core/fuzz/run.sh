#!/bin/sh
# Builds every fuzz target and runs one after the other, so many seconds each (default: 450, an
# hour in all); stops at the first finding.
#
#   crds-core/fuzz/run.sh [seconds] [target...]
#
# Needs `cargo install cargo-fuzz` and a C++ compiler. The compiler may be a stable one. Everything
# in here is safe Rust, so there is no sanitizer: what is looked for is panics, overflow (debug
# assertions are on), endless loops and memory.
set -eu
cd "$(dirname "$0")/.."
export RUSTC_BOOTSTRAP=1
seconds=${1:-450}
[ $# -eq 0 ] || shift
# shellcheck disable=SC2046  # a list of names is meant
[ $# -gt 0 ] || set -- $(cargo fuzz list)
cargo fuzz build --sanitizer none
for target; do
    echo "== $target"
    cargo fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -max_len=65536 -print_final_stats=1 -verbosity=0
done
