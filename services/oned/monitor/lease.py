"""The lease of the monitor program: of several, one receives and acts."""

from __future__ import annotations

LEASE = "monitord"
LEASE_TTL_S = 10.0
