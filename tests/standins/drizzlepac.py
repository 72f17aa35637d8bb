"""Stand-in for drizzlepac's runastrodriz, runsinglehap and runmultihap: `drizzlepac.py <program>
<arguments>`.

It drizzles nothing: its products are copies of what is to be combined. It ends as the real
programs were observed to end, and names its products as they do.
"""

import os
import shutil
import sys

import fits


def copy_first(images, product):
    shutil.copyfile(images[0], product)
    print(f"drizzled {' '.join(images)} into {product}", flush=True)


def drizzle(arguments):
    """runastrodriz: without its input it ends well and does nothing."""
    name = arguments[-1]
    if not os.path.isfile(name):
        print(f"Input {name} not found, nothing was done", flush=True)
        return 0
    rows = fits.members(name) if name.endswith("_asn.fits") else []
    roots = [row[0] for row in rows if row[1].startswith("EXP")] or [name.split("_")[0]]
    product = next((row[0] for row in rows if row[1].startswith("PROD")), roots[0])
    if not all(os.path.isfile(f"{root}_raw.fits") for root in roots):
        print("FileNotFoundError: a member of the association is not there", file=sys.stderr)
        return 1
    headers = [fits.primary(f"{root}_raw.fits") for root in roots]
    if not all(header.get("DRIZCORR") == "PERFORM" for header in headers):
        print("DRIZCORR is not PERFORM", flush=True)
        return 0
    for header in headers:
        for keyword in ("IDCTAB", "MDRIZTAB"):
            variable, _, table = str(header.get(keyword, "")).partition("$")
            if table and not os.path.isfile(os.environ.get(variable, f"{variable}$") + table):
                print(f"OSError: {keyword} {table} cannot be opened", file=sys.stderr)
                return 1
    images = [f"{root}_flt.fits" for root in roots]
    if not all(os.path.isfile(image) for image in images):
        print(f"No calibrated images for {name}", file=sys.stderr)
        return 1
    for root in roots:
        shutil.copyfile(f"{root}_flt.fits", f"{root}_flt_hlet.fits")
    copy_first(images, f"{product}_drz.fits")
    return 0


def mosaic(program, arguments):
    """runsinglehap and runmultihap: one image for each filter, and a manifest that lists them."""
    poller = arguments[-1]
    dataset = poller.removesuffix("_input.out")
    with open(poller, encoding="utf-8") as lines:
        rows = [line.strip().split(",") for line in lines if line.strip()]
    rows = [row for row in rows if os.path.isfile(row[0])]
    if not rows:
        print("No viable images to process", flush=True)
        return 65
    if program == "runsinglehap":
        instrument, proposal, visit = dataset.split("_")
        part = f"{'j' if instrument == 'acs' else 'i'}{proposal}{visit}"
        start = f"hst_9774_{visit}_{instrument}_wfc"
    else:
        start, part = f"hst_{dataset}_acs_wfc", "all"
    filters = {}
    for row in rows:
        filters.setdefault(row[5].split(";")[0].lower() if len(row) > 5 else "total", []).append(row[0])
    products = []
    for name, images in sorted(filters.items()):
        product = f"{start}_{name}_{part}_drc.fits"
        copy_first(images, product)
        products.append(product)
    with open(f"{dataset}_manifest.txt", "w", encoding="ascii") as manifest:
        manifest.write("".join(f"{product}\n" for product in products))
    with open("astrodrizzle.log", "w", encoding="ascii") as log:
        log.write(f"{program} {poller}\n")
    return 0


if __name__ == "__main__":
    name = sys.argv[1]
    sys.exit(drizzle(sys.argv[2:]) if name == "runastrodriz" else mosaic(name, sys.argv[2:]))
