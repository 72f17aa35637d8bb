# shellcheck shell=sh disable=SC2154,SC2016,SC2034  # scratch is run.sh's, which uses the variables set here; quoted scripts run in the image
# The image under test: built, looked into, run as people run it. To be sourced after engine.sh.

base=caldp-test-base:bookworm
image=caldp:system
broken=caldp:broken
pipeline=caldp-test-pipeline:stable
on_pipeline=caldp:on-pipeline
lambda_image=caldp-test-lambda:latest
image_id="" zip=""

# need_programs: the static worker and the Lambda's zip, in one build of what both are made of.
need_programs() {
    worker=${CALDP_WORKER:-$PWD/target/$(rustc -vV | sed -n 's/^host: //p')/release/caldp} zip=${CALDP_TRIGGER_ZIP:-$PWD/target/lambda/bootstrap.zip}
    if [ -z "${CALDP_WORKER:-}" ] || [ -z "${CALDP_TRIGGER_ZIP:-}" ]; then
        [ -z "${programs_are_built:-}" ] || return 0
        step "build the worker and the Lambda"
        make --no-print-directory release >&2
        programs_are_built=yes
    fi
    [ -x "$worker" ] || fail "$worker is not an executable file"
    [ -s "$zip" ] || fail "there is no $zip"
}

# build_image NAME: as people do, but with the binary and the base of this test.
build_image() {
    CALDP_ENGINE=$ENGINE CALDP_DOCKER_IMAGE=$1 DEBIAN_IMAGE=$base CSYS_VER="" CALDP_WORKER=$worker \
        docker/bin/caldp-image-build --network host --quiet >"$scratch/build.log" 2>&1 ||
        { tail -n 40 "$scratch/build.log" >&2; fail "the image $1 does not build"; }
}

