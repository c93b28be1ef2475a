"""Kills in the middle of every operation on real nodes: ``findings`` are empty when every machine came back.

Not a measure of time: a proof too long for the test rings, which play a part of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from tests.support import containers
from tests.support.node import kills, nodes
from tests.support.node.cloud import NodeCloud
from tests.support.node.field import Field


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    group = parser.add_argument_group("kills")
    group.add_argument("--step", action="append", default=[], help="steps that begin so (default: all)")
    group.add_argument("--victim", action="append", default=[], choices=kills.VICTIMS, help="(default: all)")


def run(options: argparse.Namespace) -> dict[str, object]:
    """Each cell with the states that its VM rested in, and the findings. Needs Docker."""
    docker = containers.docker()
    if docker is None:
        raise SystemExit("bench: kills needs a Docker engine, and none answers")
    image = nodes.build(docker)
    started = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onebox-bench-")))
        guest = nodes.guest(docker, image, folder / "guest")
        net = stack.enter_context(nodes.network(docker))
        cloud = NodeCloud(folder / "fe")
        stack.callback(cloud.close)
        cloud.watch_closely()
        cloud.start()
        pair = [stack.enter_context(nodes.start(net, image, cloud.key, cloud.datastores)) for _ in range(2)]
        cloud.use_tm("ssh")
        field = Field(
            cloud,
            (pair[0], pair[1]),
            (cloud.add_host(pair[0]), cloud.add_host(pair[1])),
            cloud.guest_images(guest, nodes.data_disk(folder / "data.qcow2")),
            cloud.guest_network(net),
        )
        played = kills.play_all(field, options.step, options.victim, _say)
        found = cloud.run("onedb", "fsck", "--dry-run")
    findings = [f"{cell.step} / {cell.victim}: {cell.finding}" for cell in played if cell.finding]
    if found.returncode or "Total errors found: 0" not in found.stdout:
        findings.append(found.stdout + found.stderr)
    return {
        "seconds": round(time.monotonic() - started),
        "findings": findings,
        "cells": [asdict(cell) for cell in played],
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
