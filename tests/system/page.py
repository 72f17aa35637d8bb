"""The pages that people look at, in a real browser: an output of ten thousand datasets is made on disk, `caldp page`
writes its page, and `browser.py` clicks through it. The screenshots stay in target/page/."""

import json
import os
import random
import struct
import time
import zlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from progress import HERE, ROOT, Failed, Progress, logged, output, run, set_up

DATASETS = 10_000
# The most that a page of ten thousand datasets may have.
MAX_BYTES = 3_000_000
SCREENSHOTS = ROOT / "target/page"
FOLDERS = {"j": "acs", "i": "wfc3", "l": "cos", "o": "stis"}
STATES = {"submitted": 8, "processing": 4, "processed": 70, "error": 3, "syncing": 1, "synced": 10, "archived": 3.7, "terminated": 0.3}
HOSTILE = "calacs.e: ERROR </script><img src=x onerror=alert(1)><script>alert(2)</script> & \u202e \"{}\""
# A batch of two days that is nearly done.
NOW = int(time.time())
BEGAN = NOW - 172_800
# As many as the gallery shows at first.
PICTURES = 48
KINDS: list[tuple[dict[str, str], int | None]] = [
    ({"failed": "memory"}, 32), ({"failed": "timeout"}, None), ({"failed": "infrastructure"}, None), ({"failed": "refused"}, None),
    ({"failed": "capacity"}, None), ({"failed": "misconfiguration"}, None), *[({"failed": "other"}, code) for code in (1, 21, 22, 23, 24, 139)]]


def look_at_pages(progress: Progress, caldp: Path) -> None:
    """Writes the pages and looks at them."""
    if not set_up("browser"):
        raise Failed("the browser cannot be installed")
    progress.step("an output of ten thousand datasets")
    results = progress.scratch / "spring"
    expected = make_output(results, DATASETS)
    progress.step("write its page")
    page = Path(output(caldp, "page", f"file:{results}"))
    size = page.stat().st_size
    progress.say(f"the page of {DATASETS} datasets has {size} bytes")
    if size > MAX_BYTES:
        raise Failed(f"the page has more than {MAX_BYTES} bytes")
    with_directory = progress.scratch / "web"
    if run(caldp, "page", f"file:{results}", "--to", with_directory).returncode or not (with_directory / "spring/index.html").is_file():
        raise Failed("caldp page --to")
    progress.step("look at it")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    asked = progress.scratch / "expected.json"
    asked.write_text(json.dumps(expected))
    log = progress.log("browser")
    logged("the page in a browser", log, ROOT / ".venv/browser/bin/python", "-B", HERE / "browser.py", page, asked, SCREENSHOTS)
    for line in log.read_text().splitlines():
        progress.say(line)


def make_output(results: Path, datasets: int) -> dict[str, Any]:
    """An output as the trigger and the worker leave it, and what is to be seen of it."""
    chance = random.Random(4)
    states: Counter[str] = Counter()
    instruments: Counter[str] = Counter()
    failed: list[str] = []
    processed: list[str] = []
    for number in range(datasets):
        letter = chance.choice("jilo")
        name = f"{letter}8{chr(97 + number // 1000 % 26)}{number % 1000:03d}0{chr(97 + number // 26000)}0"
        state = chance.choices(list(STATES), list(STATES.values()))[0]
        states[state] += 1
        instruments[FOLDERS[letter]] += 1
        record, ended = make_record(chance, name, state, number / datasets)
        write(results / f"control/{name}/attempts.json", json.dumps(record).encode())
        message = results / f"messages/dataset-{state}/{name}"
        write(message, b"")
        os.utime(message, (ended, ended))
        if state == "error":
            failed.append(name)
        if state == "processed":
            processed.append(name)
    pictures = [picture(seed) for seed in range(PICTURES)]
    for number, name in enumerate(sorted(processed)):
        write(results / f"data/{FOLDERS[name[0]]}/{name}/previews/{name}_drz_thumb.png", pictures[number % PICTURES])
    return {"datasets": datasets, "states": states, "instruments": instruments, "failed": failed, "hostile": HOSTILE}


def make_record(chance: random.Random, name: str, state: str, share: float) -> tuple[dict[str, Any], int]:
    memory_bin = chance.choices([0, 1, 2, 3], [60, 30, 8, 2])[0]
    ran = int(chance.lognormvariate(5.5, 1.1)) + 10
    peak = int((1.75, 7, 14, 56)[memory_bin] * 2**20 * min(1.0, max(0.06, chance.gauss(0.5, 0.18))))
    ended = BEGAN + int(172_800 * share**0.9) - chance.randint(0, 900)
    if state in ("submitted", "processing"):
        ended = NOW - chance.randint(0, 300)
    attempt: dict[str, Any] = {
        "number": 1, "reason": "batch", "origin": "o", "rung": memory_bin, "timeout_seconds": ran * 6, "job_name": "n",
        "job_id": f"11111111-2222-3333-4444-{chance.getrandbits(40):012x}", "claimed_at": stamp(BEGAN)}
    if state not in ("submitted", "processing"):
        outcome: dict[str, Any] = {
            "result": "succeeded", "exit_code": 0, "explanation": "delivered", "ran_seconds": ran, "at": stamp(ended),
            "log_stream": f"caldp-{(2, 8, 16, 64)[memory_bin]}/default/{chance.getrandbits(128):032x}",
            "measured": {"peak_kib": peak, "files": 8, "products": [f"{name}_drz.fits"]}}
        if state == "processed":
            outcome["measured"]["thumbnail"] = f"previews/{name}_drz_thumb.png"
        if state in ("error", "terminated"):
            result, code = chance.choice(KINDS) if state == "error" else ({"failed": "terminated"}, None)
            outcome |= {"result": result, "exit_code": code, "explanation": HOSTILE.replace("{}", name)}
        attempt["outcome"] = outcome
    settings = {"layout": "tree", "why": "DARKFILE a_drk.fits -> b_drk.fits"}
    return {"dataset": name, "terminated": state == "terminated", "settings": settings, "attempts": [attempt]}, ended


def stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def picture(seed: int) -> bytes:
    """A star on a noisy sky, as PNG."""
    chance = random.Random(seed)
    size = 64
    x, y, width = chance.randint(16, 48), chance.randint(16, 48), chance.randint(4, 14)
    rows = b"".join(b"\0" + bytes(min(255, int(220 / (1 + ((i - x) ** 2 + (j - y) ** 2) / width**2)) + chance.randint(0, 25))
                                   for i in range(size)) for j in range(size))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
