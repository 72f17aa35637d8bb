"""Looks at pictures: `pictures.py <file>...` fails when one of them cannot be read or shows nothing.

A picture shows something when it has many tones, the darkest and the brightest far apart: one that is all black, or white
with a frame around nothing, does not.
"""

import sys
from pathlib import Path

from PIL import Image

TONES = 16
RANGE = 64


def fault(path: Path) -> str | None:
    try:
        with Image.open(path) as picture:
            histogram = picture.convert("L").histogram()
            size = max(picture.size)
    except OSError as error:
        return str(error)
    used = [tone for tone, count in enumerate(histogram) if count]
    if path.stem.endswith("_thumb") and size != 128:
        return f"its longer side has {size} pixels"
    if len(used) < TONES or used[-1] - used[0] < RANGE:
        return f"it has {len(used)} tones from {used[0]} to {used[-1]}"
    return None


def main() -> int:
    faults = [(path, problem) for path in map(Path, sys.argv[1:]) if (problem := fault(path))]
    for path, problem in faults:
        print(f"{path.name}: {problem}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
