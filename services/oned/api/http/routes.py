"""Which path and verb lead to which method: derived from the registry, with a small table of exceptions.

For a resource ``vm`` with the collection ``vms``:

    GET    /vms                    one.vmpool.info              list
    POST   /vms                    one.vm.allocate              create
    GET    /vms/{id}               one.vm.info                  read
    DELETE /vms/{id}               one.vm.delete                delete
    PUT    /vms/{id}/template      one.vm.update, replace       replace the attributes
    PATCH  /vms/{id}/template      one.vm.update, merge         add and change attributes
    PUT    /users/{id}/quotas      one.user.quota               change limits
    GET    /vms/{id}/monitoring    one.vm.monitoring            any other read of an object
    POST   /vms/{id}/actions/x     one.vm.x                     any other change of an object
    GET    /vms/x                  one.vmpool.x                 any other read of a pool or resource
    POST   /vms/actions/x          one.vmpool.x                 any other change of a pool or resource
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from services.oned.api.registry import METHODS, Method, Param

# Collection of a resource of the method names; a pool is named after its resource.
COLLECTIONS = {
    "acl": "acls",
    "cluster": "clusters",
    "datastore": "datastores",
    "document": "documents",
    "group": "groups",
    "hook": "hooks",
    "host": "hosts",
    "image": "images",
    "market": "marketplaces",
    "marketapp": "marketapps",
    "secgroup": "secgroups",
    "system": "system",
    "template": "templates",
    "user": "users",
    "vdc": "vdcs",
    "vm": "vms",
    "vmgroup": "vmgroups",
    "vn": "vnets",
    "vntemplate": "vntemplates",
    "vrouter": "vrouters",
    "zone": "zones",
}
# What one.vm.action can be asked for.
VM_ACTIONS = (
    *("terminate", "terminate-hard", "undeploy", "undeploy-hard", "poweroff", "poweroff-hard", "reboot"),
    *("reboot-hard", "hold", "release", "stop", "suspend", "resume", "resched", "unresched"),
)
# Rows whose first argument is a number, but not the id of an object of the resource.
_NO_OBJECT = frozenset({"one.zone.replicate", "one.zone.fedreplicate", "one.zone.voterequest"})
# Rows with a place of their own: verb, path, body.
_PLACES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "one.acl.info": (("GET", "/acls", "none"),),
    "one.acl.addrule": (("POST", "/acls", "arguments"),),
    "one.acl.delrule": (("DELETE", "/acls/{id}", "none"),),
    "one.hooklog.info": (("GET", "/hooks/log", "none"),),
    "one.userquota.info": (("GET", "/users/quotas", "none"),),
    "one.userquota.update": (("PUT", "/users/quotas", "template"),),
    "one.groupquota.info": (("GET", "/groups/quotas", "none"),),
    "one.groupquota.update": (("PUT", "/groups/quotas", "template"),),
    # Reached by ?ids= and ?extended=true of the list.
    "one.vmpool.infoset": (),
    "one.vmpool.infoextended": (),
}
# What a read takes for an argument that the query leaves out; OpenNebula's "any".
_READ_DEFAULTS = {"filter_flag": -2, "rc_filter": 0} | dict.fromkeys(
    ("start_time", "end_time", "min_time", "max_time", "hook_id")
    + ("first_month", "first_year", "last_month", "last_year"),
    -1,
)
_PAGE = ("filter_flag", "start_id", "end_id")


@dataclass(frozen=True, slots=True)
class Route:
    """One verb on one path. ``fixed``: arguments that it gives itself.

    ``body``: none; arguments (an object of the method's arguments); template (the attributes themselves).
    ``is_list``: a pool, with offset and size. ``id_name``: the argument that {id} of the path is.
    """

    verb: str
    path: str
    row: Method
    body: str = "none"
    fixed: dict[str, Any] = field(default_factory=dict)
    id_name: str = ""
    is_list: bool = False
    creates: bool = False

    @property
    def params(self) -> tuple[Param, ...]:
        """The parameters that the path and ``fixed`` leave to the client."""
        taken = {self.id_name, *self.fixed, *(_PAGE if self.is_list and self.is_paged else ())}
        return tuple(param for param in self.row.params if param.name not in taken)

    @property
    def is_paged(self) -> bool:
        """Whether the method itself filters by owner and gives pages."""
        return tuple(param.name for param in self.row.params[:3]) == _PAGE

    @property
    def defaults(self) -> dict[str, Any]:
        """What the arguments are that a read leaves out though the method requires them."""
        if self.row.writes:
            return {}
        return {p.name: _READ_DEFAULTS[p.name] for p in self.row.params if p.name in _READ_DEFAULTS}


def table() -> dict[str, dict[str, Route]]:
    """Every route: path, then verb. The registry must be complete."""
    found: dict[str, dict[str, Route]] = {}
    for name in sorted(METHODS):
        for route in _routes(METHODS[name]):
            verbs = found.setdefault(route.path, {})
            if route.verb in verbs:
                raise ValueError(f"{route.verb} {route.path}: {name} and {verbs[route.verb].row.name}")
            verbs[route.verb] = route
    return found


def _routes(row: Method) -> Iterator[Route]:
    if row.name in _PLACES:
        for verb, path, body in _PLACES[row.name]:
            id_name = row.params[0].name if "{id}" in path else ""
            is_list = path == "/acls" and verb == "GET"
            yield Route(verb, path, row, body, id_name=id_name, is_list=is_list, creates=verb == "POST")
        return
    _, resource, action = row.name.split(".")
    is_pool = resource.endswith("pool")
    collection = f"/{COLLECTIONS[resource.removesuffix('pool')]}"
    if row.name == "one.vm.action":
        yield from _vm_actions(row, collection)
    elif is_pool and action == "info":
        yield Route("GET", collection, row, is_list=True)
    elif is_pool or not _takes_object(row):
        yield from _of_resource(row, collection, action)
    else:
        yield from _of_object(row, f"{collection}/{{id}}", action)


def _of_resource(row: Method, collection: str, action: str) -> Iterator[Route]:
    if action == "allocate":
        yield Route("POST", collection, row, "arguments", creates=True)
    elif row.writes:
        yield Route("POST", f"{collection}/actions/{action}", row, "arguments")
    else:
        yield Route("GET", f"{collection}/{action}", row)


def _of_object(row: Method, path: str, action: str) -> Iterator[Route]:
    oid = row.params[0].name
    if action == "info":
        yield Route("GET", path, row, id_name=oid)
        if row.name == "one.user.info":
            yield Route("GET", path.replace("{id}", "me"), row, fixed={oid: -1})
    elif action == "delete":
        yield Route("DELETE", path, row, id_name=oid)
    elif action == "update":
        name = row.params[-1].name
        yield Route("PUT", f"{path}/template", row, "template", fixed={name: 0}, id_name=oid)
        yield Route("PATCH", f"{path}/template", row, "template", fixed={name: 1}, id_name=oid)
    elif action == "quota":
        yield Route("PUT", f"{path}/quotas", row, "template", id_name=oid)
    elif row.writes:
        yield Route("POST", f"{path}/actions/{action}", row, "arguments", id_name=oid)
    else:
        yield Route("GET", f"{path}/{action}", row, id_name=oid)


def _vm_actions(row: Method, collection: str) -> Iterator[Route]:
    """one.vm.action names the action first; the machine's id is its second argument."""
    name, oid = (param.name for param in row.params)
    for action in VM_ACTIONS:
        path = f"{collection}/{{id}}/actions/{action}"
        yield Route("POST", path, row, "arguments", fixed={name: action}, id_name=oid)
    yield Route("DELETE", f"{collection}/{{id}}", row, fixed={name: "terminate"}, id_name=oid)


def _takes_object(row: Method) -> bool:
    return bool(row.params) and row.params[0].kind == "i" and row.name not in _NO_OBJECT