# need_image: the image, from a local base, with the real calcos and stand-ins for HSTCAL that only refuse.
need_image() {
    [ -z "$image_id" ] || return 0
    need_programs
    step "a base image"
    base_image "$base"
    step "build the image"
    mkdir -p "$scratch/stand-ins"
    for program in calacs.e calwf3.e cs0.e; do
        printf '#!/bin/sh\necho "%s is not in this image" >&2\nexit 1\n' "$program" >"$scratch/stand-ins/$program"
        chmod 755 "$scratch/stand-ins/$program"
    done
    # What this machine trusts beyond Debian's authorities, the build has to trust as well.
    cat /usr/local/share/ca-certificates/*.crt >"$scratch/extra-ca.crt" 2>/dev/null || true
    extra=""
    [ ! -s "$scratch/extra-ca.crt" ] || extra=$scratch/extra-ca.crt
    CALDP_EXTRA_CA=$extra
    export CALDP_EXTRA_CA
    CALDP_TEST_PROGRAMS=$scratch/stand-ins CALDP_REQUIREMENTS=calcos CAL_BASE_IMAGE="" build_image "$image"
    image_id=$("$ENGINE" image inspect --format '{{ .Id }}' "$image")
    say "the image is built"
}

# pipeline_image: everything from a base image, which here is a stand-in for stsci/hst-pipeline: it has
# calcos where that has its programs, and neither a worker nor the user.
pipeline_image() {
    mkdir -p "$scratch/pipeline"
    printf '%s\n' "FROM $image" 'USER root' \
        'RUN rm /usr/local/bin/caldp* && userdel developer && mkdir -p /opt/conda/envs && ln -s /opt/calibration /opt/conda/envs/linux' \
        >"$scratch/pipeline/Dockerfile"
    DOCKER_BUILDKIT=1 "$ENGINE" build --quiet --network host --tag "$pipeline" "$scratch/pipeline" >/dev/null
    CALDP_TEST_PROGRAMS="" CAL_BASE_IMAGE=$pipeline build_image "$on_pipeline"
    told=$("$ENGINE" run --rm --network none "$on_pipeline" \
        sh -c 'command -v calcos; test -s "$SSL_CERT_FILE" && caldp --version >/dev/null && echo "$(id -un) $CSYS_VER"')
    [ "$told" = "/opt/conda/envs/linux/bin/calcos
developer $pipeline" ] || fail "the image on a base image says: $told"
    say "CAL_BASE_IMAGE gives an image with the base's programs"
}

# broken_image: under the image's name one with a worker that does nothing and says it went well.
broken_image() {
    mkdir -p "$scratch/broken"
    printf '#!/bin/sh\nexit 0\n' >"$scratch/broken/caldp"
    printf 'FROM %s\nCOPY --chmod=755 caldp /usr/local/bin/caldp\n' "$image" >"$scratch/broken/Dockerfile"
    DOCKER_BUILDKIT=1 "$ENGINE" build --quiet --tag "$broken" "$scratch/broken" >/dev/null
    "$ENGINE" tag "$broken" "$image"
}

# What moto runs Lambda functions in, and what it copies their code with.
lambda_images() {
    DOCKER_BUILDKIT=1 "$ENGINE" build --quiet --build-arg "BASE=$image" --tag "$lambda_image" \
        --file "$here/lambda.Dockerfile" "$here" >/dev/null
    if ! "$ENGINE" image inspect busybox >/dev/null 2>&1; then
        "$ENGINE" tag "$base" busybox
        busybox_is_ours=yes
    fi
}

# inside COMMAND...: in the image, with nothing of this machine.
inside() { "$ENGINE" run --rm --network none "$image" "$@"; }

look_into_image() {
    "$ENGINE" history --no-trunc --format '{{ .CreatedBy }}' "$image" >"$scratch/history"
    "$ENGINE" image inspect "$image" >>"$scratch/history"
    if grep -E -i '(secret|password|token|api_?key|AKIA[0-9A-Z]{12}|BEGIN [A-Z ]*PRIVATE KEY)' "$scratch/history" >&2; then
        fail "the image's history has what looks like a secret"
    fi
    inside sh -c 'find / -xdev -type f \( -name "*.pem" -o -name "id_*" -o -name credentials -o -name ".netrc" -o -name "*.key" \) \
        -not -path "/etc/ssl/certs/*" -not -path "*/certifi/*" -not -path "/usr/share/*"' >"$scratch/secrets" 2>/dev/null || true
    [ ! -s "$scratch/secrets" ] || { cat "$scratch/secrets" >&2; fail "the image has files named like secrets"; }
    for tool in cc gcc g++ c++ clang ld as make cmake cargo rustc gfortran pip pip3 conda mamba micromamba git curl wget; do
        ! inside sh -c "command -v $tool" >&2 || fail "the image has $tool"
    done
    inside sh -c '! ls /var/lib/apt/lists/*Packages* /var/cache/apt/archives/*.deb ~root/.cache /home/developer/.cache 2>/dev/null' >&2 ||
        fail "the image has package caches"
    inside sh -c 'test -z "$(find / -xdev -type f -perm /6000)"' 2>/dev/null || fail "the image has programs that change the user"
    [ "$(inside sh -c 'echo "$(id -un) $HOME $PWD"')" = "developer /home/developer /home/developer" ] || fail "user, home or directory"
    inside sh -c 'test -s "$SSL_CERT_FILE"' || fail "there are no certificate authorities"
    for program in caldp caldp-process caldp-process-aws calcos calacs.e fitscut; do
        inside sh -c "command -v $program" >/dev/null || fail "there is no $program in the image"
    done
    for label in title version revision created licenses; do
        [ -n "$("$ENGINE" image inspect --format "{{ index .Config.Labels \"org.opencontainers.image.$label\" }}" "$image")" ] ||
            fail "the label $label is missing"
    done
    CALDP_ENGINE=$ENGINE CALDP_DOCKER_IMAGE=$image docker/bin/caldp-image-sbom >"$scratch/sbom.json"
    for listed in pkg:deb/debian/fitscut pkg:pypi/calcos pkg:cargo/caldp-worker; do
        grep -q "\"$listed@" "$scratch/sbom.json" || fail "the list of the image's parts lacks $listed"
    done
    say "nothing is in the image that should not be; $(grep -c bom-ref "$scratch/sbom.json") parts are listed"
    "$ENGINE" image inspect --format '{{ .Size }}' "$image" | awk '{ printf "image: %.0f MB, of which\n", $1 / 1e6 }'
    inside sh -c 'du -xsm /opt/calibration /opt/programs /usr/local/bin/caldp /usr/lib /usr/share /usr/bin /var 2>/dev/null
        cd /opt/calibration/lib/python3*/site-packages && du -sm * | sort -rn | head -n 6' | awk '{ printf "  %5d MB  %s\n", $1, $2 }'
}

