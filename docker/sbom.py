"""What is in this image, as a CycloneDX document on standard output.

Runs inside the image (`caldp-image-sbom` does that): the argument is the image's name. Reads what the
package managers left behind: Debian's or RPM's database, Python's and conda's metadata, and the list of
crates that the worker was built from. The same image gives the same document.
"""

import importlib.metadata
import json
import pathlib
import subprocess
import sys
from urllib.parse import quote

CRATES = pathlib.Path("/usr/local/share/caldp/crates")
PYTHON = sorted(pathlib.Path("/").glob("opt/calibration/lib/python3*/site-packages"))
CONDA = sorted(pathlib.Path("/").glob("opt/**/conda-meta"))


def component(kind, name, version, purl):
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}


def lines(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    except FileNotFoundError:
        return []


def system_packages():
    for line in lines("dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\n"):
        name, version, arch = line.split("\t")
        yield component("library", name, version, f"pkg:deb/debian/{name}@{quote(version)}?arch={arch}")
    for line in lines("rpm", "-qa", "--queryformat", "%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\n"):
        name, version, arch = line.split("\t")
        yield component("library", name, version, f"pkg:rpm/{name}@{quote(version)}?arch={arch}")


def python_packages():
    for package in importlib.metadata.distributions(path=[str(p) for p in PYTHON]):
        name, version = package.metadata["Name"], package.version
        found = component("library", name, version, f"pkg:pypi/{quote(name.lower())}@{quote(version)}")
        licence = package.metadata.get("License-Expression")
        if licence:
            found["licenses"] = [{"expression": licence}]
        yield found


def conda_packages():
    for folder in CONDA:
        for record in sorted(folder.glob("*.json")):
            package = json.loads(record.read_text())
            name, version, build = package["name"], package["version"], package["build"]
            found = component("library", name, version, f"pkg:conda/{name}@{quote(version)}?build={quote(build)}")
            if "sha256" in package:
                found["hashes"] = [{"alg": "SHA-256", "content": package["sha256"]}]
            yield found


def crates():
    if CRATES.exists():
        for line in CRATES.read_text().splitlines():
            name, version = line.split()
            yield component("library", name, version, f"pkg:cargo/{name}@{version}")


def main():
    found = {c["bom-ref"]: c for part in (system_packages, python_packages, conda_packages, crates) for c in part()}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": sys.argv[1] if len(sys.argv) > 1 else "caldp"}},
        "components": [found[ref] for ref in sorted(found)],
    }
    json.dump(document, sys.stdout, indent=1)
    print()


main()
