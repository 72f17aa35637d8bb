# shellcheck shell=sh disable=SC2154  # scratch and here are run.sh's
# AWS stand-ins and the infrastructure applied to them. To be sourced after image.sh.

# need_python: one with the emulator and AWS's client library.
need_python() {
    tests/setup.sh system
    python=$PWD/.venv/system/bin/python
}

free_port() {
    "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

use_aws() {
    AWS_ENDPOINT_URL=$1 AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing
    AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
    export AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_DEFAULT_REGION
    unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE
}

start_moto() {
    port=$(free_port)
    MOTO_HOST=http://127.0.0.1 MOTO_PORT=$port MOTO_DOCKER_NETWORK_MODE=host MOTO_IAM_LOAD_MANAGED_POLICIES=true \
        MOTO_DOCKER_LAMBDA_IMAGE=$lambda_image \
        .venv/system/bin/moto_server -H 127.0.0.1 -p "$port" >"$scratch/moto.log" 2>&1 &
    moto_pid=$!
    use_aws "http://127.0.0.1:$port"
    wait_for "$AWS_ENDPOINT_URL/moto-api/" "$moto_pid" "$scratch/moto.log"
    say "moto answers on $AWS_ENDPOINT_URL"
}

find_python_313() {
    for candidate in python3.13 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13.*/bin/python; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

start_localstack() {
    port=$(free_port)
    mkdir -p "$scratch/volume"
    env -u AWS_CA_BUNDLE DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 "GATEWAY_LISTEN=127.0.0.1:$port" \
        "LOCALSTACK_VOLUME_DIR=$scratch/volume" "TMPDIR=$scratch" \
        .venv/localstack/bin/python -m localstack.runtime.main >"$scratch/localstack.log" 2>&1 &
    localstack_pid=$!
    use_aws "http://127.0.0.1:$port"
    wait_for "$AWS_ENDPOINT_URL/_localstack/health" "$localstack_pid" "$scratch/localstack.log"
    say "LocalStack answers on $AWS_ENDPOINT_URL"
}

# wait_for URL PID LOG: until a server that was started here answers.
wait_for() {
    tries=0
    until "$python" -c "import urllib.request as u; u.urlopen('$1', timeout=2)" 2>/dev/null; do
        tries=$((tries + 1))
        if [ $tries -gt 120 ] || ! kill -0 "$2" 2>/dev/null; then
            tail -n 20 "$3" >&2
            fail "no server answers on $1"
        fi
        sleep 0.5
    done
}

# A directory of Terraform providers on this machine, in the layout of a mirror: not every machine
# reaches Terraform's registry.
find_providers() {
    [ -z "${TF_PLUGIN_DIR:-}" ] || { printf '%s\n' "$TF_PLUGIN_DIR"; return; }
    found=$(find /opt /srv /usr/local /usr/share "$HOME/.terraform.d" -xdev -maxdepth 9 \
        -path '*/registry.terraform.io/hashicorp/aws/*/terraform-provider-aws*' -print -quit 2>/dev/null || true)
    printf '%s\n' "${found%%/registry.terraform.io/*}"
}

# need_terraform: whether Terraform and a provider can be had; the module is in $scratch/tf/infra.
need_terraform() {
    need_python
    [ ! -d "$scratch/tf" ] || return 0
    if ! command -v terraform >/dev/null; then
        loudly_skip "Terraform is not installed"
        return 1
    fi
    step "Terraform's provider"
    mkdir -p "$scratch/tf"
    cp -R infra "$scratch/tf/infra"
    cp "$here/main.tf" "$scratch/tf/"
    : >"$scratch/terraformrc"
    TF_CLI_CONFIG_FILE=$scratch/terraformrc TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1
    export TF_CLI_CONFIG_FILE TF_IN_AUTOMATION CHECKPOINT_DISABLE
    providers=$(find_providers)
    for folder in "$scratch/tf" "$scratch/tf/infra/example"; do
        if ! terraform -chdir="$folder" init -input=false -no-color ${providers:+"-plugin-dir=$providers"} >"$scratch/init.log" 2>&1; then
            tail -n 5 "$scratch/init.log" >&2
            rm -rf "$scratch/tf"
            loudly_skip "no AWS provider for Terraform (set TF_PLUGIN_DIR to a directory that holds one)"
            return 1
        fi
    done
}

terraform_do() {
    command=$1
    shift
    terraform -chdir="$scratch/tf" "$command" -input=false -no-color \
        -var "endpoint=$AWS_ENDPOINT_URL" -var "image=$image" -var "trigger_zip=$zip" -var "service_role=$role" "$@"
}

apply() {
    step "apply, and plan again"
    terraform_do apply -auto-approve >"$scratch/apply.log" 2>&1 ||
        { tail -n 40 "$scratch/apply.log" >&2; fail "terraform apply"; }
    say "$(sed -n 's/^Apply complete! /applied: /p' "$scratch/apply.log")"
    terraform_do plan -out "$scratch/plan" >"$scratch/plan.log" 2>&1 ||
        { tail -n 40 "$scratch/plan.log" >&2; fail "the second plan"; }
    terraform -chdir="$scratch/tf" show -json "$scratch/plan" | "$python" "$here/plan_differences.py" ||
        fail "a second plan changes what was just applied"
}

destroy() {
    step "destroy"
    terraform_do destroy -auto-approve >"$scratch/destroy.log" 2>&1 ||
        { tail -n 40 "$scratch/destroy.log" >&2; fail "terraform destroy"; }
    say "$(sed -n 's/^Destroy complete! /destroyed: /p' "$scratch/destroy.log")"
}
