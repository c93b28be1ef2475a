"""``python -m bootstrap.secret_files FOLDER``: passwords for containers that run one service each.

Run once before the services, by the first container of a compose project. It checks the parameters of every
service at once, then writes FOLDER/SERVICE/NAME for each password that a service needs: the one given, else
that of last time, else a random one. Each folder is a volume of its own, so that none sees others'.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from bootstrap import files, params

# Settled here; other secrets are given by who has them, or not at all.
_MADE_UP = ("MYSQL_PASSWORD", "MYSQL_ROOT_PASSWORD", "ONEADMIN_PASSWORD")
_ALONE = tuple(service for service in params.SERVICES if service not in ("all", "none"))


def check(environ: Mapping[str, str]) -> dict[str, str]:
    """The passwords that were given, by name. Raises ParameterFaults with what is wrong for any service."""
    faults: list[str] = []
    given: dict[str, str] = {}
    for service in _ALONE:
        try:
            settings = params.read(_for_service(environ, service))
        except params.ParameterFaults as found:
            faults += [fault for fault in found.faults if fault not in faults]
            continue
        given |= {name: settings[name] for name in _MADE_UP if _is_given(environ, name)}
    if faults:
        raise params.ParameterFaults(faults)
    return given


def _is_given(environ: Mapping[str, str], name: str) -> bool:
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def _for_service(environ: Mapping[str, str], service: str) -> dict[str, str]:
    """The environment as that service's container will have it."""
    placeholders = {name: "made-up-later" for name in _MADE_UP if not _is_given(environ, name)}
    other = {name for name in environ if name.removesuffix("_FILE") == "OPENNEBULA_FRONTEND_SERVICE"}
    kept = {name: value for name, value in environ.items() if name not in other}
    return kept | placeholders | {"OPENNEBULA_SERVICE": service}


def settle(folder: Path, given: Mapping[str, str]) -> list[str]:
    """Write the files; a line for each password, which says where it came from and never what it is."""
    said = []
    for name in _MADE_UP:
        services = [service for service in _ALONE if service in params.BY_NAME[name].services]
        places = [folder / service / name.lower() for service in services]
        kept = next((text for place in places if (text := _content(place))), "")
        password = given.get(name) or kept or secrets.token_urlsafe(24)
        for place in places:
            files.folder(place.parent, 0o700)
            files.write(place, password, 0o600)
        origin = "given" if given.get(name) else "kept" if kept else "made up"
        said.append(f"{name}: {origin}, for {' and '.join(services)}")
    return said


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def main() -> int:
    """Check and write; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bootstrap.secret_files", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the folder of each service is")
    options = parser.parse_args()
    try:
        said = settle(options.folder, check(os.environ))
    except params.ParameterFaults as found:
        print("\n".join(f"secrets: failed: {fault}" for fault in found.faults), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"secrets: failed: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    print("\n".join(f"secrets: {line}" for line in said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
