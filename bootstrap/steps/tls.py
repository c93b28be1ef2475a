"""Steps for TLS: the certificate, and the proxy in front of the APIs."""

from __future__ import annotations

from bootstrap import files, fronts, given, places, tls
from bootstrap.context import Context, StepError

_LOCK_TIMEOUT_S = 120.0
CERTIFICATE = "cert.pem"
KEY = "cert.key"


def certificate(context: Context) -> None:
    """Install the operator's certificate; else keep what is there, else make a self-signed one."""
    if context.settings["TLS_PROXY_ENABLED"] == "no":
        context.say("not needed, TLS_PROXY_ENABLED=no")
        return
    try:
        own = given.tls_pair(context.settings)
    except given.GivenError as error:
        raise StepError(str(error)) from None
    user = context.owner("stunnel")
    readers = files.Owner(0, user.gid) if user else None
    folder = places.tls()
    files.folder(folder, 0o750, readers)
    with files.locked(folder, _LOCK_TIMEOUT_S):
        pair, said = (own, "your own certificate") if own else _kept_or_made(context)
        # The key first: a proxy that starts between the two would refuse the pair, and be started again.
        changed = files.write(folder / KEY, pair.key, 0o640, readers)
        changed |= files.write(folder / CERTIFICATE, pair.certificate, 0o640, readers)
    names = ", ".join(pair.names) or "no names"
    context.say(
        f"{folder / CERTIFICATE}: {said}, for {names}, until {pair.expires:%Y-%m-%d}"
        f"{'' if changed else ', unchanged'}"
    )
    if pair.days_left() < tls.SOON_DAYS and not pair.is_self_made:
        context.say(f"warning: the certificate expires in {pair.days_left():.0f} days")


def _kept_or_made(context: Context) -> tuple[tls.Pair, str]:
    names, days = _names(context), int(context.settings["TLS_VALID_DAYS"])
    try:
        present = tls.check(
            files.read(places.tls() / CERTIFICATE).encode(), files.read(places.tls() / KEY).encode()
        )
    except FileNotFoundError:
        return tls.self_signed(names, days), "self-signed, made now"
    except (OSError, ValueError) as error:
        reason = error if isinstance(error, tls.TlsError) else "it cannot be read"
        return tls.self_signed(names, days), f"self-signed, made anew ({reason})"
    if not present.is_self_made:
        return present, "the certificate that was given before"
    if list(present.names) != names:
        return tls.self_signed(names, days), "self-signed, made anew for other names"
    if present.days_left() < min(tls.SOON_DAYS, days / 2) or present.days_left() > days:
        return tls.self_signed(names, days), "self-signed, made anew for another time"
    return present, "self-signed"


def _names(context: Context) -> list[str]:
    """What the certificate is for. By default also the names that are known, which clients can check."""
    listed = context.settings["TLS_DOMAIN_LIST"].split()
    known = (
        []
        if "TLS_DOMAIN_LIST" in context.settings.given
        else [context.settings["OPENNEBULA_HOST"], "localhost"]
    )
    return list(dict.fromkeys([*listed, *known]))


def proxy(context: Context) -> None:
    """Write the proxy's configuration for the services that run here."""
    if context.settings["TLS_PROXY_ENABLED"] == "no":
        context.say("off, TLS_PROXY_ENABLED=no")
        return
    wanted = fronts.wanted([program.name for program in context.programs])
    text = fronts.stunnel_conf(wanted, places.tls() / CERTIFICATE, places.tls() / KEY)
    files.write(places.stunnel_conf(), text, 0o644, context.owner("root"))
    context.say(", ".join(f"{front.name}: {front.port} for {front.backend_port}" for front in wanted))
