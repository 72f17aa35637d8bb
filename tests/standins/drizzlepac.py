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
    found = [[name for name in (f"{root}_flt.fits", f"{root}_raw.fits") if os.path.isfile(name)] for root in roots]
    if not all(found):
        print("FileNotFoundError: a member of the association is not there", file=sys.stderr)
        return 1
    headers = [fits.primary(names[0]) for names in found]
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


def read_poller(poller):
    """The rows of the exposures that are there: file, instrument, detector, filter. A row is the file
    alone, or fields of which the sixth and seventh are filters and detector."""
    rows = []
    with open(poller, encoding="utf-8") as lines:
        for line in filter(None, map(str.strip, lines)):
            fields = line.split(",")
            exposure = fields[0].split("_")[-2]
            instrument = {"j": "acs", "i": "wfc3"}[exposure[0]]
            filters = fields[5].lower().split(";") if len(fields) > 6 else ["f606w"]
            used = next((name for name in filters if not name.startswith("clear")), filters[0])
            detector = fields[6].lower() if len(fields) > 6 else "wfc"
            if os.path.isfile(fields[0]):
                rows.append((fields[0], instrument, detector, used))
    return rows


def mosaic(program, arguments):
    """runsinglehap and runmultihap: one image for each filter and for single visits one of all, a
    catalogue of each and a trailer, and a manifest that lists everything; beside them what is no
    product."""
    poller = arguments[-1]
    dataset = poller.removesuffix("_input.out")
    rows = read_poller(poller)
    if not rows:
        print("No viable images to process", flush=True)
        return 65
    _, instrument, detector, _ = rows[0]
    if program == "runsinglehap":
        _, proposal, visit = dataset.split("_")
        part = f"{'j' if instrument == 'acs' else 'i'}{proposal}{visit}"
        start = f"hst_9774_{visit}_{instrument}_{detector}"
    else:
        start, part = f"hst_{dataset}_{instrument}_{detector}", "all"
    filters = {}
    for name, _, _, used in rows:
        filters.setdefault(used, []).append(name)
    if program == "runsinglehap":
        filters["total"] = [row[0] for row in rows]
    products = []
    for used, images in sorted(filters.items()):
        product = f"{start}_{used}_{part}"
        copy_first(images, f"{product}_drc.fits")
        products += [f"{product}_drc.fits", f"{product}_trl.txt"]
        write(f"{product}_trl.txt", f"{program} {poller}\n")
        if program == "runsinglehap":
            products.append(f"{product}_point-cat.ecsv")
            write(f"{product}_point-cat.ecsv", "# %ECSV 1.0\nid\n1\n")
    write(f"{dataset}_manifest.txt", "".join(f"{product}\n" for product in products))
    write("astrodrizzle.log", f"{program} {poller}\n")
    write(f"{dataset}.log", "not a product\n")
    return 0


def write(name, text):
    with open(name, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    name = sys.argv[1]
    sys.exit(drizzle(sys.argv[2:]) if name == "runastrodriz" else mosaic(name, sys.argv[2:]))
