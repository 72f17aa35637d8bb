#!/bin/sh
# Installs into a temporary prefix what is in the directory given, and uses it as people do:
#
#   tests/install.sh target/debug
#
# Needs nothing but the two binaries; costs seconds.
set -eu
cd "$(dirname "$0")/.."
binaries=${1:?usage: tests/install.sh <directory of caldp and crds>}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

fail() { echo "tests/install.sh: $*" >&2; exit 1; }

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
prefix=$place/usr

# A file of somebody else's stays, whatever happens.
mkdir -p "$prefix/bin"
echo other >"$prefix/bin/other"

caldp/install.sh install "$binaries" "$prefix" 2>"$place/said"
grep -q "hint: add $prefix/bin to your PATH" "$place/said" || fail "no word about PATH: $(cat "$place/said")"

# Every name runs, by its own name, with help and version.
for name in caldp caldp-process caldp-process-aws caldp-doctor crds crds_s3_get crds_s3_set; do
    [ -x "$prefix/bin/$name" ] || fail "$name is not installed"
    PATH=$prefix/bin:$PATH "$name" --help >"$place/help" || fail "$name --help fails"
    "$prefix/bin/$name" --version >"$place/version" || fail "$name --version fails"
    grep -q " $version\$" "$place/version" || fail "$name --version says $(cat "$place/version")"
    for file in "bash-completion/completions/$name" "zsh/site-functions/_$name" "fish/vendor_completions.d/$name.fish"; do
        [ -s "$prefix/share/$file" ] || fail "share/$file is missing or empty"
    done
    head -n 1 "$prefix/share/zsh/site-functions/_$name" | grep -qx "#compdef $name" || fail "zsh completions of $name"
    grep -q "complete -c $name " "$prefix/share/fish/vendor_completions.d/$name.fish" || fail "fish completions of $name"
    grep -q '^\.TH' "$prefix/share/man/man1/$name.1" || fail "the manual page of $name"
done

# What is sourced sets variables, in bash and zsh and from wherever it is; what is run prints them.
for shell in bash zsh; do
    command -v "$shell" >/dev/null || { echo "tests/install.sh: left out: there is no $shell" >&2; continue; }
    for way in "PATH=$prefix/bin:$PATH; source crds_s3_set roman ops; source caldp-config-offsite" \
        "source $prefix/bin/crds_s3_set roman ops; source $prefix/bin/caldp-config-offsite"; do
        told=$(env -u CRDS_PATH -u CRDS_SERVER_URL HOME="$place" "$shell" -c "$way; echo \"\$CRDS_CONFIG_URI \$CRDS_READONLY_CACHE\"; env | grep -c ^CRDS_DOWNLOAD_PLUGIN=")
        [ "$told" = "s3://stpubdata/roman/crds/config/roman 0
1" ] || fail "$shell: sourced, they say: $told"
    done
    told=$("$shell" -c "PATH=$prefix/bin:$PATH; source crds_s3_set mars; echo \$?" 2>/dev/null)
    [ "$told" != 0 ] || fail "$shell: a wrong argument goes unnoticed"
done
"$prefix/bin/crds_s3_set" roman ops | grep -qx "export CRDS_S3_BUCKET='stpubdata'" || fail "crds_s3_set, run, prints nothing"
env -u CRDS_PATH HOME=/home/me "$prefix/bin/caldp-config-offsite" | grep -qx "export CRDS_PATH='/home/me/crds_cache'" || fail "caldp-config-offsite, run"

# bash takes the completions and offers what there is.
offered=$(bash -c '
    . "$1/share/bash-completion/completions/caldp-process"
    COMP_WORDS=(caldp-process j8cb010b0 --lay) COMP_CWORD=2 COMPREPLY=()
    handler=$(complete -p caldp-process | sed "s/.*-F \([^ ]*\).*/\1/")
    "$handler" caldp-process --lay j8cb010b0
    echo "${COMPREPLY[@]}"' - "$prefix")
[ "$offered" = --layout ] || fail "bash completes --lay with '$offered'"

# Twice is as good as once.
(cd "$prefix" && find . | sort) >"$place/once"
caldp/install.sh install "$binaries" "$prefix" 2>/dev/null
(cd "$prefix" && find . | sort) >"$place/twice"
cmp "$place/once" "$place/twice" || fail "installing twice differs"

# A newer version takes away what it has no longer; what is not its own stays.
echo bin/caldp-of-old >>"$prefix/share/caldp/installed"
: >"$prefix/bin/caldp-of-old"
caldp/install.sh install "$binaries" "$prefix" 2>/dev/null
[ ! -e "$prefix/bin/caldp-of-old" ] || fail "what the older version installed is still there"

caldp/install.sh uninstall "$prefix"
[ "$(cd "$prefix" && find . -type f -o -type l)" = ./bin/other ] || fail "left behind: $(find "$prefix")"
if caldp/install.sh uninstall "$prefix" 2>/dev/null; then fail "uninstalling nothing succeeds"; fi

# For packages.
DESTDIR=$place/package caldp/install.sh install "$binaries" /opt/caldp 2>/dev/null
[ "$(readlink "$place/package/opt/caldp/bin/caldp-process")" = caldp ] || fail "DESTDIR is not respected"
if caldp/install.sh install "$binaries" relative 2>/dev/null; then fail "a relative prefix is accepted"; fi
echo "tests/install.sh: installed, used, installed again, removed"
