#!/bin/sh
# The whole system as one: the image built, the infrastructure applied, a list dropped into the bucket,
# the Lambda really invoked, the jobs really run in containers, their products looked at.
#
#   tests/system/run.sh system       all of it, against moto
#   tests/system/run.sh image        the image alone: what is in it, and how people run it
#   tests/system/run.sh infra        validate, scan and apply the infrastructure
#   tests/system/run.sh localstack   the S3 side of a run against LocalStack
#
# CALDP_WORKER and CALDP_TRIGGER_ZIP name binaries that are built already. TF_PLUGIN_DIR holds a
# Terraform provider where none can be downloaded; without one, what needs it is left out, loudly.
set -eu
cd "$(dirname "$0")/../.."
here=tests/system

say() { printf '%s: %s\n' "$what" "$*" >&2; }
fail() { say "FAILED: $*"; exit 1; }

what=${1:-system}
started=$(date +%s)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/caldp-system.XXXXXX")
moto_pid="" skipped=""

clean_up() {
    status=$?
    trap - EXIT
    [ -z "$moto_pid" ] || { kill "$moto_pid" 2>/dev/null; wait "$moto_pid" 2>/dev/null; } || true
    if [ -n "${ENGINE:-}" ]; then
        # Only what this test made: containers of its images, and the images themselves.
        for image in caldp:system caldp:broken caldp-test-lambda:latest; do
            for container in $("$ENGINE" ps --all --quiet --filter "ancestor=$image" 2>/dev/null); do
                say "a container was left behind and is removed: $container"
                "$ENGINE" rm --force "$container" >/dev/null 2>&1 || true
                status=1
            done
            [ -n "${engine_pid:-}" ] || "$ENGINE" image rm "$image" >/dev/null 2>&1 || true
        done
        [ -z "${busybox_is_ours:-}" ] || [ -n "${engine_pid:-}" ] || "$ENGINE" image rm busybox >/dev/null 2>&1 || true
        stop_engine || status=1
    fi
    rm -rf "$scratch"
    if [ "$status" -eq 0 ]; then
        say "passed in $(($(date +%s) - started)) s${skipped:+; SKIPPED: $skipped}"
    else
        say "failed after $(($(date +%s) - started)) s"
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM

# shellcheck source-path=SCRIPTDIR source=engine.sh
. "$here/engine.sh"
# shellcheck source-path=SCRIPTDIR source=image.sh
. "$here/image.sh"
# shellcheck source-path=SCRIPTDIR source=aws.sh
. "$here/aws.sh"

system_test() {
    tests/setup.sh engine
    need_python
    terraform_ready || { loudly_skip "the whole system test"; return; }
    trigger_zip
    start_engine
    build_image
    lambda_images
    start_moto
    role=$("$python" "$here/scenario.py" prepare)
    apply
    "$python" "$here/scenario.py" run || { tail -n 60 "$scratch/moto.log" | grep -v '" 200 ' >&2; fail "the scenario"; }

    # The test is worth something only if it fails with a worker that is broken.
    broken_image caldp:broken
    "$ENGINE" tag caldp:broken "$image"
    if "$python" "$here/scenario.py" broken 2>"$scratch/broken.log"; then
        fail "a broken worker went unnoticed"
    fi
    grep -q 'is not in the bucket' "$scratch/broken.log" || { cat "$scratch/broken.log" >&2; fail "the broken worker was noticed for another reason"; }
    say "a broken worker is noticed: $(tail -n 1 "$scratch/broken.log")"
    destroy
}

infra_test() {
    need_python
    terraform_ready || return 0
    terraform -chdir="$scratch/tf/infra/example" validate -no-color >/dev/null || fail "terraform validate"
    terraform fmt -check -recursive infra "$here" >/dev/null || fail "terraform fmt"
    say "the example is valid"
    tests/setup.sh checkov
    # Its guidelines are looked up on the network for links only; the checks are all in the package.
    .venv/checkov/bin/checkov --directory infra --framework terraform --compact --quiet --skip-download \
        >"$scratch/checkov.log" 2>"$scratch/checkov.err" ||
        { cat "$scratch/checkov.log" >&2; fail "the policy scan"; }
    say "policy scan: $(grep '^Passed checks' "$scratch/checkov.log")"
    zip=$scratch/empty.zip
    (cd "$scratch" && printf '#!/bin/sh\n' >bootstrap && "$python" -m zipfile -c empty.zip bootstrap)
    start_moto
    role=$("$python" "$here/scenario.py" prepare)
    apply
    destroy
}

image_test() {
    tests/setup.sh engine
    start_engine
    build_image
    look_into_image
    run_image
}

localstack_test() {
    tests/setup.sh engine
    need_python
    # The newest LocalStack runs on 3.13 alone.
    CALDP_PYTHON=""
    for candidate in python3.13 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13.*/bin/python; do
        ! "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || CALDP_PYTHON=$candidate
    done
    if [ -z "$CALDP_PYTHON" ]; then
        loudly_skip "LocalStack (needs Python 3.13)"
        return
    fi
    export CALDP_PYTHON
    tests/setup.sh localstack
    start_engine
    build_image
    port=$(free_port)
    mkdir -p "$scratch/volume"
    env -u AWS_CA_BUNDLE DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 "GATEWAY_LISTEN=127.0.0.1:$port" \
        "LOCALSTACK_VOLUME_DIR=$scratch/volume" "TMPDIR=$scratch" \
        .venv/localstack/bin/python -m localstack.runtime.main >"$scratch/localstack.log" 2>&1 &
    moto_pid=$!
    use_aws "http://127.0.0.1:$port"
    tries=0
    until "$python" -c "import urllib.request as u; u.urlopen('$AWS_ENDPOINT_URL/_localstack/health', timeout=2)" 2>/dev/null; do
        tries=$((tries + 1))
        if [ $tries -gt 60 ] || ! kill -0 "$moto_pid" 2>/dev/null; then
            tail -n 20 "$scratch/localstack.log" >&2
            fail "LocalStack did not start"
        fi
        sleep 0.5
    done
    "$python" "$here/smoke.py" prepare
    "$ENGINE" run --rm --network host --env AWS_ENDPOINT_URL --env AWS_ACCESS_KEY_ID --env AWS_SECRET_ACCESS_KEY --env AWS_REGION \
        --env CRDSBUCKET=s3://caldp-crds --env CALDP_INPUT_URI=s3://caldp-inputs/raw --env "CALDP_IMAGE=$image" \
        "$image" caldp-process-aws s3://caldp-system/data/smoke lbgu17qnq >"$scratch/run.log" 2>&1 ||
        { tail -n 40 "$scratch/run.log" >&2; fail "a run against LocalStack"; }
    "$python" "$here/smoke.py" check
}

case $what in
    system) system_test ;;
    image) image_test ;;
    infra) infra_test ;;
    localstack) localstack_test ;;
    *) echo "run.sh: unknown test '$what'" >&2; exit 2 ;;
esac
