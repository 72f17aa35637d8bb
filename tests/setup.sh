#!/bin/sh
# Installs what the demo and the tests need beyond git and cargo: a C compiler and Python
# from the system's packages, and the calibration programs in a virtual environment of the project's
# own, every file checked against a recorded hash. Does nothing where all of it is there already.
#
#   tests/setup.sh calcos        the COS pipeline: enough for the demo
#   tests/setup.sh calibration   drizzlepac as well: what the tests of the worker run
#   tests/setup.sh shellcheck    the lints of shell scripts
#   tests/setup.sh engine        a container engine and what its base image is made with
#   tests/setup.sh system        moto and boto3, for the tests of the trigger and of the whole system;
#                                checkov and localstack likewise
#   tests/setup.sh fakecloud     an emulator that enforces policies; built from its source, which takes ten minutes
#   tests/setup.sh browser       Chromium and what drives it, for the tests of the pages
#   tests/setup.sh python        maturin, and what the tests of the Python package compare it with
#   tests/setup.sh deny          cargo-deny
#
# The exit status is 3 if something is missing that only the system's packages have.
set -eu
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else
        echo "setup: these Debian packages are missing and need root to install: $packages" >&2
        echo "hint: run as root once: apt-get install $packages" >&2
        exit 3
    fi
}

install_packages() {
    packages="$*"
    [ -n "$packages" ] || return 0
    echo "setup: installing $packages" >&2
    as_root apt-get update -q >&2
    # shellcheck disable=SC2086  # a list of packages is meant
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $packages >&2
}

# The oldest Python for which the pinned calibration programs have wheels is 3.11.
find_python() {
    for python in ${CALDP_PYTHON:-} python3.13 python3.12 python3.11 python3; do
        if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
}

# environment NAME: .venv/NAME holds exactly what the requirements file of that name pins.
environment() {
    requirements=$2
    wanted=$(sha256sum <"$requirements")
    [ "$(cat ".venv/$1/.requirements" 2>/dev/null)" = "$wanted" ] && return
    python=$(find_python)
    if [ -z "$python" ]; then
        install_packages python3 python3-venv
        python=$(find_python)
    fi
    [ -n "$python" ] || { echo "setup: no Python of version 3.11 or newer with venv was found" >&2; exit 3; }
    echo "setup: installing $requirements into .venv/$1" >&2
    rm -rf ".venv/$1"
    "$python" -m venv ".venv/$1"
    ".venv/$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --require-hashes --requirement "$requirements"
    printf '%s\n' "$wanted" >".venv/$1/.requirements"
}

# program NAME VERSION: .venv/NAME/bin/NAME, built from the crate of that name by what is locked in it.
program() {
    [ -x ".venv/$1/bin/$1" ] && "./.venv/$1/bin/$1" --version | grep -q -F "$2" && return
    echo "setup: building $1 $2 into .venv/$1" >&2
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root ".venv/$1" --version "$2" "$1"
}

missing=""
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
for want in "$@"; do
    if [ "$want" = shellcheck ]; then
        command -v "$want" >/dev/null || missing="$missing $want"
    fi
    if [ "$want" = fakecloud ]; then
        pkg-config --exists openssl 2>/dev/null || missing="$missing pkg-config libssl-dev"
        command -v c++ >/dev/null || missing="$missing g++"
        command -v cmake >/dev/null || missing="$missing cmake make"
    fi
    if [ "$want" = browser ]; then
        command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || missing="$missing chromium-headless-shell"
    fi
    if [ "$want" = engine ]; then
        docker info >/dev/null 2>&1 || [ -x /usr/sbin/dockerd ] || missing="$missing docker.io iptables"
        # Only root can make a base image with it; others pull one.
        [ "$(id -u)" -ne 0 ] || [ -x /usr/sbin/debootstrap ] || missing="$missing debootstrap"
        command -v zip >/dev/null || missing="$missing zip"
    fi
done
# shellcheck disable=SC2086  # a list of packages is meant
install_packages $missing
for want in "$@"; do
    case $want in
        calcos | calibration) environment "$want" "docker/requirements/$want.txt" ;;
        system | checkov | localstack | browser) environment "$want" "tests/system/$want.txt" ;;
        python) environment "$want" crds-core/python/tests/requirements.txt ;;
        fakecloud) program "$want" 0.51.0 ;;
        deny) environment "$want" "tests/$want.txt" ;;
        shellcheck | engine) ;;
        *) echo "setup: unknown part '$want'" >&2; exit 2 ;;
    esac
done
