"""Handlers that many commands share: show and update."""

from __future__ import annotations

from typing import Any

from services.cli import documents, template_text
from services.cli.errors import CliError
from services.cli.kinds import VM


def show(inv: Any) -> int:
    """Print one object, with --watch again and again."""
    if inv.opts.watch is None:
        return _show(inv)
    from services.cli import watching
    from services.cli.listing import WATCH_S

    delay_s = WATCH_S if inv.opts.watch == "" else inv.opts.watch
    return watching.repeat(inv, delay_s, lambda: _show(inv), count=inv.opts.count)


def _show(inv: Any) -> int:
    oid = next(iter(inv.args.values()), -1)
    text = _document(inv, oid)
    if inv.opts.xml or inv.opts.json or inv.opts.yaml:
        inv.print_document(text)
    else:
        view = inv.load_view()
        inv.out("\n".join(view(documents.parse(text), inv)))
    return 0


def _document(inv: Any, oid: int) -> str:
    if inv.kind.rpc == "template":
        return inv.info(oid, bool(inv.opts.extended), bool(inv.opts.decrypt))  # type: ignore[no-any-return]
    return inv.info(oid)  # type: ignore[no-any-return]


def update(inv: Any) -> int:
    """Replace or extend an object's attributes."""
    oid = next(iter(inv.args.values()))
    tag = "USER_TEMPLATE" if inv.kind is VM else "TEMPLATE"

    def present() -> str:
        found = documents.parse(_document(inv, oid)).find(tag)
        return template_text.from_element(found) if found is not None else ""

    text = template_text.obtain(inv, present, inv.args.get("file"), bool(inv.opts.append))
    if text is None:
        inv.warn("Nothing was changed.")
        return 0
    inv.call(f"{inv.kind.rpc}.update", oid, text, 1 if inv.opts.append else 0)
    inv.tell(oid)
    return 0


def create(inv: Any) -> int:
    """Create an object of the command's kind from a template; prints its id, or with --dry the template."""
    if inv.opts.dry:
        inv.out(template_text.read(inv.args.get("file")).rstrip("\n"))
        return 0
    return create_from_file(inv, f"{inv.kind.rpc}.allocate")


def create_from_file(inv: Any, method: str, *more: Any) -> int:
    """Create an object from a template in a file or on standard input; prints its id."""
    inv.out(f"ID: {inv.call(method, template_text.read(inv.args.get('file')), *more)}")
    return 0


__all__ = ["CliError", "create_from_file", "show", "update"]
