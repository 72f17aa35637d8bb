"""Calibrated images as the stand-ins for calacs.e and calwf3.e leave them: nothing is corrected, but
they are what drizzlepac takes for one of theirs: the image without overscan as floats above its
median, an error, a quality, and the keywords that the real programs add."""

import array
import statistics

import fits

# What the real programs find in reference files and write into headers.
GAIN_AND_NOISE = [(f"{name}{amplifier}", value) for name, value in (("ATODGN", 2.0), ("READNSE", 5.0)) for amplifier in "ABCD"]


def science(path):
    """The cards of the first science image and its rows as numbers."""
    header, cards, offset, size = next(unit for unit in fits.hdus(path) if unit[0].get("EXTNAME") == "SCI")
    with open(path, "rb") as file:
        file.seek(offset)
        pixels = array.array("h", file.read(size))
    pixels.byteswap()
    zero, width = float(header.get("BZERO", 0)), header["NAXIS1"]
    rows = [[pixel + zero for pixel in pixels[start : start + width]] for start in range(0, len(pixels), width)]
    return header, cards, rows


def trimmed(header, cards, rows):
    """Without overscan: on the left where the detector's first column is not the image's; infrared
    images have reference pixels on every side."""
    left, below = (int(float(header.get(key, 0))) for key in ("LTV1", "LTV2"))
    right, above = (left, below) if below else (0, 0)
    rows = [row[left : len(row) - right] for row in rows[below : len(rows) - above]]
    moved = [("LTV1", 0.0), ("LTV2", 0.0)]
    moved += [(key, float(header[key]) - by) for key, by in (("CRPIX1", left), ("CRPIX2", below)) if key in header]
    return fits.with_cards(cards, moved), rows


def calibrated(raw, product):
    """Writes the calibrated image of a raw file."""
    header, cards, rows = science(raw)
    cards, rows = trimmed(header, cards, rows)
    median = statistics.median(pixel for row in rows for pixel in row)
    values = array.array("f", (pixel - median for row in rows for pixel in row))
    errors = array.array("f", ((abs(value) + 25.0) ** 0.5 for value in values))
    size = (len(rows[0]), len(rows))
    # Of the raw image, which is of integers above zero.
    cards = [card for card in cards if card[:8].rstrip() not in (b"BSCALE", b"BZERO")]
    planes = [("SCI", values), ("ERR", errors), ("DQ", array.array("h", bytes(2 * len(values))))]
    if header.get("DETECTOR", fits.primary(raw).get("DETECTOR")) == "IR":
        planes += [("SAMP", array.array("h", [1] * len(values))), ("TIME", array.array("f", [1.0] * len(values)))]
    first = fits.with_cards(fits.hdus(raw)[0][1], [("NEXTEND", len(planes)), ("FILENAME", product), *GAIN_AND_NOISE])
    with open(product, "wb") as file:
        file.write(fits.header_of(first))
        for name, plane in planes:
            added = [("EXTNAME", name), ("EXTVER", 1), ("BUNIT", "ELECTRONS"), ("NGOODPIX", len(plane)), ("MEANDARK", 0.0)]
            fits.write_plane(file, fits.with_cards(cards, added), size, plane)
