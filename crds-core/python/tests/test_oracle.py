"""Every answer of Python CRDS that is on record, through Python: one by one and in bulk."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict

import pytest

import crds_core

RECORDS = [
    ("hst_bestrefs_dev.jsonl.gz", "crds-cache", "hst"),
    ("jwst_bestrefs_dev.jsonl.gz", "crds-cache", "jwst"),
    ("roman_bestrefs_dev.jsonl.gz", "crds-cache", "roman"),
    ("synthetic_bestrefs_dev.jsonl.gz", "crds-cache-synthetic", "hst"),
]


def same(ours, theirs) -> bool:
    """Whether answers agree as the README of the records says: texts of errors are free."""
    if isinstance(theirs, list):
        return isinstance(ours, tuple) or (isinstance(ours, str) and ours.startswith("NOT FOUND"))
    if theirs.startswith("NOT FOUND") and theirs not in ("NOT FOUND n/a", "NOT FOUND No match found."):
        return isinstance(ours, str) and ours.startswith("NOT FOUND ") and ours != "NOT FOUND n/a"
    return ours == theirs


def compare(line, ours, differences) -> int:
    """Compares the answers for one header, None for none at all; gives how many values there are."""
    if "error" in line:
        if ours is not None:
            differences.append((line["id"], line["error"], ours))
        return 0
    expected = line["bestrefs"]
    for name in expected.keys() | (ours or {}).keys():
        if name not in expected or not same((ours or {}).get(name), expected[name]):
            differences.append((line["id"], name, expected.get(name), (ours or {}).get(name)))
    return len(expected)


@pytest.mark.parametrize(("records", "folder", "observatory"), RECORDS)
def test_every_recorded_answer_is_given(data, settings, records, folder, observatory):
    for name in ("CRDS_CONFIG_URI", "CRDS_MAPPING_URI", "CRDS_REFERENCE_URI"):
        settings.delenv(name)
    settings.setenv("CRDS_PATH", str(data / folder))
    settings.setenv("CRDS_READONLY_CACHE", "1")
    with gzip.open(data / "oracle" / records, "rt") as file:
        lines = [json.loads(line) for line in file]
    groups = defaultdict(list)
    for line in lines:
        groups[line["context"], line["path"] == "raw"].append(line)
    one_by_one, bulk, by_function, values = [], [], [], 0
    for (name, raw), group in groups.items():
        rules = crds_core.Context(name, observatory)
        answers = rules.bestrefs([line["header"] for line in group], raw=raw)
        for number, line in enumerate(group):
            ours = None if number in answers.errors else answers.row(number)
            values += compare(line, ours, bulk)
            alone = rules.bestrefs(line["header"], raw=raw)
            compare(line, None if alone.errors else alone.row(0), one_by_one)
            simple = all(value is not None for value in line["header"].values())
            if not raw and simple and "error" not in line:
                # Asked for all types by name: JWST's answers would else be those of the exposure type.
                types = rules.reference_types(next(iter(instruments(line, rules))))
                asked = crds_core.getrecommendations(
                    line["header"], types, context=name, observatory=observatory, fast=True
                )
                compare(line, asked, by_function)
    print(f"{records}: {len(lines)} lines, {values} values")
    assert values >= 400
    for differences in (one_by_one, bulk, by_function):
        assert not differences, (len(differences), differences[:10])


def instruments(line, rules):
    """The header's instrument, as the rules name it."""
    keys = {"hst": "INSTRUME", "jwst": "META.INSTRUMENT.NAME", "roman": "ROMAN.META.INSTRUMENT.NAME"}
    for key, value in reversed(line["header"].items()):
        if key.upper() == keys[rules.observatory]:
            name = str(value).strip().lower()
            yield {"wfii": "wfpc2"}.get(name, name)
