"""Just enough FITS for the stand-ins: headers and tables are read, images and tables are written."""

import struct

BLOCK = 2880


def _card(card):
    """Keyword and value of a card; strings lose their quotes and trailing spaces."""
    text = card.decode("latin-1")
    keyword = text[:8].rstrip()
    if text[8:10] != "= ":
        return keyword, None
    field = text[10:].strip()
    if field.startswith("'"):
        return keyword, field[1:].split("'")[0].rstrip()
    field = field.split("/")[0].strip()
    try:
        return keyword, int(field)
    except ValueError:
        return keyword, {"T": True, "F": False}.get(field, field)


def hdus(path):
    """Every header and data unit: a dictionary of keywords, the cards, where the data lie and how many bytes they are.
    What follows the last is passed over, as cfitsio does."""
    units = []
    with open(path, "rb") as file:
        file.seek(0, 2)
        end = file.tell()
        file.seek(0)
        while file.tell() < end:
            header, cards = {}, []
            while "END" not in header:
                block = file.read(BLOCK)
                if units and not cards and not block.startswith(b"XTENSION"):
                    return units
                if len(block) < BLOCK:
                    raise ValueError(f"{path}: a header breaks off")
                for start in range(0, BLOCK, 80):
                    card = block[start : start + 80]
                    keyword, value = _card(card)
                    header.setdefault(keyword, value)
                    if keyword == "END":
                        break
                    cards.append(card)
            axes = [header[f"NAXIS{n + 1}"] for n in range(header["NAXIS"])]
            size = abs(header["BITPIX"]) // 8 if axes else 0
            for axis in axes:
                size *= axis
            units.append((header, cards, file.tell(), size))
            file.seek(-(-size // BLOCK) * BLOCK, 1)
    return units


def primary(path):
    return hdus(path)[0][0]


def members(path):
    """The rows of an association table: name, type."""
    header, _, offset, _ = hdus(path)[1]
    widths = [int(header[f"TFORM{n + 1}"][:-1] or 1) for n in range(header["TFIELDS"])]
    rows = []
    with open(path, "rb") as file:
        file.seek(offset)
        for _ in range(header["NAXIS2"]):
            row = file.read(header["NAXIS1"]).decode("latin-1")
            name, kind = row[: widths[0]], row[widths[0] : widths[0] + widths[1]]
            rows.append((name.strip(" \0").lower(), kind.strip(" \0").upper()))
    return rows


def _written(keyword, value):
    """A card."""
    if isinstance(value, bool):
        field = f"{'T' if value else 'F':>20}"
    elif isinstance(value, (int, float)):
        field = f"{value!r:>20}"
    else:
        field = f"'{value:<8}'"
    return f"{keyword:<8}= {field}".ljust(80).encode("ascii")


def with_cards(cards, values):
    """The cards with other values of keywords; those that are not there come at the end."""
    cards = list(cards)
    places = {card[:8].rstrip().decode("latin-1"): place for place, card in enumerate(cards)}
    for keyword, value in values:
        card = _written(keyword, value)
        if keyword in places:
            cards[places[keyword]] = card
        else:
            cards.append(card)
    return cards


def header_of(cards):
    header = b"".join(cards) + b"END".ljust(80)
    return header.ljust(-(-len(header) // BLOCK) * BLOCK)


def _header(values):
    return header_of(with_cards([], values))


def write_plane(file, cards, size, pixels):
    """An image extension: cards of another one, and 16-bit integers or 32-bit floats."""
    bits = {"h": 16, "f": -32}[pixels.typecode]
    first = [("XTENSION", "IMAGE"), ("BITPIX", bits), ("NAXIS", 2), ("NAXIS1", size[0]), ("NAXIS2", size[1])]
    first += [("PCOUNT", 0), ("GCOUNT", 1)]
    ours = {keyword for keyword, _ in first}
    rest = [card for card in cards if card[:8].rstrip().decode("latin-1") not in ours]
    file.write(header_of(with_cards([], first) + rest))
    pixels = pixels[:]
    pixels.byteswap()
    data = pixels.tobytes()
    file.write(data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\0"))


def write_spectrum(path, header, orders, samples=1024):
    """A table of one row for each order as calstis has it: a slope with a line, well behaved."""
    columns = [("SPORDER", "I", 1), ("NELEM", "I", 1), ("WAVELENGTH", "D", samples)]
    columns += [(name, "E", samples) for name in ("GROSS", "BACKGROUND", "NET", "FLUX", "ERROR")]
    columns += [("DQ", "I", samples)]
    units = {"WAVELENGTH": "Angstroms", "FLUX": "erg/s/cm**2/Angstrom", "ERROR": "erg/s/cm**2/Angstrom"}
    rows = b""
    for order in range(orders):
        first = 5240.0 + 400.0 * order
        waves = [first + 450.0 * n / samples for n in range(samples)]
        flux = [1e-14 * (1.5 + (w - 5000) / 4000 - 0.8 / (1 + ((w - first - 200) / 8) ** 2)) for w in waves]
        rows += struct.pack(">hh", 60 + order, samples)
        rows += struct.pack(f">{samples}d", *waves)
        for scale in (1e15, 1e13, 1e15, 1.0, 0.05):
            rows += struct.pack(f">{samples}f", *(f * scale for f in flux))
        rows += struct.pack(f">{samples}h", *([0] * samples))
    sizes = {"I": 2, "D": 8, "E": 4}
    width = sum(sizes[form] * count for _, form, count in columns)
    cards = [("XTENSION", "BINTABLE"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", width)]
    cards += [("NAXIS2", orders), ("PCOUNT", 0), ("GCOUNT", 1), ("TFIELDS", len(columns))]
    for n, (name, form, count) in enumerate(columns, 1):
        cards += [(f"TTYPE{n}", name), (f"TFORM{n}", f"{count}{form}")]
        if name in units:
            cards += [(f"TUNIT{n}", units[name])]
    cards += [("EXTNAME", "SCI")]
    kept = ("TELESCOP", "INSTRUME", "ROOTNAME", "TARGNAME", "OPT_ELEM", "DETECTOR", "OBSTYPE")
    first = [("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True), ("NEXTEND", 1)]
    first += [(key, header[key]) for key in kept if header.get(key)]
    with open(path, "wb") as file:
        file.write(_header(first))
        file.write(_header(cards))
        file.write(rows.ljust(-(-len(rows) // BLOCK) * BLOCK, b"\0"))
