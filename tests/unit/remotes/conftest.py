"""Driver actions import their shared modules from remotes/lib, beside them; so do these tests."""

from __future__ import annotations

import sys
from pathlib import Path

LIB = Path(__file__).resolve().parents[3] / "services/remotes/lib"
sys.path.insert(0, str(LIB))
