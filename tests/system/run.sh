#!/bin/sh
# The whole system as one: the image built, the infrastructure applied, a list dropped into the bucket,
# the Lambda really invoked, the jobs really run in containers, their products looked at.
#
#   tests/system/run.sh image        what is in the image, and how people run it
#   tests/system/run.sh infra        the infrastructure validated, scanned, applied, destroyed
#   tests/system/run.sh system       all of it together, against moto
#   tests/system/run.sh localstack   the worker and the Lambda against a second emulator
#   tests/system/run.sh all          these four, with one build, one image and one engine for all
#
# CALDP_WORKER and CALDP_TRIGGER_ZIP name binaries that are built already. TF_PLUGIN_DIR holds a
# Terraform provider where none can be downloaded. What cannot run here is left out loudly, and the last
# line counts it as skipped, never as passed.
set -eu
cd "$(dirname "$0")/../.."
here=tests/system

what=${1:-system}
case $what in
    all) parts="image infra system localstack" ;;
    image | infra | system | localstack) parts=$what ;;
    *) echo "run.sh: unknown test '$what'" >&2; exit 2 ;;
esac

say() { printf '%s: %s\n' "${part:-$what}" "$*" >&2; }
fail() { say "FAILED: $*"; exit 1; }

# loudly_skip WHY: the part that is under way cannot run here.
loudly_skip() {
    skipped=$((skipped + 1)) left_out="${left_out:+$left_out, }$part: $1"
    printf '%s\n' "************************************************************************" \
        "SKIPPED: $part: $1" "************************************************************************" >&2
}

started=$(date +%s)
passed=0 failed=0 skipped=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/caldp-system.XXXXXX")
moto_pid="" localstack_pid="" left_out="" part="" step="" step_started=$started

# step NAME: what takes time from here on; the summary at the end says how much.
step() {
    now=$(date +%s)
    [ -z "$step" ] || printf '%5d s  %s\n' "$((now - step_started))" "$step" >>"$scratch/times"
    step=${1:+${part:+$part: }$1} step_started=$now
}

# stop PID: ends a server that was started here.
stop() {
    [ -n "$1" ] || return 0
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

clean_up() {
    status=$?
    trap - EXIT
    part=""
    step "clean up"
    stop "$moto_pid"
    stop "$localstack_pid"
    if [ -n "${ENGINE:-}" ]; then
        # Only what this test made: containers of its images, and the images themselves.
        for name in $image $broken $lambda_image $on_pipeline $pipeline; do
            for container in $("$ENGINE" ps --all --quiet --filter "ancestor=$name" 2>/dev/null); do
                say "a container was left behind and is removed: $container"
                "$ENGINE" rm --force "$container" >/dev/null 2>&1 || true
                status=1
            done
            [ -n "${engine_pid:-}" ] || "$ENGINE" image rm "$name" >/dev/null 2>&1 || true
        done
        [ -z "${busybox_is_ours:-}" ] || [ -n "${engine_pid:-}" ] || "$ENGINE" image rm busybox >/dev/null 2>&1 || true
    fi
    stop_engine || status=1
    step ""
    if [ -s "$scratch/times" ]; then
        say "time by step:"
        cat "$scratch/times" >&2
    fi
    rm -rf "$scratch"
    if [ "$status" -eq 0 ]; then
        say "done in $(($(date +%s) - started)) s${left_out:+; SKIPPED: $left_out}"
    else
        failed=1
        say "failed after $(($(date +%s) - started)) s; not run: ${to_run:-nothing}"
    fi
    echo "$what: $passed passed, $failed failed, $skipped skipped"
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

image_test() {
    need_engine || return 0
    need_python
    need_image
    step "look into it"
    look_into_image
    step "run it"
    run_image
    step "the image on another base"
    pipeline_image
}

infra_test() {
    need_terraform || return 0
    step "validate and scan"
    terraform -chdir="$scratch/tf/infra/example" validate -no-color >/dev/null || fail "terraform validate"
    for folder in infra infra/example "$here"; do
        terraform fmt -check "$folder" >/dev/null || fail "terraform fmt: $folder"
    done
    say "the example is valid"
    tests/setup.sh checkov
    # Its guidelines are looked up on the network for links only; the checks are all in the package.
    .venv/checkov/bin/checkov --directory infra --framework terraform --compact --quiet --skip-download \
        >"$scratch/checkov.log" 2>"$scratch/checkov.err" ||
        { cat "$scratch/checkov.log" >&2; fail "the policy scan"; }
    say "policy scan: $(grep '^Passed checks' "$scratch/checkov.log")"
    # The system test applies and destroys it as well, with the real image and Lambda in it.
    case $parts in *system*) return ;; esac
    zip=$scratch/empty.zip
    (cd "$scratch" && printf '#!/bin/sh\n' >bootstrap && "$python" -m zipfile -c empty.zip bootstrap)
    start_moto
    role=$("$python" "$here/scenario.py" prepare)
    apply
    destroy
}

system_test() {
    need_terraform || return 0
    need_engine || return 0
    need_image
    step "start moto"
    lambda_images
    start_moto
    role=$("$python" "$here/scenario.py" prepare)
    apply
    step "a batch"
    "$python" "$here/scenario.py" run || { tail -n 60 "$scratch/moto.log" | grep -v '" 200 ' >&2; fail "the scenario"; }

    # The test is worth something only if it fails with a worker that is broken.
    step "a broken worker"
    broken_image
    if "$python" "$here/scenario.py" broken 2>"$scratch/broken.log"; then
        fail "a broken worker went unnoticed"
    fi
    grep -q 'is not in the bucket' "$scratch/broken.log" || { cat "$scratch/broken.log" >&2; fail "the broken worker was noticed for another reason"; }
    say "a broken worker is noticed: $(tail -n 1 "$scratch/broken.log")"
    "$ENGINE" tag "$image_id" "$image"
    destroy
    stop "$moto_pid"
    moto_pid=""
}

localstack_test() {
    # The newest LocalStack runs on 3.13 alone.
    CALDP_PYTHON=$(find_python_313)
    if [ -z "$CALDP_PYTHON" ]; then
        loudly_skip "LocalStack (needs Python 3.13, found neither on the PATH nor among pyenv's)"
        return
    fi
    step "install LocalStack"
    CALDP_PYTHON=$CALDP_PYTHON tests/setup.sh localstack
    need_engine || return 0
    need_python
    need_image
    step "start LocalStack"
    start_localstack
    step "a run of the worker, an event for the Lambda"
    "$python" "$here/smoke.py" prepare
    as_job=$(printf -- '--env %s ' AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION)
    # shellcheck disable=SC2086  # a list of options is meant
    "$ENGINE" run --rm --network host $as_job \
        --env CRDSBUCKET=s3://caldp-crds --env CALDP_INPUT_URI=s3://caldp-inputs/raw --env "CALDP_IMAGE=$image" \
        "$image" caldp-process-aws s3://caldp-system/data/smoke lbgu17qnq >"$scratch/run.log" 2>&1 ||
        { tail -n 40 "$scratch/run.log" >&2; fail "a run against LocalStack"; }
    mkdir -p "$scratch/task"
    "$python" -m zipfile -e "$zip" "$scratch/task"
    chmod 755 "$scratch/task/bootstrap"
    "$python" "$here/smoke.py" check "$scratch/task/bootstrap"
    stop "$localstack_pid"
    localstack_pid=""
}

to_run=$parts
for part in $parts; do
    to_run=${to_run#"$part"} to_run=${to_run# } before=$skipped
    "${part}_test"
    [ "$skipped" -ne "$before" ] || passed=$((passed + 1))
done
