"""The OpenAPI 3.1 document of the interface, made of the routes, the registry and the shapes of documents."""

from __future__ import annotations

import re
from typing import Any

from services.oned.api.http import problems, values
from services.oned.api.http.bind import FILTERS, SIZE_MAX
from services.oned.api.http.documents import item_shape
from services.oned.api.http.routes import COLLECTIONS, Route
from services.oned.api.http.shapes import SHAPES, Shape
from services.oned.api.registry import METHODS, REQUIRED, Method, Param
from services.oned.errors import Code
from services.oned.version import COMPATIBLE_RELEASE

# The root element of a collection's objects.
ROOTS = {
    "acls": "ACL",
    "marketapps": "MARKETPLACEAPP",
    "secgroups": "SECURITY_GROUP",
    "templates": "VMTEMPLATE",
    "vmgroups": "VM_GROUP",
} | {
    name: name.removesuffix("s").upper()
    for name in COLLECTIONS.values()
    if name not in ("acls", "marketapps", "secgroups", "system", "templates", "vmgroups")
}
# Lists of something else than objects, by the ends of their paths.
_LISTS = {"/accounting": "HISTORY_RECORDS", "/monitoring": "MONITORING_DATA", "/showback": "SHOWBACK_RECORDS"}
_Schema = dict[str, Any]
_KINDS: dict[str, _Schema] = {
    "s": {"type": "string"},
    "i": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "6": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "b": {"type": "boolean"},
    "A": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}},
}
_ID = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_DESCRIPTION = """\
The methods of the XML-RPC interface for clients without an XML-RPC library: the same users, rights, ids and
error codes. Every method is also `POST /methods/{name}` with its arguments as a list or by name.

- **Authentication**: HTTP Basic with user and password or login token, or `Authorization: Bearer user:token`.
- **Templates** are objects (`{"NAME": "web", "DISK": [{"IMAGE": "debian"}]}`) or OpenNebula text, in a
  field of a JSON body or as a `text/plain` body of its own; the other arguments are query fields then.
- **Documents** keep OpenNebula's names. Lists are always lists; whole numbers are numbers, null when empty.
  Attributes of templates are texts. `Accept: application/xml` gives the document as it is in XML-RPC answers.
- **Refusals** are `application/problem+json` with `code`, the XML-RPC error code.
"""


def document(routes: dict[str, dict[str, Route]], prefix: str) -> dict[str, Any]:
    """The OpenAPI document."""
    paths: dict[str, Any] = {
        path: {verb.lower(): _operation(route) for verb, route in verbs.items()}
        for path, verbs in sorted(routes.items())
    }
    paths |= {f"/methods/{name}": {"post": _method_operation(METHODS[name])} for name in sorted(METHODS)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Onebox", "version": COMPATIBLE_RELEASE, "description": _DESCRIPTION},
        "servers": [{"url": prefix}],
        "security": [{"basic": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "user:token"},
            },
            "responses": {"Problem": _content(problems.CONTENT_TYPE, _ref("Problem"), "Refused.")},
            "schemas": _schemas(),
        },
    }


