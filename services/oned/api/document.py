"""Document methods."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth import encrypted
from services.oned.auth.rights import Right
from services.oned.errors import AllocateError, RequestError
from services.oned.model.document import Document


def _store(call: Call, template: Template, doc_type: int) -> int:
    """Store a new document of the caller under the NAME of its attributes; its id. Raises RequestError."""
    made = Document(-1, template.get("NAME") or "")
    common.own(call, made)
    template.remove("NAME")
    encrypted.encrypt(call.conf, Document.KIND, template)
    made.type, made.template = doc_type, template
    return made.insert(call.tx)


@method("one.document.allocate", "template:s doc_type:i")
def allocate(call: Call, text: str, doc_type: int) -> int:
    """Create a document of a type."""
    template = Template.parse(text)
    call.authorize_create(Document)
    return _store(call, template, doc_type)


@method("one.document.clone", "document_id:i name:s", Check(Document, Right.USE, "document_id"))
def clone(call: Call, document_id: int, name: str) -> int:
    """Copy a document under another name, for the caller."""
    call.authorize_create(Document)
    source = call.load(Document, document_id)
    source.template.set("NAME", name)
    try:
        return _store(call, source.template, source.type)
    except RequestError as error:
        raise AllocateError(error.message) from None


@method("one.document.delete", "document_id:i", Check(Document, Right.MANAGE, "document_id"))
def delete(call: Call, document_id: int) -> int:
    """Delete a document."""
    document = call.load(Document, document_id)
    document.delete(call.tx)
    common.forget(call, document)
    return document_id


@method(
    "one.document.info", "document_id:i decrypt:b=0", Check(Document, Right.USE, "document_id"), writes=False
)
def info(call: Call, document_id: int, decrypt: bool) -> str:
    """The document with its attributes."""
    return common.info(call, Document, document_id, decrypt)


@method("one.documentpool.info", "filter_flag:i start_id:i end_id:i doc_type:i", writes=False)
def pool_info(call: Call, filter_flag: int, start_id: int, end_id: int, doc_type: int) -> PoolDocument:
    """The documents of a type that fit, by owner, range of ids or page."""
    return common.pool_info(
        call, Document, filter_flag, start_id, end_id, also="type = ?", params=(doc_type,)
    )


@method(
    "one.document.update",
    "document_id:i template:s update_type:i=0",
    Check(Document, Right.MANAGE, "document_id"),
)
def update(call: Call, document_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) the attributes of a document."""
    return common.update_template(call, Document, document_id, text, update_type)


@method("one.document.rename", "document_id:i name:s")
def rename(call: Call, document_id: int, name: str) -> int:
    """Rename a document."""
    return common.rename(call, Document, document_id, name, right=Right.MANAGE)


@method("one.document.chmod", common.CHMOD_PARAMS.format(id="document_id"))
def chmod(call: Call, document_id: int, *bits: int) -> int:
    """Change permission bits of a document; -1 leaves one as it is."""
    return common.chmod(call, Document, document_id, list(bits))


@method("one.document.chown", "document_id:i new_uid:i new_gid:i")
def chown(call: Call, document_id: int, uid: int, gid: int) -> int:
    """Give a document to a user, a group or both; -1 leaves one as it is."""
    return common.chown(call, Document, document_id, uid, gid)


# A lock must not stand against its own removal, so common checks the right, not the registry row.
@method("one.document.lock", "document_id:i level:i test:b=0")
def lock(call: Call, document_id: int, level: int, test: bool) -> int:
    """Lock a document against actions: level 1 use, 2 manage, 3 admin, 4 all."""
    return common.lock(call, Document, document_id, level, test)


@method("one.document.unlock", "document_id:i")
def unlock(call: Call, document_id: int) -> int:
    """Remove the lock of a document."""
    return common.unlock(call, Document, document_id)
