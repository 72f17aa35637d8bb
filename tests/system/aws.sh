# shellcheck shell=sh disable=SC2154  # scratch and here are run.sh's
# AWS stand-ins and the infrastructure applied to them. To be sourced after image.sh.

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
        MOTO_DOCKER_LAMBDA_IMAGE=caldp-test-lambda:latest \
        .venv/system/bin/moto_server -H 127.0.0.1 -p "$port" >"$scratch/moto.log" 2>&1 &
    moto_pid=$!
    use_aws "http://127.0.0.1:$port"
    tries=0
    until "$python" -c "import urllib.request as u; u.urlopen('$AWS_ENDPOINT_URL/moto-api/', timeout=2)" 2>/dev/null; do
        tries=$((tries + 1))
        if [ $tries -gt 60 ] || ! kill -0 "$moto_pid" 2>/dev/null; then
            tail -n 20 "$scratch/moto.log" >&2
            fail "moto did not start"
        fi
        sleep 0.5
    done
    say "moto answers on $AWS_ENDPOINT_URL"
}

# terraform_ready: whether Terraform and a provider can be had; the module is in $scratch/tf/infra.
terraform_ready() {
    if ! command -v terraform >/dev/null; then
        loudly_skip "Terraform (not installed)"
        return 1
    fi
    mkdir -p "$scratch/tf"
    cp -R infra "$scratch/tf/infra"
    cp "$here/main.tf" "$scratch/tf/"
    : >"$scratch/terraformrc"
    TF_CLI_CONFIG_FILE=$scratch/terraformrc TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1
    export TF_CLI_CONFIG_FILE TF_IN_AUTOMATION CHECKPOINT_DISABLE
    for folder in "$scratch/tf" "$scratch/tf/infra/example"; do
        if ! terraform -chdir="$folder" init -input=false -no-color ${TF_PLUGIN_DIR:+"-plugin-dir=$TF_PLUGIN_DIR"} >"$scratch/init.log" 2>&1; then
            tail -n 5 "$scratch/init.log" >&2
            loudly_skip "Terraform (no AWS provider: set TF_PLUGIN_DIR to a directory that holds one)"
            return 1
        fi
    done
}

loudly_skip() {
    skipped="${skipped:+$skipped, }$1"
    printf '%s\n' "************************************************************************" \
        "SKIPPED: $1" "************************************************************************" >&2
}

terraform_do() {
    command=$1
    shift
    terraform -chdir="$scratch/tf" "$command" -input=false -no-color \
        -var "endpoint=$AWS_ENDPOINT_URL" -var "image=$image" -var "trigger_zip=$zip" -var "service_role=$role" "$@"
}

apply() {
    terraform_do apply -auto-approve >"$scratch/apply.log" 2>&1 ||
        { tail -n 40 "$scratch/apply.log" >&2; fail "terraform apply"; }
    say "$(sed -n 's/^Apply complete! /applied: /p' "$scratch/apply.log")"
    terraform_do plan -out "$scratch/plan" >"$scratch/plan.log" 2>&1 ||
        { tail -n 40 "$scratch/plan.log" >&2; fail "the second plan"; }
    terraform -chdir="$scratch/tf" show -json "$scratch/plan" | "$python" "$here/plan_differences.py" ||
        fail "a second plan changes what was just applied"
}

destroy() {
    terraform_do destroy -auto-approve >"$scratch/destroy.log" 2>&1 ||
        { tail -n 40 "$scratch/destroy.log" >&2; fail "terraform destroy"; }
    say "$(sed -n 's/^Destroy complete! /destroyed: /p' "$scratch/destroy.log")"
}

trigger_zip() {
    zip=${CALDP_TRIGGER_ZIP:-}
    if [ -z "$zip" ]; then
        make --no-print-directory lambda >&2
        zip=$PWD/target/lambda/bootstrap.zip
    fi
    [ -s "$zip" ] || fail "there is no $zip"
}
