"""Runs the command: python -m onecfg."""

from __future__ import annotations

import sys

from onecfg.cli import run

sys.exit(run(sys.argv[1:]))
