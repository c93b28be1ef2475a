"""List what the image is made of, as CycloneDX 1.5 JSON on standard output.

Runs at the end of the build, in the image itself: Debian packages are what dpkg says is installed, Python
packages what the virtual environment's metadata says. The same image gives the same text.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import uuid
from importlib import metadata
from typing import Any
from urllib.parse import quote

_VENV_PACKAGES = "/usr/lib/one/venv/lib/python{0.major}.{0.minor}/site-packages"
_FIELDS = "${db:Status-Status}\\t${Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\n"


def debian_packages() -> list[dict[str, Any]]:
    """One component per installed Debian package."""
    query = ["dpkg-query", "-W", "-f", _FIELDS]
    listed = subprocess.run(query, text=True, capture_output=True, check=True).stdout
    rows = [line.split("\t") for line in listed.splitlines()]
    return [_debian(*row[1:]) for row in rows if row[0] == "installed"]


def _debian(name: str, version: str, architecture: str, source: str) -> dict[str, Any]:
    place = f"{quote(name)}@{quote(version, safe='')}"
    purl = f"pkg:deb/debian/{place}?arch={architecture}&distro=debian-{_release()}"
    properties = [{"name": "debian:source", "value": source}]
    return {
        "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
        "properties": properties,
    }  # fmt: skip


def _release() -> str:
    with open("/etc/os-release", encoding="utf-8") as opened:
        values = dict(line.rstrip().split("=", 1) for line in opened if "=" in line)
    return values.get("VERSION_ID", "").strip('"')


def python_packages(folder: str) -> list[dict[str, Any]]:
    """One component per distribution in a site-packages folder."""
    return [_python(found) for found in metadata.distributions(path=[folder])]


def _python(found: metadata.Distribution) -> dict[str, Any]:
    name = found.metadata["Name"].lower().replace("_", "-")
    purl = f"pkg:pypi/{quote(name)}@{quote(found.version, safe='')}"
    component = {"type": "library", "bom-ref": purl, "name": name, "version": found.version, "purl": purl}
    licences = found.metadata.get_all("License-Expression") or []
    return component | ({"licenses": [{"expression": licences[0]}]} if licences else {})


def document(version: str, components: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole bill of materials."""
    components = sorted(components, key=lambda component: str(component["purl"]))
    content = json.dumps([version, components], sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        # Of the content, so that only another image has another number.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}",
        "version": 1,
        "metadata": {
            "component": {"type": "container", "bom-ref": "onebox", "name": "onebox", "version": version}
        },
        "components": components,
    }


def main() -> int:
    """Print it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", required=True, help="version of the image")
    options = parser.parse_args()
    components = debian_packages() + python_packages(_VENV_PACKAGES.format(sys.version_info))
    # Two programs are taken out of this package without installing it; the -core package has its version.
    core = next((part for part in components if part["name"] == "mariadb-client-core"), None)
    if core is not None:
        architecture = core["purl"].partition("arch=")[2].partition("&")[0]
        components.append(_debian("mariadb-client", core["version"], architecture, "mariadb"))
    json.dump(document(options.version, components), sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
