"""Calibrates an ACS, WFC3 or STIS dataset: its references are found, fetched, written into the headers, and used.

    python hst.py j8cb010b0_asn.fits

A script of cells (`# %%`), which Jupyter, VS Code and Spyder open as a notebook. The raw files are in the
current folder; ``CRDS_PATH`` is the cache, which ``CRDS_SERVER_URL=https://hst-crds.stsci.edu`` fills.
"""

# %% [markdown]
# # From raw files to calibrated ones
# The calibration programs read the names of references from the headers (`DARKFILE = 'jref$..._drk.fits'`)
# and look for them in the folder that the variable `jref` names. So: choose, fetch, write, set, run.

# %%
import os
import subprocess
import sys
from pathlib import Path

import crds_core

dataset = sys.argv[1]
files = sorted(Path().glob("*_raw.fits"))
print("rules:", crds_core.get_context_name("hst"))

# %% [markdown]
# ## Choose and fetch
# `assign_bestrefs` writes the names into the headers of the files; with `sync_references` it fetches what
# the cache does not have, many files at once. It gives the number of errors, which are logged.

# %%
errors = crds_core.assign_bestrefs(files, sync_references=True)
if errors:
    sys.exit(f"{errors} errors")

# %% [markdown]
# The same for a header at hand, without touching a file:


# %%
def primary_header(path):
    """The text and number cards of the primary header; `astropy.io.fits.getheader` does it for all."""
    header = {}
    with path.open("rb") as file:
        while (card := file.read(80).decode("ascii")) and not card.startswith("END "):
            if card[8:10] == "= ":
                value = card[10:]
                value = value.split("'")[1].rstrip() if "'" in value else value.split("/")[0].strip()
                header.setdefault(card[:8].rstrip(), value)
    return header


for path in files:
    paths = crds_core.getreferences(primary_header(path), ["darkfile", "crrejtab"], observatory="hst")
    for name, reference in paths.items():
        print(f"{path}: {name} {os.path.basename(reference)}")

# %% [markdown]
# ## Set `jref` and its like
# One variable for each instrument, with the slash at the end that the programs need.

# %%
folders = {"jref": "acs", "iref": "wfc3", "oref": "stis", "lref": "cos", "nref": "nicmos", "uref": "wfpc2"}
references = Path(crds_core.locate_file("zz900001j_ccd.fits", "hst"))
for variable, instrument in folders.items():
    # A cache sorts its references by instrument, or has all of them in one folder.
    folder = references.parent.with_name(instrument) if references.parent.name == "acs" else references.parent
    os.environ[variable] = f"{folder}/"

# %% [markdown]
# ## Calibrate

# %%
instrument = primary_header(files[0])["INSTRUME"]
program = {"ACS": "calacs.e", "WFC3": "calwf3.e", "STIS": "cs0.e"}[instrument]
subprocess.run([program, dataset], check=True)
print("calibrated:", *sorted(path.name for path in Path().glob("*_flt.fits")))