# -- operations --------------------------------------------------------------------------------------------
def _operation(route: Route) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.row.doc.partition("\n")[0],
        "description": f"XML-RPC: `{route.row.name}`.",
        "tags": [route.path.split("/")[1]],
        "parameters": [*_parameters(route)],
        "responses": {
            "201" if route.creates else "200": _success(route),
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
    if route.body != "none":
        made["requestBody"] = _body(route)
    return made


def _operation_id(route: Route) -> str:
    """For instance ``get_vms_id_monitoring``."""
    return f"{route.verb.lower()}{re.sub('[^a-z0-9]+', '_', route.path)}".rstrip("_")


def _method_operation(row: Method) -> dict[str, Any]:
    schema = _arguments_schema(list(row.params))
    return {
        "operationId": row.name,
        "summary": row.doc.partition("\n")[0],
        "tags": ["methods"],
        "requestBody": {
            "required": any(param.default is REQUIRED for param in row.params),
            "content": {"application/json": {"schema": {"anyOf": [schema, {"type": "array"}]}}},
        },
        "responses": {
            "200": _content("application/json", _ref("Result"), "The value that the method answers."),
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def _parameters(route: Route) -> list[dict[str, Any]]:
    found = []
    if "{id}" in route.path:
        found.append({"name": "id", "in": "path", "required": True, "schema": _ID})
    if route.is_list:
        found += [
            _query("size", {"type": "integer", "minimum": 1, "maximum": SIZE_MAX}, "Objects on a page."),
            _query("offset", _ID, "Objects before the page; needs size."),
        ]
        if route.row.name == "one.vmpool.info":
            found += [
                _query("extended", _KINDS["b"], "Whole documents."),
                _query("ids", {"type": "string", "pattern": "^[0-9]+(,[0-9]+)*$"}, "The VMs of these ids."),
            ]
    if route.is_list and route.is_paged:
        found.append(_filter())
    if route.body == "none":
        for param in route.params:
            if param.name == "filter_flag":
                found.append(_filter())
                continue
            needed = param.default is REQUIRED and param.name not in route.defaults
            found.append(_query(param.name, _KINDS[param.kind], "", required=needed))
    return found


def _filter() -> dict[str, Any]:
    schema = {"anyOf": [{"enum": list(FILTERS)}, {"type": "string", "pattern": "^[0-9]{1,9}$"}]}
    return _query("filter", schema, "Whose objects: one of the words, or the id of a user.")


def _query(name: str, schema: _Schema, text: str, *, required: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "in": "query", "required": required, "schema": schema}
    return made | ({"description": text} if text else {})


def _body(route: Route) -> dict[str, Any]:
    template = next((param for param in route.params if values.is_template(param)), None)
    if route.body == "template":
        schema: _Schema = _ref("Template")
    else:
        schema = _arguments_schema(list(route.params))
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if template is not None:
        content["text/plain"] = {"schema": {"type": "string"}}
    needed = route.body == "template" or any(param.default is REQUIRED for param in route.params)
    return {"required": needed, "content": content}


def _arguments_schema(params: list[Param]) -> _Schema:
    return {
        "type": "object",
        "properties": {param.name: _argument_schema(param) for param in params},
        "required": [param.name for param in params if param.default is REQUIRED],
        "additionalProperties": False,
    }


def _argument_schema(param: Param) -> _Schema:
    schema = _KINDS[param.kind]
    if values.is_template(param):
        return {"anyOf": [_ref("Template"), schema]}
    return schema if param.default is REQUIRED else schema | {"default": param.default}


def _success(route: Route) -> dict[str, Any]:
    if route.row.writes or route.row.name == "one.system.version":
        made = _content("application/json", _ref("Result"), "Done.")
        if route.creates:
            made["headers"] = {"Location": {"schema": {"type": "string"}}}
        return made
    root = ROOTS.get(route.path.split("/")[1], "")
    of_object = route.row.name.endswith(".info") and not route.row.name.endswith("quota.info")
    schema: _Schema = {"type": "object"}
    if route.is_list and root in SHAPES:
        schema = _list(_ref(root))
    elif route.path.endswith(tuple(_LISTS)):
        of_what = _LISTS[f"/{route.path.rpartition('/')[2]}"]
        schema = _list(_schema(Shape("fields", fields=item_shape(of_what).fields)))
    elif route.row.name == "one.vm.waiting":
        schema = _ref("WAITING")
    elif of_object and root in SHAPES and route.row.name != "one.hooklog.info":
        schema = _ref(root)
    made = _content("application/json", schema, "The document.")
    made["content"]["application/xml"] = {"schema": {"type": "string"}}
    return made


def _list(item: _Schema) -> _Schema:
    return {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": item},
            "next_offset": {"type": ["integer", "null"]},
        },
        "required": ["items"],
    }


def _content(kind: str, schema: _Schema, text: str) -> dict[str, Any]:
    return {"description": text, "content": {kind: {"schema": schema}}}


# -- schemas -----------------------------------------------------------------------------------------------
def _ref(name: str) -> _Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> dict[str, _Schema]:
    scalar: _Schema = {"type": ["string", "number", "boolean"]}
    vector: _Schema = {"type": "object", "minProperties": 1, "additionalProperties": scalar}
    attribute: _Schema = {"anyOf": [scalar, vector, {"type": "array", "items": {"anyOf": [scalar, vector]}}]}
    return {
        "Template": {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_.-]*$"},
            "additionalProperties": attribute,
        },
        "Attribute": {
            "anyOf": [
                {"type": "string"},
                {"type": "object", "additionalProperties": _ref("Attribute")},
                {"type": "array", "items": _ref("Attribute")},
            ]
        },
        "Result": {"type": "object", "properties": {"result": {}}, "required": ["result"]},
        "Problem": {
            "type": "object",
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "code": {"enum": [int(code) for code in Code if code]},
                "code_name": {"enum": [code.name for code in Code if code]},
                "object_id": {"type": ["integer", "null"]},
            },
            "required": ["type", "title", "status", "detail", "code", "code_name", "object_id"],
        },
        **{name: _schema(shape) for name, shape in SHAPES.items()},
    }


def _schema(shape: Shape) -> _Schema:
    if shape.is_list:
        return {"type": "array", "items": _schema(Shape(shape.kind, fields=shape.fields))}
    if shape.kind == "text":
        return {"type": "string"}
    if shape.kind in ("integer", "number"):
        return {"type": [shape.kind, "null"]}
    made: _Schema = {"type": "object", "properties": {n: _schema(s) for n, s in shape.fields.items()}}
    if shape.kind == "open":
        made["additionalProperties"] = _ref("Attribute")
    return made
