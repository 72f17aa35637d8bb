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
