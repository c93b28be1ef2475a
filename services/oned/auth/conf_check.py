"""What oned.conf may not say about authentication and rights; looked at before the API starts."""

from __future__ import annotations

from services.oned.auth import operations
from services.oned.config import OnedConf
from services.oned.errors import RequestError


def problems(conf: OnedConf) -> list[str]:
    """Each setting that cannot be used, with the reason; empty when all can."""
    found = []
    try:
        operations.check(conf.settings)
    except RequestError as error:
        found.append(f"VM_*_OPERATIONS: {error.message}")
    # Going on without it would allow what it is there to refuse.
    if (conf.settings.get_vector("AUTH_MAD") or {}).get("AUTHZ", "").strip():
        found.append("AUTH_MAD/AUTHZ: external authorization is not available in this version, remove AUTHZ")
    for section in conf.settings.vectors("AUTH_MAD_CONF"):
        text = section.get("MAX_TOKEN_TIME", "-1").strip()
        if not text.lstrip("-").isdigit() or int(text) < -1:
            name = section.get("NAME", "")
            found.append(
                f"AUTH_MAD_CONF {name}: MAX_TOKEN_TIME must be -1, 0 or seconds, found {text[:20]!r}"
            )
    return found
