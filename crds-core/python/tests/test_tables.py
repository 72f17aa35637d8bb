"""Many headers in any form give the same columns."""

from __future__ import annotations

import pytest
from conftest import ACS

import crds_core

HEADERS = [
    ACS,
    {**ACS, "DETECTOR": "HRC", "CCDGAIN": 2.0},
    {"INSTRUME": "WFC3", "DETECTOR": "IR", "DATE-OBS": "2012-01-01", "TIME-OBS": "00:00:00"},
    {"DETECTOR": "WFC"},
]


@pytest.fixture
def rules():
    return crds_core.Context("hst_9001.pmap")


@pytest.fixture
def expected(rules):
    return rules.bestrefs(HEADERS)


def test_each_header_has_its_own_answers(rules, expected):
    for number, header in enumerate(HEADERS[:3]):
        alone = crds_core.getrecommendations(header, observatory="hst")
        assert expected.row(number) == alone
        assert rules.bestrefs(header).row(0) == alone
    assert list(expected.errors) == [3] and "INSTRUME" in expected.errors[3]
    with pytest.raises(KeyError, match="INSTRUME"):
        expected.row(3)
    assert all(len(column) == 4 for column in expected.values())
    assert expected["nlinfile"][0] is None and expected["nlinfile"][2].endswith(".fits")


def test_types_are_chosen(rules):
    answers = rules.bestrefs(HEADERS[:1], ["CCDTAB", "ccdtab", "nothing"])
    assert list(answers) == ["ccdtab", "nothing"]
    assert answers["nothing"][0].startswith("NOT FOUND")
    assert rules.bestrefs([]) == {} and rules.bestrefs(iter(())) == {}


def columns():
    keys = dict.fromkeys(key for header in HEADERS for key in header)
    return {key: [header.get(key) for header in HEADERS] for key in [*keys, "NOTE"]}


def test_a_dict_of_columns(rules, expected):
    assert rules.bestrefs(columns()) == expected
    with pytest.raises(ValueError, match="TIME-OBS"):
        rules.bestrefs({**columns(), "TIME-OBS": ["00:00:00"]})


def test_a_generator(rules, expected):
    assert rules.bestrefs(header for header in HEADERS) == expected


def test_pandas(rules, expected):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(HEADERS)
    answers = rules.bestrefs(frame)
    assert answers == expected and answers.errors == expected.errors
    assert rules.bestrefs(frame.astype({"DETECTOR": "category"}).convert_dtypes()) == expected
    assert list(pandas.DataFrame(answers).columns) == list(expected)


def test_arrow(rules, expected):
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table(columns())
    assert rules.bestrefs(table) == expected
    assert rules.bestrefs(table.to_batches()[0]) == expected
    assert pyarrow.table(rules.bestrefs(table)).num_rows == 4

    class Stream:
        """What another library gives that speaks Arrow."""

        def __arrow_c_stream__(self, requested_schema=None):
            return table.__arrow_c_stream__(requested_schema)

    assert rules.bestrefs(Stream()) == expected


def test_astropy(rules, expected):
    tables = pytest.importorskip("astropy.table")
    table = tables.Table(HEADERS[:3])
    answers = rules.bestrefs(table)
    assert [answers.row(number) for number in range(3)] == [expected.row(number) for number in range(3)]
    assert len(tables.Table(answers)) == 3


def test_what_crds_has_withdrawn_is_told(manifest):
    rules = crds_core.Context("hst_9002.pmap")
    answers = rules.bestrefs([ACS, {**ACS, "DATE-OBS": "2020-01-01"}], ["darkfile", "ccdtab"])
    assert answers.withdrawn == {1: manifest["bad_files"]}
    assert answers["darkfile"][1] in manifest["bad_files"]


def test_more_headers_than_a_block(rules):
    answers = rules.bestrefs([ACS] * 10_000 + [{}], ["ccdtab"])
    assert answers["ccdtab"] == ["zz900001j_ccd.fits"] * 10_000 + [None]
    assert list(answers.errors) == [10_000]


def test_columns_are_fetched(rules, cache):
    answers = rules.bestrefs(HEADERS, ["ccdtab", "pctetab"])
    paths = rules.fetch(name for column in answers.values() for name in column)
    assert sorted(paths) == sorted(set(answers["ccdtab"]) - {None})
    assert all(path.startswith(str(cache)) for path in paths.values())


def test_a_context_says_what_it_is(rules):
    assert repr(rules) == "Context('hst_9001.pmap')"
    assert (rules.name, rules.observatory) == ("hst_9001.pmap", "hst")
    assert rules.instruments == ["acs", "cos", "stis", "wfc3"]
    assert "darkfile" in rules.reference_types("ACS") and rules.reference_types("fos") is None
    assert "DETECTOR" in rules.needed_keys("acs")
    assert "hst_9001.pmap" in rules.mappings() and "zz900001j_ccd.fits" in rules.references()
    assert crds_core.Context().name == "hst_9001.pmap"
    assert crds_core.Context("hst-edit").name == "hst_9002.pmap"


def test_values_are_what_they_are_in_python(rules):
    numpy = pytest.importorskip("numpy")
    values = [2, 2.0, "2", " 2.0 ", numpy.int64(2), numpy.float64(2)]
    answers = rules.bestrefs([{**ACS, "CCDGAIN": value} for value in values])
    assert all(answers.row(number) == answers.row(0) for number in range(len(values)))
    with pytest.raises(TypeError):
        rules.bestrefs([{1: "x"}])
    with pytest.raises(TypeError):
        rules.bestrefs([3])
