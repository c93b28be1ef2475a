"""Hook methods, and the log of what hooks did."""

from __future__ import annotations

from services.common import xmldoc
from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import METHODS, Check, method
from services.oned.auth.rights import Right
from services.oned.errors import RequestError
from services.oned.lifecycle import hook_condition
from services.oned.model.hook import Hook, HookType
from services.oned.store import events, hooklog, pools

# Besides every method named info: reads that nobody is told of. Source: hook reference of release 6.0.
_SILENT = frozenset({"one.vmpool.infoextended"})


def is_call(name: str) -> bool:
    """Whether hooks can wait for an API method of that name."""
    return name in METHODS and not name.endswith(".info") and name not in _SILENT


@method("one.hook.allocate", "template:s")
def allocate(call: Call, text: str) -> int:
    """Create a hook."""
    template = Template.parse(text)
    call.authorize_create(Hook)
    hook_type = HookType.find(template.get("TYPE") or "")
    if hook_type is None:
        raise RequestError(f"TYPE of a hook must be state or api, found {template.get('TYPE')!r}.")
    name = template.get("NAME") or ""
    common.require_free_name(call, Hook, name)
    made = Hook(-1, name)
    for attribute in ("NAME", "TYPE"):
        template.remove(attribute)
    made.type, made.template = hook_type, template
    pools.lose_first_oid_on_refusal(call.tx, Hook.TABLE)
    hook_condition.settle_new(made, is_call)
    return made.insert(call.tx)


@method("one.hook.delete", "hook_id:i", Check(Hook, Right.MANAGE, "hook_id"))
def delete(call: Call, hook_id: int) -> int:
    """Delete a hook and the log of its runs."""
    hook = call.load(Hook, hook_id)
    hook.delete(call.tx)
    common.forget(call, hook)
    return hook_id


@method("one.hook.info", "hook_id:i decrypt:b=0", Check(Hook, Right.USE, "hook_id"), writes=False)
def info(call: Call, hook_id: int, decrypt: bool) -> str:
    """The hook's document with the log of its runs."""
    runs = "".join(hooklog.of_hook(call.tx, hook_id))
    return f"{call.body(Hook, hook_id).removesuffix('</HOOK>')}<HOOKLOG>{runs}</HOOKLOG></HOOK>"


@method("one.hookpool.info", "filter_flag:i start_id:i end_id:i", writes=False)
def pool_info(call: Call, filter_flag: int, start_id: int, end_id: int) -> PoolDocument:
    """The hooks that fit, by owner, range of ids or page; without their logs."""
    return common.pool_info(call, Hook, filter_flag, start_id, end_id)


@method(
    "one.hooklog.info",
    "min_time:i max_time:i hook_id:i rc_filter:i",
    writes=False,
    admin_group_only=True,
)
def log_info(call: Call, min_time: int, max_time: int, hook_id: int, result: int) -> str:
    """The runs of all hooks, or those between two times, of one hook, or with one result."""
    return f"<HOOKLOG>{''.join(hooklog.find(call.tx, min_time, max_time, hook_id, result))}</HOOKLOG>"


@method("one.hook.update", "hook_id:i template:s update_type:i=0", Check(Hook, Right.MANAGE, "hook_id"))
def update(call: Call, hook_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) the attributes of a hook; its type stays."""
    resource = call.load(Hook, hook_id).template.get("RESOURCE") or ""

    def settle(hook: Hook) -> None:
        hook_condition.settle_changed(hook, resource, is_call)

    return common.update_template(call, Hook, hook_id, text, update_type, settle)


@method("one.hook.rename", "hook_id:i name:s")
def rename(call: Call, hook_id: int, name: str) -> int:
    """Rename a hook."""
    return common.rename(call, Hook, hook_id, name, right=Right.MANAGE)


# A lock must not stand against its own removal, so common checks the right, not the registry row.
@method("one.hook.lock", "hook_id:i level:i test:b=0")
def lock(call: Call, hook_id: int, level: int, test: bool) -> int:
    """Lock a hook against actions: level 1 use, 2 manage, 3 admin, 4 all."""
    return common.lock(call, Hook, hook_id, level, test)


@method("one.hook.unlock", "hook_id:i")
def unlock(call: Call, hook_id: int) -> int:
    """Remove the lock of a hook."""
    return common.unlock(call, Hook, hook_id)


@method("one.hook.retry", "hook_id:i execution_id:i", Check(Hook, Right.MANAGE, "hook_id"))
def retry(call: Call, hook_id: int, execution_id: int) -> int:
    """Ask for another run of a hook with the arguments and host of an earlier one."""
    record = hooklog.record(call.tx, hook_id, execution_id)
    found = None if record is None else xmldoc.parse(record, "hook log record").find("ARGUMENTS")
    if found is None:
        raise RequestError(f"The log has no run {execution_id} of hook {hook_id} with arguments.", hook_id)
    host = xmldoc.parse(str(record)).findtext("REMOTE_HOST") or ""
    # The hook manager takes it from the event log, as it does with everything that sets hooks off.
    run = {"execution_id": execution_id, "arguments": found.text or "", "remote_host": host}
    events.add(call.tx, "RETRY", Hook.KIND, hook_id, run)
    return hook_id
