#!/bin/sh
# The tests of the Python package: builds a wheel, installs it where nothing else is, and asks it what the
# Python client is asked. `make test` runs this; the first argument is the profile to build with.
#
#   crds-core/python/tests/run.sh [dev|release]
#
# CALDP_TEST_DATA names the real rules and the recorded answers; without it those tests are left out.
set -eu
cd "$(dirname "$0")/../../.."

status=0
tests/setup.sh python || status=$?
if [ "$status" -eq 3 ]; then
    printf '%s\n' "************************************************************************" \
        "SKIPPED: the Python package (there is no Python to test it with)" \
        "************************************************************************" >&2
    echo "python: 0 passed, 0 failed, 1 skipped"
    exit
fi
[ "$status" -eq 0 ] || exit "$status"

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
crds-core/python/build.sh "$place" "${1:-dev}"
python=$PWD/.venv/python/bin/python
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index --target "$place/site" "$place"/*.whl
# The package is not in the environment itself, which stays what its requirements say.
export CALDP_TEST_WHEEL="$place" PYTHONPATH="$place/site"
cd crds-core/python
"$python" -B -m pytest -q -p no:cacheprovider --junit-xml "$place/results.xml" tests || status=1
[ -s "$place/results.xml" ] || exit 1
count() { sed -n "s/.*<testsuite [^>]*$1=\"\([0-9]*\)\".*/\1/p" "$place/results.xml"; }
failed=$(($(count failures) + $(count errors)))
echo "python: $(($(count tests) - failed - $(count skipped))) passed, $failed failed, $(count skipped) skipped"
exit "$status"
