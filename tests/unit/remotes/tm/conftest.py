"""Fixtures of the tests of transfer actions."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tm_rig import rig, sshd  # noqa: E402, F401
