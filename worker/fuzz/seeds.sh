#!/bin/sh
# Fills corpus/ from the bundled fixtures: archives of raw files, tables, answers of MAST.
#
#   worker/fuzz/seeds.sh
set -eu
cd "$(dirname "$0")"
fixtures=../../tests/fixtures
mkdir -p corpus/archives corpus/fits_tables corpus/mast_answers
# Neither gzip's checksum nor much data: the fuzzer is to change what the archive says.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/j8cb010b0"
for name in j8cb010b0_asn.fits j8cb01u3q_raw.fits; do
    head -c 700 /dev/zero >"$folder/j8cb010b0/$name"
done
for format in gnu pax ustar; do
    tar --format "$format" --directory "$folder" --create --file "corpus/archives/$format.tar" j8cb010b0
    gzip --stdout "corpus/archives/$format.tar" >"corpus/archives/$format.tar.gz"
done
find "$fixtures/crds/references" -name '*.fits' -size -60k -exec cp {} corpus/fits_tables/ \;
cat >corpus/mast_answers/products <<'JSON'
{"status": "COMPLETE", "msg": "", "data": [{"obsID": "24", "obs_collection": "HST", "productFilename": "j8cb01u3q_raw.fits",
"productSubGroupDescription": "RAW", "description": "DADS RAW file", "size": 1234}, {"obs_collection": "HST",
"productFilename": "j8cb01u3q_flc.fits", "productSubGroupDescription": "FLC", "description": "HAP DADS FLC", "size": "5.0"}],
"fields": [{"name": "size", "type": "int"}], "paging": {"page": 1, "pageSize": 50000, "pagesFiltered": 1, "rows": 2, "rowsFiltered": 2}}
JSON
cat >corpus/mast_answers/observations <<'JSON'
{"status": "COMPLETE", "data": [{"obsid": 24839, "obs_id": "J8CB010B0", "obs_collection": "HST"}], "paging": {"page": 1, "rowsFiltered": "1"}}
JSON
echo '{"status": "EXECUTING"}' >corpus/mast_answers/executing
echo '{"status": "ERROR", "msg": "Timeout"}' >corpus/mast_answers/error