# as_caller UID COMMAND...: as somebody who is not root and has no name, but may use the engine.
as_caller() {
    uid=$1
    shift
    socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
    group=$(stat -c %g "${socket#unix://}" 2>/dev/null || id -g)
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid "$uid" --regid "$uid" --groups "$group" env "HOME=$scratch" "$@"
    else
        "$@"
    fi
}

run_image() {
    uid=12345
    [ "$(id -u)" -eq 0 ] || uid=$(id -u)
    # On a path the caller may enter, with nothing of this machine's in it.
    chmod 755 "$scratch"
    [ -z "${engine_dir:-}" ] || chmod 755 "$engine_dir"
    CALDP_ENGINE=$ENGINE CALDP_DOCKER_IMAGE=$image CALDP_DOCKER_RUN_PARS="--rm --network host"
    export CALDP_ENGINE CALDP_DOCKER_IMAGE CALDP_DOCKER_RUN_PARS
    bin=$PWD/docker/bin
    home=$scratch/home cache=$scratch/cache
    mkdir -p "$home/inputs" "$home/.aws" "$cache"
    printf '[default]\nregion = us-east-1\n' >"$home/.aws/config"
    cp tests/fixtures/raw/lbgu17qnq.tar.gz "$home/inputs/"
    cp -R tests/fixtures/crds/. "$cache/"
    chown -R "$uid:$uid" "$home" "$cache" 2>/dev/null || true

    # No server can be reached: the cache is complete, and the context is named.
    CRDS_CONTEXT=hst_9001.pmap
    export CRDS_CONTEXT

    for mode in 1 0; do
        rm -rf "$home/results"
        (cd "$home" && CRDS_PATH=$cache CRDS_READONLY_CACHE=$mode as_caller "$uid" \
            "$bin/caldp-docker-run-pipeline" lbgu17qnq file:inputs file:results) >"$scratch/run.log" 2>&1 ||
            { tail -n 40 "$scratch/run.log" >&2; fail "a run with CRDS_READONLY_CACHE=$mode"; }
        [ -s "$home/results/data/cos/lbgu17qnq/lbgu17qnq_x1d.fits" ] || fail "there is no spectrum"
        [ -e "$home/results/messages/dataset-processed/lbgu17qnq" ] || fail "there is no message"
        foreign=$(find "$home" "$cache" ! -uid "$uid" | head -n 5)
        [ -z "$foreign" ] || fail "these files are not the caller's: $foreign"
        say "a dataset is calibrated with CRDS_READONLY_CACHE=$mode; every file is the caller's"
    done

    # Relative and absolute names of the directories; an absolute path below CALDP_HOME is translated.
    rm -rf "$home/results"
    (cd "$scratch" && CALDP_HOME=home CRDS_PATH=cache as_caller "$uid" \
        "$bin/caldp-docker-run-pipeline" lbgu17qnq "file:$home/inputs" "file:$home/results") >"$scratch/run.log" 2>&1 ||
        { tail -n 40 "$scratch/run.log" >&2; fail "a run with relative directories"; }
    [ -s "$home/results/data/cos/lbgu17qnq/lbgu17qnq_x1d.fits" ] || fail "an absolute path below CALDP_HOME is not translated"
    for path in /etc ../inputs inputs/../.. ; do
        if (cd "$home" && CRDS_PATH=$cache as_caller "$uid" "$bin/caldp-docker-run-pipeline" lbgu17qnq "file:$path") >"$scratch/run.log" 2>&1; then
            fail "file:$path was accepted"
        fi
        grep -q 'hint: CALDP_HOME' "$scratch/run.log" || { cat "$scratch/run.log" >&2; fail "file:$path was refused without a hint"; }
    done
    say "relative paths are mapped, others refused"

    # Nothing but a name: loose files in the current directory, the cache in crds_cache.
    mkdir "$scratch/bare"
    tar -xzf tests/fixtures/raw/lbgu17qnq.tar.gz -C "$scratch/bare"
    cp -R "$cache" "$scratch/bare/crds_cache"
    chown -R "$uid:$uid" "$scratch/bare" 2>/dev/null || true
    (cd "$scratch/bare" && as_caller "$uid" "$bin/caldp-docker-run-pipeline" lbgu17qnq) >"$scratch/run.log" 2>&1 ||
        { tail -n 40 "$scratch/run.log" >&2; fail "a run with nothing but a name"; }
    [ -s "$scratch/bare/data/cos/lbgu17qnq/lbgu17qnq_x1d.fits" ] || fail "with nothing but a name there is no spectrum"
    say "the name of a dataset is enough"

    # Results to S3 with the credentials of .aws in CALDP_HOME, references into an empty cache.
    (
        start_moto
        trap 'stop "$moto_pid"' EXIT
        "$python" "$here/scenario.py" prepare >"$scratch/role"
        "$python" "$here/scenario.py" bucket
        mkdir "$scratch/empty"
        printf '[default]\naws_access_key_id = testing\naws_secret_access_key = testing\n' >"$home/.aws/credentials"
        chown "$uid:$uid" "$scratch/empty" "$home/.aws/credentials" 2>/dev/null || true
        (cd "$home" && unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY CRDS_CONTEXT &&
            CRDS_PATH=$scratch/empty CRDSBUCKET=s3://caldp-crds as_caller "$uid" \
                "$bin/caldp-docker-run-pipeline" lbgu17qnq file:inputs s3://caldp-system/batch-22 caldp-config-aws) >"$scratch/run.log" 2>&1 ||
            { tail -n 40 "$scratch/run.log" >&2; fail "a run to S3"; }
        "$python" "$here/scenario.py" processed batch-22/ lbgu17qnq || fail "the results on S3"
        find "$scratch/empty" -name '*.fits' -uid "$uid" | grep -q . || fail "no reference is in the cache that may be written"
    )
    say "results go to S3 with the credentials of .aws; references stay in the cache that may be written"

    # What people debug with.
    answer=$(cd "$home" && as_caller "$uid" "$bin/caldp-docker-run-container" sh -c 'cat ~/.aws/config; id -u; pwd' sh)
    [ "$answer" = "$(printf '[default]\nregion = us-east-1\n%s\n/home/developer' "$uid")" ] || fail "caldp-docker-run-container: $answer"
    if (cd "$home" && CRDS_PATH=$cache CRDS_READONLY_CACHE=1 as_caller "$uid" "$bin/caldp-docker-run-container" touch /grp/crds/cache/x) 2>/dev/null; then
        fail "the read-only cache can be written"
    fi
    status=0
    (cd "$home" && as_caller "$uid" "$bin/caldp-docker-run-container" sh -c 'exit 23') || status=$?
    [ "$status" -eq 23 ] || fail "the exit status of a command is lost: $status"
    if CALDP_ENGINE=$ENGINE "$bin/caldp-image-push" 2>/dev/null; then fail "a test image can be pushed"; fi
    say "any command runs with the caller's mounts"
}
