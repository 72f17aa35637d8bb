#!/bin/sh
# Fills corpus/ from the bundled fixtures: rule files, pickles, headers of raw files.
#
#   crds-core/fuzz/seeds.sh
#
# A fuzzer that starts from real files is past the first checks at once. Needs tar and python3.
set -eu
cd "$(dirname "$0")"
fixtures=../../tests/fixtures
for target in literal rules pickles dates expressions conditioning fits_header asdf_header; do
    mkdir -p "corpus/$target"
done
cp "$fixtures"/crds/mappings/hst/*.?map corpus/literal/
cp "$fixtures"/crds/mappings/hst/*.rmap corpus/rules/
cp "$fixtures"/crds/pickles/hst/*.pkl corpus/pickles/

# The headers of raw files: their data would only slow the fuzzer down.
raw=$(mktemp -d)
trap 'rm -rf "$raw"' EXIT
for archive in "$fixtures"/raw/*.tar.gz; do
    tar --directory "$raw" --extract --gzip --file "$archive"
done
find "$raw" -name '*.fits' | while read -r file; do
    head -c 17280 "$file" > "corpus/fits_header/$(basename "$file")"
done

# Texts that the rules write or that headers have: one file each.
python3 - "$fixtures"/crds/mappings/hst/*.rmap <<'PYTHON'
import pathlib, re, sys

expressions, values = set(), set()
for name in sys.argv[1:]:
    text = pathlib.Path(name).read_text()
    expressions.update(re.findall(r"""relevance' *: *['"]([^'"]*)""", text))
    values.update(re.findall(r"'([^'\n]{1,40})'", text))
expressions.update(["(a == '1') and not (b in ['2', 3.0])", "x < y <= z if t else ()", "a or b != c"])
dates = ["2002-03-30 00:00:00", "1/2/2003 4:05:06.7 PM", "Mar 5, 1999 12:00AM", "20010203:040506", "29-02-01 UT"]
for target, texts in [("expressions", expressions), ("conditioning", values), ("dates", dates)]:
    for number, text in enumerate(sorted(texts)):
        # Text, then what takes the place of the other arguments.
        pathlib.Path("corpus", target, f"seed-{number}").write_text(text)
PYTHON
cat > corpus/asdf_header/seed-roman <<'ASDF'
#ASDF 1.0.0
#ASDF_STANDARD 1.6.0
%YAML 1.1
%TAG ! tag:stsci.edu:asdf/
--- !core/asdf-1.1.0
history:
  extensions:
  - !core/extension_metadata-1.0.0 {extension_class: x, software: {name: asdf, version: 3.0.0}}
  entries:
  - {description: made, time: 2026-11-21T05:38:14}
roman: &r
  meta:
    instrument: {name: WFI, detector: WFI01, optical_element: F158}
    exposure: {start_time: !time/time-1.1.0 '2026-01-01T00:00:00.000', type: WFI_IMAGE, n: [1, 2.5, .inf, 0x1f, 1_000, ~, true]}
    text: >-
      folded
      lines
  again: *r
...
ASDF
