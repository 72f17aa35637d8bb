#!/bin/sh
# What caldp-docker-run-pipeline and caldp-docker-run-container ask of the container engine. The
# engine is a stand-in: a `docker` that writes its arguments down, one on each line, and succeeds.
# The real engine is for tests/system/run.sh image. Costs a second.
set -eu
cd "$(dirname "$0")/.."
bin=$PWD/docker/bin

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
place=$(cd "$place" && pwd -P)
mkdir "$place/bin" "$place/home" "$place/cache" "$place/outside"
cat >"$place/bin/docker" <<'STAND_IN'
#!/bin/sh
# A stand-in for a container engine: knows run, which images it has, and whether it is rootless.
case $1 in
    run) printf '%s\n' "$@" >"$RECORD"; env >"$RECORD.env" ;;
    image) [ "$2 $3" = "inspect caldp:latest" ] || exit 1 ;;
    info) echo "[name=seccomp${ROOTLESS:+ name=rootless}]" ;;
    --version) echo 'Docker version 20.10.24' ;;
    *) exit 64 ;;
esac
STAND_IN
chmod +x "$place/bin/docker"
ln -s docker "$place/bin/podman"

fail() { echo "tests/wrappers.sh: $*" >&2; exit 1; }

# pipeline and container: as a user calls them, in a home of their own.
called() {
    command=$1
    shift
    rm -f "$place/record"
    # shellcheck disable=SC2086  # a list of assignments is meant
    (cd "$place/home" && env -i PATH="$place/bin:/usr/bin:/bin" HOME="$place/outside" RECORD="$place/record" \
        CALDP_ENGINE=docker $settings "$bin/$command" "$@" </dev/null) >"$place/out" 2>"$place/err"
}
settings=""
pipeline() { called caldp-docker-run-pipeline "$@" || fail "pipeline $*: $(cat "$place/err")"; }
container() { called caldp-docker-run-container "$@" || fail "container $*: $(cat "$place/err")"; }

# asked LINE: the engine got this argument. ended WORDS: its last arguments are these.
asked() { grep -Fqx -- "$1" "$place/record" || fail "the engine was not given '$1': $(tr '\n' ' ' <"$place/record")"; }
ended() {
    [ "$(tail -n $# "$place/record" | tr '\n' ' ')" = "$* " ] ||
        fail "the engine's last arguments are not '$*': $(tr '\n' ' ' <"$place/record")"
}
# refused WORD ARGUMENTS: status 2, the word and a hint or the usage on stderr, and nothing was run.
refused() {
    word=$1
    shift
    called "$@" && fail "$* is accepted"
    status=$?
    [ "$status" -eq 2 ] || fail "$*: status $status"
    grep -q -- "$word" "$place/err" || fail "$*: no $word in $(cat "$place/err")"
    grep -Eq '^caldp-docker-run-[a-z]*: (hint|usage): ' "$place/err" || fail "$*: no remedy in $(cat "$place/err")"
    [ ! -e "$place/record" ] || fail "$*: the engine was called"
}

# Defaults, mounts, and whose files they will be.
pipeline j8cb010b0
ended caldp:latest caldp-process j8cb010b0 file:. file:. caldp-config-offsite
asked "type=bind,source=$place/home,target=/home/developer"
asked "type=bind,source=$place/home/crds_cache,target=/grp/crds/cache"
asked CRDS_PATH=/grp/crds/cache
asked CALDP_CONFIG=caldp-config-offsite
asked "$(id -u):$(id -g)"
asked --rm
for hardened in --cap-drop no-new-privileges; do asked "$hardened"; done

# Relative paths stay, absolute ones below CALDP_HOME are translated, also through a link.
pipeline j8cb010b0 file:in "file:$place/home/out" caldp-config-aws
ended caldp-process j8cb010b0 file:in file:/home/developer/out caldp-config-aws
ln -s "$place/home" "$place/link"
pipeline j8cb010b0 "file://$place/link/in put" "file:$place/link"
ended caldp-process j8cb010b0 "file:/home/developer/in put" file:/home/developer caldp-config-offsite
pipeline j8cb010b0 astroquery: s3://bucket/batch-22
ended caldp-process j8cb010b0 astroquery: s3://bucket/batch-22 caldp-config-offsite
pipeline acs_8ph_01 "astroquery:$place/home/pollers" file:out
ended caldp-process acs_8ph_01 astroquery:/home/developer/pollers file:out caldp-config-offsite
pipeline acs_8ph_01 astroquery:s3://bucket/pollers stpubdata:
ended caldp-process acs_8ph_01 astroquery:s3://bucket/pollers stpubdata: caldp-config-offsite
pipeline j8cb010b0 file:in file:out "$place/home/my.conf" --json --layout=calcloud
ended caldp-process j8cb010b0 file:in file:out /home/developer/my.conf --json --layout=calcloud

