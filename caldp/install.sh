#!/bin/sh
# Installs `caldp` and `crds` with a link for every name they answer to, what is to be sourced, completions for bash, zsh
# and fish, and manual pages; `make install` and `make uninstall` call this.
#
#   caldp/install.sh install <directory of the binaries> <prefix>
#   caldp/install.sh uninstall <prefix>
#
# DESTDIR goes before the prefix, for packages. What is installed is written down in
# share/caldp/installed, so that it can be removed again, and that a newer version takes away what
# it has no longer. Installing twice is as good as once.
set -eu

fail() { printf 'install: %s\n' "$@" >&2; exit 1; }

# Removes what the list says is installed, and directories that only held that.
remove_listed() {
    [ -f "$root/$list" ] || return 0
    while IFS= read -r file; do
        case $file in
            /* | *../*) fail "$root/$list names $file, which is not below the prefix" ;;
        esac
        rm -f -- "$root/$file"
        rmdir -p --ignore-fail-on-non-empty -- "$root/$(dirname "$file")" 2>/dev/null || true
    done <"$root/$list"
    rm -f -- "$root/$list"
    rmdir -p --ignore-fail-on-non-empty -- "$root/$(dirname "$list")" 2>/dev/null || true
}

# put FILE NAME: installs what stdin says.
put() {
    mkdir -p -- "$root/$(dirname "$1")"
    # Beside its place and then moved: nobody sees half a file.
    cat >"$root/$1.new"
    chmod "$2" "$root/$1.new"
    mv -f -- "$root/$1.new" "$root/$1"
    printf '%s\n' "$1" >>"$written"
}

# link NAME TARGET: both in the same directory.
link() {
    ln -sfn -- "$2" "$root/$1"
    printf '%s\n' "$1" >>"$written"
}

# sourced NAME PROGRAM ARGUMENT...: a name that is sourced as well as run.
sourced() {
    "$(dirname "$0")/sourced.sh" "$@" | put "bin/$1" 755
}

install_program() {
    program=$1
    put "bin/$program" 755 <"$binaries/$program"
    for name in $("$binaries/$program" names); do
        case $name in
            "$program") ;;
            crds_s3_set) sourced crds_s3_set crds s3-set ;;
            *) link "bin/$name" "$program" ;;
        esac
        "$binaries/$program" completions bash "$name" | put "share/bash-completion/completions/$name" 644
        "$binaries/$program" completions zsh "$name" | put "share/zsh/site-functions/_$name" 644
        "$binaries/$program" completions fish "$name" | put "share/fish/vendor_completions.d/$name.fish" 644
    done
    mkdir "$scratch/$program"
    "$binaries/$program" man --directory "$scratch/$program"
    for page in "$scratch/$program"/*.1; do
        put "share/man/man1/${page##*/}" 644 <"$page"
    done
}

list=share/caldp/installed
case ${1:-}:$# in
    install:3) binaries=$2 prefix=$3 ;;
    uninstall:2) prefix=$2 ;;
    *) fail "usage: install.sh install <directory of the binaries> <prefix>" "       install.sh uninstall <prefix>" ;;
esac
case $prefix in
    /*) ;;
    *) fail "the prefix $prefix is not an absolute path" "hint: make install PREFIX=\$HOME/.local" ;;
esac
root=${DESTDIR:-}$prefix

if [ "$1" = uninstall ]; then
    [ -f "$root/$list" ] || fail "nothing is installed in $root ($list is not there)"
    remove_listed
    exit
fi

for program in caldp crds; do
    [ -x "$binaries/$program" ] || fail "$binaries/$program is not an executable file" "hint: make static builds it"
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
written=$scratch/installed
mkdir -p -- "$root" || fail "the prefix $root cannot be made" "hint: make install PREFIX=<a directory of yours>"
remove_listed
mkdir -p -- "$root/bin"
install_program caldp
install_program crds
for config in caldp-config-onsite caldp-config-offsite caldp-config-aws; do
    sourced "$config" caldp config "$config"
done
put share/doc/caldp/native.md 644 <"$(dirname "$0")/../worker/docs/native.md"
link share/man/man1/crds_s3_get.1 crds-s3-get.1
link share/man/man1/crds_s3_set.1 crds-s3-set.1
sort -u "$written" | put "$list" 644
printf 'installed in %s: %s\n' "$root" "$(grep -c '^bin/' "$root/$list") commands, completions and manual pages" >&2
case :$PATH: in
    *":$prefix/bin:"*) ;;
    *) printf 'hint: add %s to your PATH\n' "$prefix/bin" >&2 ;;
esac
