"""A storm over a front-end: what was done and killed, how long coming to rest took, and what was found."""

from __future__ import annotations

import argparse

from tests.support.chaos import storm
from tests.support.frontend import Frontend
from tests.support.mariadb import MariaDb


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    group = parser.add_argument_group("chaos")
    group.add_argument("--seconds", type=float, default=120.0, help="how long a storm lasts (default: 120)")
    group.add_argument("--seed", type=int, default=1, help="what the first storm's choices follow from")
    group.add_argument("--runs", type=int, default=1, help="storms, each with the next seed (default: 1)")
    group.add_argument("--vms", type=int, default=200, help="VMs that live at a time, about (default: 200)")


def run(
    frontend: Frontend, server: MariaDb | None, seed: int, options: argparse.Namespace
) -> dict[str, object]:
    """One storm over a front-end that has not been started; its ``findings`` are empty when all is well."""
    return storm.run(frontend, server, seed=seed, seconds=options.seconds, vms=options.vms).as_dict()
