"""The functions of the Python client, on the bundled rules and references."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import crds_core
import pytest
from conftest import ACS, FIXTURES


def test_references_are_found_and_fetched(cache):
    names = crds_core.getrecommendations(ACS, ["ccdtab", "DARKFILE"], observatory="hst")
    assert names == {"ccdtab": "zz900001j_ccd.fits", "darkfile": "zz900006j_drk.fits"}
    assert not (cache / "references").exists()
    paths = crds_core.getreferences(ACS, ["ccdtab", "darkfile"], observatory="hst")
    assert list(paths) == ["ccdtab", "darkfile"]
    for name, path in paths.items():
        assert path.startswith(f"{cache}/references/hst/")
        published = FIXTURES / "crds/references/hst" / names[name]
        assert open(path, "rb").read() == published.read_bytes()
    # What is there is not fetched again, and with ignore_cache it is.
    os.utime(paths["ccdtab"], (0, 0))
    crds_core.getreferences(ACS, ["ccdtab"], observatory="hst")
    assert os.stat(paths["ccdtab"]).st_mtime == 0
    crds_core.getreferences(ACS, ["ccdtab"], observatory="hst", ignore_cache=True)
    assert os.stat(paths["ccdtab"]).st_mtime > 0


def test_all_types_without_any_named():
    answers = crds_core.getrecommendations(ACS, observatory="hst")
    assert answers["pctetab"] == "NOT FOUND n/a"
    assert len(answers) == 19
    assert crds_core.getrecommendations(ACS, reftypes=[], observatory="hst") == answers
    assert crds_core.getrecommendations(ACS, observatory="hst", fast=True) == answers


def test_uris_instead_of_files(settings, cache):
    settings.setenv("CRDS_S3_RETURN_URI", "1")
    answers = crds_core.getreferences(ACS, ["ccdtab"], observatory="hst")
    assert answers == {"ccdtab": str(FIXTURES / "crds/references/hst/zz900001j_ccd.fits")}
    assert not (cache / "references").exists()


def test_contexts_have_names(settings):
    assert crds_core.get_context_name("hst") == "hst_9001.pmap"
    assert crds_core.get_context_name("hst", "latest") == "hst_9001.pmap"
    assert crds_core.get_context_name("hst", "hst-edit") == "hst_9002.pmap"
    assert crds_core.get_context_name("hst", "hst-2026-02-01") == "hst_9000.pmap"
    assert crds_core.get_default_context() == "hst_9001.pmap"
    assert crds_core.get_default_context("hst", "edit") == "hst_9002.pmap"
    settings.setenv("CRDS_CONTEXT", "hst_9000.pmap")
    assert crds_core.get_context_name("hst") == "hst_9000.pmap"
    assert crds_core.get_context_name("hst", "latest") == "hst_9001.pmap"
    # Nobody tells the context of a build where there is no server: it is the latest.
    settings.setenv("CRDS_CONTEXT", "hst-build")
    assert crds_core.get_context_name("hst") == "hst_9001.pmap"
    with pytest.raises(crds_core.CrdsError, match="does not name a context"):
        crds_core.get_context_name("hst", "nonsense")


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"parameters": None}, TypeError, None),
        ({"parameters": [1]}, TypeError, None),
        ({"parameters": {1: "x"}}, AssertionError, "Non-string key 1"),
        ({"reftypes": "darkfile"}, AssertionError, "list or tuple"),
        ({"reftypes": [1]}, AssertionError, "must be a string"),
        ({"reftypes": ["nofile"]}, crds_core.CrdsLookupError, "Error determining best reference for 'nofile'"),
        ({"context": "nonsense"}, AssertionError, "does not name a context"),
        ({"context": "hst_0001.pmap"}, crds_core.CrdsError, "hst_0001.pmap"),
        ({"observatory": "keck"}, AssertionError, "none of hst, jwst, roman"),
        ({"parameters": {"DETECTOR": "WFC"}}, crds_core.CrdsError, "INSTRUME"),
        ({"parameters": {**ACS, "INSTRUME": "FOS"}}, crds_core.CrdsUnknownInstrumentError, "fos"),
        ({"parameters": {**ACS, "CCDAMP": "X"}, "reftypes": ["darkfile"]}, crds_core.CrdsLookupError, "CCDAMP"),
    ],
)
def test_what_goes_wrong_has_the_classes_of_the_python_client(arguments, error, text):
    with pytest.raises(error, match=text) as raised:
        crds_core.getreferences(**{"parameters": ACS, "reftypes": ["ccdtab"], "observatory": "hst", **arguments})
    assert "Traceback" not in str(raised.value)


def test_settings_that_cannot_be_used(settings):
    settings.setenv("CRDS_MODE", "nonsense")
    with pytest.raises(crds_core.CrdsConfigError, match="CRDS_MODE"):
        crds_core.getrecommendations(ACS, observatory="hst")


def test_withdrawn_references_are_refused_unless_allowed(settings, caplog, manifest):
    (bad,) = manifest["bad_files"]
    context = {"context": "hst_9002.pmap", "observatory": "hst"}
    header = {**ACS, "DATE-OBS": "2020-01-01"}
    assert crds_core.getrecommendations(header, ["darkfile"], fast=True, **context) == {"darkfile": bad}
    with pytest.raises(crds_core.CrdsBadReferenceError, match=bad):
        crds_core.getrecommendations(header, ["darkfile"], **context)
    settings.setenv("CRDS_ALLOW_BAD_REFERENCES", "1")
    for _ in range(2):
        assert crds_core.getrecommendations(header, ["darkfile"], **context) == {"darkfile": bad}
    said = [record.message for record in caplog.records if bad in record.message]
    assert len(said) == 1 and caplog.records[0].name == "CRDS"


def test_a_cache_that_may_not_be_written_to(settings):
    settings.setenv("CRDS_READONLY_CACHE", "1")
    with pytest.raises(crds_core.CrdsDownloadError, match="may not be written"):
        crds_core.getreferences(ACS, ["ccdtab"], observatory="hst")
    settings.delenv("CRDS_REFERENCE_URI")
    with pytest.raises(crds_core.CrdsNetworkError):
        crds_core.getreferences(ACS, ["ccdtab"], observatory="hst")


def test_one_name_is_one_name_and_not_its_letters(cache, caplog):
    assert crds_core.assign_bestrefs("nosuch.fits") == 1
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["nosuch.fits"]
    rules = crds_core.Context(Path("hst_9001.pmap"))
    found = rules.bestrefs(ACS, "darkfile")
    assert found == {"darkfile": ["zz900006j_drk.fits"]}
    assert list(rules.fetch("zz900001j_ccd.fits")) == ["zz900001j_ccd.fits"]
    assert "hst_9000.pmap" in crds_core.sync("hst_9000.pmap")


def test_a_state_that_does_not_exist_is_not_the_latest():
    assert crds_core.get_default_context("hst", "edit") == "hst_9002.pmap"
    assert crds_core.get_default_context("hst", "operational") == "hst_9001.pmap"
    with pytest.raises(AssertionError, match="none of latest, operational, edit, build"):
        crds_core.get_default_context("hst", "edited")


def test_headers_are_updated_as_the_python_client_left_them(raw, manifest, settings):
    astropy_fits = pytest.importorskip("astropy.io.fits")
    folder = raw("j8cb010b0")
    files = sorted(folder.glob("*_raw.fits"))
    assert crds_core.assign_bestrefs(files) == 0
    for path in files:
        header = astropy_fits.getheader(path)
        expected = manifest["datasets"]["j8cb010b0"]["bestrefs"][path.name]
        assert {key: header[key] for key in expected} == expected
        assert header["CRDS_CTX"] == "hst_9001.pmap"
    assert crds_core.assign_bestrefs(map(str, files), context="hst_9002.pmap", reftypes=["ccdtab"]) == 0
    assert astropy_fits.getheader(files[0])["CRDS_CTX"] == "hst_9002.pmap"


def test_references_are_fetched_with_the_update_and_errors_counted(raw, cache, tmp_path, caplog):
    (path,) = raw("j8cb02u4q").glob("*_raw.fits")
    assert crds_core.assign_bestrefs([path], sync_references=True) == 0
    assert len(list((cache / "references/hst").rglob("*.fits"))) >= 5
    other = tmp_path / "not.fits"
    other.write_text("nothing")
    caplog.clear()
    assert crds_core.assign_bestrefs([other, path]) == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    caplog.clear()
    assert crds_core.assign_bestrefs([other], verbosity=-3) == 1
    assert not caplog.records


def test_a_cache_is_filled_before_it_is_needed(cache, settings):
    paths = crds_core.sync(["hst_9001.pmap"], ["zz900001j_ccd.fits"])
    assert paths["zz900001j_ccd.fits"].startswith(str(cache))
    assert (cache / "mappings/hst/hst_9001.pmap").exists()
    assert sum(name.endswith("map") for name in paths) == len(list((cache / "mappings/hst").iterdir()))
    everything = crds_core.sync(["hst-latest"], fetch_references=True)
    assert len(everything) > 60
    assert all(os.path.exists(path) for path in everything.values())
    # From now on nothing else is needed.
    for name in ("CRDS_MAPPING_URI", "CRDS_REFERENCE_URI"):
        settings.delenv(name)
    assert crds_core.getreferences(ACS, ["darkfile"], observatory="hst")


def test_files_of_the_cache_are_located(cache):
    assert crds_core.locate_mapping("hst_9001.pmap") == f"{cache}/mappings/hst/hst_9001.pmap"
    assert crds_core.locate_file("./x.fits", "hst") == "./x.fits"
    located = crds_core.locate_file("zz900001j_ccd.fits", "hst")
    assert located.startswith(f"{cache}/references/hst/") and located.endswith("/zz900001j_ccd.fits")


def test_threads_may_ask_at_once():
    answers = []

    def ask():
        answers.append(json.dumps(crds_core.getreferences(ACS, ["ccdtab", "darkfile"], observatory="hst")))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8 and len(set(answers)) == 1


def test_a_process_that_forks_goes_on(cache):
    crds_core.getreferences(ACS, ["ccdtab"], observatory="hst")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            crds_core.getreferences(ACS, ["darkfile"], observatory="hst")
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert any((cache / "references/hst").rglob("*_drk.fits"))
