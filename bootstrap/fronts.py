"""TLS in front of the APIs: the table of ports, and stunnel's configuration made of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Front:
    """Clients reach ``backend_port`` of a program over TLS on ``port``."""

    name: str
    port: int
    backend_port: int
    program: str


# A front is opened in the containers in which its program runs. (The web interface ends TLS itself.)
FRONTS = (
    Front("oned", 2634, 2633, "opennebula"),
    Front("oneflow", 2475, 2474, "opennebula-flow"),
    Front("onegate", 5031, 5030, "opennebula-gate"),
)


def wanted(programs: Collection[str]) -> list[Front]:
    """The fronts of these programs."""
    return [front for front in FRONTS if front.program in programs]


def stunnel_conf(fronts: Collection[Front], certificate: Path, key: Path) -> str:
    """The configuration of stunnel; it stays in the foreground and writes warnings to standard error."""
    lines = [
        "; Written by bootstrap at every start; changes do not last.",
        "foreground = yes",
        "syslog = no",
        "debug = warning",
        "pid =",
        "sslVersionMin = TLSv1.2",
        "options = NO_RENEGOTIATION",
        "socket = l:TCP_NODELAY=1",
        "socket = r:TCP_NODELAY=1",
        # An answer that ends the connection must not wait for the client's goodbye.
        "TIMEOUTclose = 5",
    ]
    for front in fronts:
        lines += [
            "",
            f"[{front.name}]",
            f"accept = {front.port}",
            f"connect = 127.0.0.1:{front.backend_port}",
            f"cert = {certificate}",
            f"key = {key}",
        ]
    return "\n".join(lines) + "\n"