# What the container could not see is refused before anything is run.
refused "$place/outside" caldp-docker-run-pipeline j8cb010b0 "file:$place/outside"
refused "$place/home2" caldp-docker-run-pipeline j8cb010b0 "file:$place/home2/in"
refused '\.\.' caldp-docker-run-pipeline j8cb010b0 file:../outside
refused '\.\.' caldp-docker-run-pipeline j8cb010b0 file:in file:out/..
refused "$place/outside" caldp-docker-run-pipeline acs_8ph_01 "astroquery:$place/outside"
refused "$place/outside" caldp-docker-run-pipeline j8cb010b0 file:. file:. "$place/outside/my.conf"
ln -s ../outside "$place/home/away"
refused "$place/outside" caldp-docker-run-pipeline j8cb010b0 file:away
refused "one to four" caldp-docker-run-pipeline
refused "one to four" caldp-docker-run-pipeline a b c d e
refused "no command" caldp-docker-run-container
refused "no command" caldp-docker-run-container --rm

# The cache: elsewhere, read-only, absent.
settings="CRDS_PATH=$place/cache"
pipeline j8cb010b0
asked "type=bind,source=$place/cache,target=/grp/crds/cache"
settings="CRDS_PATH=../cache CRDS_READONLY_CACHE=1"
pipeline j8cb010b0
asked "type=bind,source=$place/cache,target=/grp/crds/cache,readonly"
asked CRDS_READONLY_CACHE
settings="CRDS_PATH=$place/no-such"
refused "$place/no-such" caldp-docker-run-container true

# Home elsewhere, any command, other options of the engine, credentials by name only.
mkdir -p "$place/elsewhere/.aws"
settings="CALDP_HOME=../elsewhere CALDP_DOCKER_RUN_PARS=--name=x AWS_ACCESS_KEY_ID=AKIAX AWS_SECRET_ACCESS_KEY=s3cret MAST_API_TOKEN=t0ken"
container /bin/bash -c 'echo "two words"'
ended caldp:latest /bin/bash -c 'echo "two words"'
asked "type=bind,source=$place/elsewhere,target=/home/developer"
asked --name=x
if grep -q -e --rm "$place/record"; then fail "CALDP_DOCKER_RUN_PARS does not replace --rm"; fi
for secret in AWS_SECRET_ACCESS_KEY MAST_API_TOKEN; do
    asked "$secret"
    grep -q "^$secret=" "$place/record.env" || fail "$secret does not reach the engine"
done
if grep -Eq 's3cret|t0ken|AKIAX' "$place/record"; then fail "a secret is on the command line"; fi

# Files belong to the caller: without root a container's root is the caller, podman can keep the caller's id.
settings="ROOTLESS=yes"
container true
asked 0:0
settings="CALDP_ENGINE=podman"
container true
asked keep-id
asked "$(id -u):$(id -g)"

# An engine or an image that is not there is named, with what to do.
settings="CALDP_ENGINE=no-such"
called caldp-docker-run-container true && fail "without an engine all is well"
grep -q "'no-such'" "$place/err" || fail "the engine is not named: $(cat "$place/err")"
grep -q '^hint: ' "$place/err" || fail "no remedy in $(cat "$place/err")"
settings="CALDP_DOCKER_IMAGE=caldp:typo"
container true
grep -q 'image caldp:typo.*pull' "$place/err" || fail "the missing image is not named: $(cat "$place/err")"
settings=""
container true
[ ! -s "$place/err" ] || fail "a run says something of its own: $(cat "$place/err")"
rm "$place/record"

# Help needs no engine, and says how it is called.
for command in caldp-image-build caldp-image-push caldp-image-sbom; do
    called "$command" --help || fail "$command --help fails"
    [ -s "$place/out" ] || fail "$command --help says nothing"
done
for command in caldp-image-push caldp-image-sbom; do
    called "$command" now && fail "$command now is accepted"
    grep -q 'takes no arguments' "$place/err" || fail "$command now: $(cat "$place/err")"
done
for command in caldp-docker-run-pipeline caldp-docker-run-container; do
    called "$command" --help || fail "$command --help fails"
    grep -q "^  *$command <" "$place/out" || fail "$command --help: $(cat "$place/out")"
    [ ! -e "$place/record" ] || fail "$command --help calls the engine"
done
echo "tests/wrappers.sh: the wrappers ask the engine for what they should"
