"""Stand-in for HSTCAL's calacs.e, calwf3.e and cs0.e: `hstcal.py <program> <arguments>`.

It calibrates nothing: its products are the raw data, for images in the form that drizzlepac works on.
What it does imitate is how the real programs end, as it was observed: their statuses, what they check
and in which order, what they leave behind. The switches and the association decide which products
there are.
"""

import os
import resource
import shutil
import signal
import sys
import time

import fits
import images

IMAGE_SWITCHES = "ATODCORR BIASCORR BLEVCORR CRCORR DARKCORR DQICORR FLATCORR NLINCORR ZSIGCORR UNITCORR".split()
STIS_SWITCHES = "DQICORR BLEVCORR BIASCORR DARKCORR FLATCORR".split()
# Longer reference paths overflow a buffer of the real programs.
LONGEST_REFERENCE = 243


def fail(status, message):
    print(f"ERROR:    {message}", flush=True)
    sys.exit(status)


def die(number):
    """Ends by a signal, as a program does that has gone wrong, without leaving a core."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def check_references(raw, status):
    """The references a raw header names: `jref$name` is the variable's value and the name, joined
    as they stand."""
    for keyword, value in fits.primary(raw).items():
        if not isinstance(value, str) or "$" not in value or not value.endswith(".fits"):
            continue
        variable, name = value.split("$", 1)
        path = os.environ.get(variable, f"{variable}$") + name
        if len(path) > LONGEST_REFERENCE:
            print("*** buffer overflow detected ***: terminated", flush=True)
            die(signal.SIGABRT)
        if not os.path.isfile(path):
            fail(status, f"{keyword} file `{value}' not found: {path}")


def performs(header, switches):
    return [switch for switch in switches if header.get(switch) == "PERFORM"]


def refuse_existing(names):
    for name in names:
        if os.path.exists(name):
            fail(2, f"Output file `{name}' already exists.")


def say(root, text):
    """The trailer file is what was said."""
    line = f"{text}\n"
    sys.stdout.buffer.write(line.encode("latin-1"))
    sys.stdout.flush()
    with open(f"{root}.tra", "ab") as trailer:
        trailer.write(line.encode("latin-1"))


def calibrate_images(program, arguments):
    """calacs.e and calwf3.e."""
    inputs = [argument for argument in arguments if not argument.startswith("-")]
    if len(inputs) != 1:
        fail(2, "Too many command line arguments" if inputs else "Syntax error: no input")
    (name,) = inputs
    if not os.path.isfile(name):
        fail(2, f"Could not open `{name}'.")
    associated = name.endswith("_asn.fits")
    rows = fits.members(name) if associated else []
    roots = [row[0] for row in rows if row[1].startswith("EXP")] or [name.split("_")[0]]
    products = [row[0] for row in rows if row[1].startswith("PROD")]
    for root in roots:
        if not os.path.isfile(f"{root}_raw.fits"):
            fail(2, f"Member {root} of the association is not there.")
    headers = {root: fits.primary(f"{root}_raw.fits") for root in roots}
    if not any(performs(header, IMAGE_SWITCHES) for header in headers.values()):
        print("No calibration switch was set to PERFORM.", flush=True)
        # With a single exposure there is nothing to do; with an association calacs.e fails.
        sys.exit(2 if associated and program == "calacs.e" else 0)
    combined = associated and all(performs(h, ["CRCORR"]) for h in headers.values())
    infrared = program == "calwf3.e" and all(h.get("DETECTOR") == "IR" for h in headers.values())
    refuse_existing([f"{root}_flt.fits" for root in roots])
    refuse_existing([f"{product}_crj.fits" for product in products if combined])

    for root in roots:
        say(root, f"{program} of {root}: P\xe9riode \xa9 \xff\xfe, not UTF-8")
        images.calibrated(f"{root}_raw.fits", f"{root}_blv_tmp.fits")
        check_references(f"{root}_raw.fits", 115 if program == "calwf3.e" else 2)
    time.sleep(float(os.environ.get("STANDIN_SECONDS", "0")))
    for product in products if combined else []:
        shutil.copyfile(f"{roots[0]}_blv_tmp.fits", f"{product}_crj_tmp.fits")
        say(product, f"{program} combines {' '.join(roots)} into {product}")
        os.rename(f"{product}_crj_tmp.fits", f"{product}_crj.fits")
    for root in roots:
        os.rename(f"{root}_blv_tmp.fits", f"{root}_flt.fits")
        if infrared:
            shutil.copyfile(f"{root}_raw.fits", f"{root}_ima.fits")
    if associated:
        say(name.split("_")[0], f"{program} completed for {name}")


def calibrate_stis(arguments):
    """cs0.e: with several inputs it reads the first and names its products after the last; there is
    no trailer file, what it prints is the record."""
    inputs = [argument for argument in arguments if not argument.startswith("-")]
    if not inputs:
        fail(2, "Syntax error: no input")
    name, last = inputs[0], inputs[-1]
    if not os.path.isfile(name):
        die(signal.SIGSEGV)
    header = fits.primary(name)
    wavecal = last.endswith("_wav.fits")
    root = last.removesuffix(".fits") if wavecal else last.removesuffix("_raw.fits")
    if not performs(header, STIS_SWITCHES):
        print("No calibration switch was set to PERFORM.", flush=True)
        return
    combined = bool(performs(header, ["CRCORR"])) and header["NEXTEND"] > 3
    products = [f"{root}_flt.fits"] + ([f"{root}_crj.fits"] if combined else [])
    spectrum = f"{root}_{'sx1' if combined else 'x1d'}.fits"
    extracted = not wavecal and bool(performs(header, ["X1DCORR"]))
    refuse_existing(products + ([spectrum] if extracted else []))
    sys.stdout.buffer.write(f"cs0.e of {name}: not UTF-8: \xff\xfe\n".encode("latin-1"))
    sys.stdout.flush()
    shutil.copyfile(name, f"{root}_blv_tmp.fits")
    check_references(name, 2)
    time.sleep(float(os.environ.get("STANDIN_SECONDS", "0")))
    for product in products:
        shutil.copyfile(f"{root}_blv_tmp.fits", product)
    os.remove(f"{root}_blv_tmp.fits")
    if extracted:
        echelle = str(header.get("OPT_ELEM", "")).startswith("E")
        fits.write_spectrum(spectrum, header, 24 if echelle else 1)


if __name__ == "__main__":
    if sys.argv[1] == "cs0.e":
        calibrate_stis(sys.argv[2:])
    else:
        calibrate_images(sys.argv[1], sys.argv[2:])
