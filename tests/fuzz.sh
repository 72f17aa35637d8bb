#!/bin/sh
# Builds the fuzz targets of a crate and runs one after the other, so many seconds each (default:
# 450, an hour for crds-core); stops at the first finding.
#
#   tests/fuzz.sh crds-core|trigger|worker [seconds] [target...]
#
# seeds.sh beside the targets of crds-core and worker gives them real files to start from. Needs `cargo install
# cargo-fuzz` and a C++ compiler. The compiler of Rust may be a stable one. Everything in here is safe
# Rust, so there is no sanitizer: what is looked for is panics, overflow (debug assertions are on),
# endless loops and memory. The alarm counts time on the clock, and a machine that has no time for the
# fuzzer is no finding.
set -eu
crate=${1:?which crate: crds-core, trigger or worker}
shift
cd "$(dirname "$0")/../$crate"
export RUSTC_BOOTSTRAP=1
seconds=${1:-450}
[ $# -eq 0 ] || shift
# shellcheck disable=SC2046  # a list of names is meant
[ $# -gt 0 ] || set -- $(cargo fuzz list)
cargo fuzz build --sanitizer none
for target; do
    echo "== $target"
    cargo fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 \
        -max_len=65536 -print_final_stats=1 -verbosity=0
done
