"""``change-body``, ``update-body``, ``show-body``: documents of objects, past all rules of the interface."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from services.oned.fsck import columns
from services.oned.model.base import PoolObject
from services.oned.model.vm import VM
from services.oned.onedb import edit, version
from services.oned.onedb.errors import OnedbError
from services.oned.onedb.kinds import model_of
from services.oned.onedb.target import Target
from services.oned.store import Store, Tx, pools

# What lists and searches use instead of a VM's document.
_VM_FORMS = ("short_body", "search_token")


def change_body(target: Target, options: Namespace) -> int:
    """Set, append or delete elements in the documents of a kind that --id, --xpath or --expr choose.

    --dry prints the changed documents instead. Each object is changed in a transaction of its own; what is
    wrong with one is printed, and the others are changed all the same.
    """
    model = model_of(options.object)
    if options.value is None and not options.delete:
        raise OnedbError("A value or --delete should specified")
    store = target.store()
    version.read(target, store)
    with store.read() as tx:
        ids = pools.ids(tx, model.TABLE)
    if options.id is not None:
        if options.id not in ids:
            raise OnedbError(f"Object with id {options.id} not found")
        ids = [options.id]
    failed = 0
    for oid in ids:
        try:
            _change(store, model, oid, options)
        except OnedbError as error:
            failed += 1
            print(f"Error updating object id {oid}\n{error}", file=sys.stderr)
    if failed:
        raise OnedbError(f"{failed} of {len(ids)} objects could not be changed")
    return 0


def _change(store: Store, model: type[PoolObject], oid: int, options: Namespace) -> None:
    def apply(tx: Tx) -> str | None:
        body = pools.locked_body(tx, model.TABLE, oid)
        root = edit.parse(body) if body is not None else None
        if root is None or (options.id is None and not edit.fits(root, options)):
            return None
        changed = edit.change(
            root, options.xpath_of_change, options.value, delete=options.delete, append=options.append
        )
        if not options.dry and changed:
            write(tx, model, oid, edit.text(root))
        return edit.shown(root)

    if options.dry:
        with store.read() as tx:
            document = apply(tx)
        if document is not None:
            print(document)
    else:
        store.run(apply)


def update_body(target: Target, options: Namespace) -> int:
    """Let a person edit the document of an object, or take it from a file."""
    model, oid = model_of(options.object), _required_id(options)
    store = target.store()
    before = _body(target, store, model, oid)
    given = _read(Path(options.file)) if options.file else edit.with_editor(_shown(before))
    document = edit.text(compact(given))

    def apply(tx: Tx) -> None:
        if not options.file and pools.locked_body(tx, model.TABLE, oid) != before:
            raise OnedbError(f"{options.object} {oid} was changed meanwhile; nothing was written")
        write(tx, model, oid, document)

    store.run(apply)
    return 0


def show_body(target: Target, options: Namespace) -> int:
    """Print the document of an object."""
    model, oid = model_of(options.object), _required_id(options)
    print(_shown(_body(target, target.store(), model, oid)))
    return 0


def write(tx: Tx, model: type[PoolObject], oid: int, document: str) -> None:
    """Store a document, and in the columns beside it what it says. Raises OnedbError for an unfit one."""
    try:
        changed = model.from_xml(document)
        forms = changed.columns() if model is VM else {}
    except (ValueError, KeyError) as error:
        raise OnedbError(f"this is no document of a {model.LABEL}: {error}") from None
    if not document.startswith(f"<{model.ROOT}>") or changed.oid != oid:
        raise OnedbError(f"this is not the document of {model.LABEL} {oid}")
    also = {column: forms[column] for column in _VM_FORMS if column in forms}
    pools.update(tx, model.TABLE, oid, {"body": document, **also})
    if not columns.fix(tx, model, oid):
        raise OnedbError(f"another {model.LABEL} has the name {changed.name!r}")


def _body(target: Target, store: Store, model: type[PoolObject], oid: int) -> str:
    version.read(target, store)
    with store.read() as tx:
        body = pools.body(tx, model.TABLE, oid)
    if body is None:
        raise OnedbError(f"Object with id {oid} not found")
    return body


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OnedbError(f"{file}: cannot be read: {error}") from None


def _required_id(options: Namespace) -> int:
    if options.id is None:
        raise OnedbError("Missing object ID")
    return int(options.id)


def _shown(body: str) -> str:
    return edit.shown(edit.parse(body))


def compact(document: str) -> edit.Element:
    """A document without the line breaks and spaces that stand between its elements."""
    root = edit.parse(document)
    for element in root.iter():
        if len(element) and not (element.text or "").strip():
            element.text = None
        element.tail = None
    return root
