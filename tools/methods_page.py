"""The page of API methods: each one of release 6.0 with its arguments, rights, JSON route and standing."""

from __future__ import annotations

from services.oned.api import resources
from services.oned.api.http import routes
from services.oned.api.http.front import PREFIX
from services.oned.api.registry import KINDS, METHODS, REQUIRED, Method
from tools.release_methods import names


def missing() -> list[str]:
    """The methods of release 6.0 that are not here."""
    resources.load_all()
    return [name for name in names() if name not in METHODS]


def methods_page(note: str) -> str:
    """The page; ``note`` says that it is generated."""
    absent = missing()
    partly = [row for row in METHODS.values() if row.later]
    places = _places()
    lines = [
        "# API methods",
        "",
        note,
        f"Of the {len(names())} methods of release 6.0, {len(absent)} are missing, and {len(partly)} leave",
        "something out: that is refused, with a message that says so.",
        "",
        "Over XML-RPC every method takes the session string (`user:secret`) first and answers",
        "`[true, value, 0]` or `[false, text, code, object id, replication index]`. Over HTTP every method",
        f"is `POST {PREFIX}/methods/<name>`, and has the place that is listed here below `{PREFIX}`; a",
        f"running front-end explains it at `{PREFIX}/`.",
        "",
        "| method | arguments after the session | rights | JSON | what it does | standing |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row.name}` | {_arguments(row)} | {_rights(row)} | {places.get(row.name, '')} | "
        f"{row.doc.partition(chr(10))[0]} | {_standing(row)} |"
        for row in sorted(METHODS.values(), key=lambda row: row.name)
    ]
    lines += [f"| `{name}` | | | | | missing |" for name in absent]
    return "\n".join(lines) + "\n"


def _places() -> dict[str, str]:
    """The routes of each method; those that only differ in an action's name count as one."""
    found: dict[str, list[str]] = {}
    for path, verbs in routes.table().items():
        for verb, route in verbs.items():
            shown = path
            if route.row.name == "one.vm.action" and verb == "POST":
                shown = path.rpartition("/")[0] + "/{action}"
            text = f"`{verb} {shown}`"
            if text not in found.setdefault(route.row.name, []):
                found[route.row.name].append(text)
    return {name: ", ".join(texts) for name, texts in found.items()}


def _standing(row: Method) -> str:
    if row.extension:
        return "extension"
    return f"without {row.later}" if row.later else "done"


def _arguments(row: Method) -> str:
    shown = []
    for param in row.params:
        text = f"{param.name} {KINDS[param.kind][0]}"
        shown.append(text if param.default is REQUIRED else f"[{text}]")
    return ", ".join(shown) or "none"


def _rights(row: Method) -> str:
    if row.admin_group_only:
        return "oneadmin group"
    return ", ".join(f"{check.model.KIND}:{check.right.name}" for check in row.checks) or "see text"
