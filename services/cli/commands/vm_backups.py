"""``onevm backup`` and ``restore``: machines as appliances of a private marketplace.

The BACKUP attribute of a machine says where to, how often, and which appliances the newest backup is.
Source: backup page of the virtual machines guide, release 6.0.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import documents, template_text
from services.cli.commands import marketapp_export, marketapp_import, vm_saving
from services.cli.documents import number_of, text_of
from services.cli.errors import CliError
from services.cli.progress import Progress
from services.cli.views import vm_states
from services.common.oca import OneError

_READY = ("1", "2")  # READY and USED, of images
_ERROR = "5"
_POLL_S, _PATIENCE_S = 0.5, 6 * 3600.0
_MERGE = 1
Log = Callable[[str], None]


def backup(inv: Any) -> int:
    """Save a machine when its backup is due, or at once with --oneshot."""
    oid, opts = inv.args["vmid"], inv.opts
    if opts.oneshot and opts.market is None:
        raise CliError("onevm backup: --oneshot needs --market.")
    log = _log(inv)
    vm = documents.parse(inv.call("vm.info", oid, False))
    found = vm.find("USER_TEMPLATE/BACKUP")
    market, every_s, name = _plan(inv, vm, found)
    last = number_of(found, "LAST_BACKUP_TIME") if found is not None else 0
    if not opts.oneshot and time.time() - last < every_s:
        inv.out(f"VM {oid}: the next backup is due at {time.ctime(last + every_s)}.")
        return 0
    before = text_of(found, "MARKETPLACE_APP_IDS").split(",") if found is not None else []
    log("saving the machine as a template")
    template = _saved(inv, vm, name)
    try:
        log(f"template {template}: importing into marketplace {market}")
        inv.opts.vmname = name
        apps = marketapp_import.put(inv, template, market, True)
        _wait_for_images(inv, template)
        log(f"appliances {', '.join(map(str, apps))}")
        parts = [
            ("MARKETPLACE_APP_IDS", ",".join(map(str, apps))),
            ("FREQUENCY_SECONDS", str(every_s)),
            ("LAST_BACKUP_TIME", str(int(time.time()))),
            ("MARKETPLACE_ID", str(market)),
        ]
        inv.call("vm.update", oid, template_text.vector("BACKUP", parts), _MERGE)
    finally:
        log(f"deleting template {template} and its images")
        inv.call("template.delete", template, True)
    if not opts.keep_backup:
        for app in filter(str.isdigit, before):
            log(f"deleting appliance {app}")
            try:
                inv.call("marketapp.delete", int(app))
            except OneError as error:  # somebody has deleted it already
                inv.warn(str(error))
    inv.tell(oid)
    return 0


def restore(inv: Any) -> int:
    """Start a machine from the newest backup; prints its id."""
    oid, log = inv.args["vmid"], _log(inv)
    if inv.opts.datastore is None:
        raise CliError("onevm restore: --datastore is missing.")
    vm = documents.parse(inv.call("vm.info", oid, False))
    apps = text_of(vm, "USER_TEMPLATE/BACKUP/MARKETPLACE_APP_IDS").split(",")
    if not apps[-1].isdigit():
        raise CliError(f"VM {oid} has no backup: its attribute BACKUP names no appliances.")
    log(f"restoring from appliance {apps[-1]}")
    app = documents.parse(inv.call("marketapp.info", int(apps[-1]), False))
    done = marketapp_export.Exported()
    marketapp_export.export_app(inv, app, f"{text_of(vm, 'NAME')} - RESTORED", done, with_template=True)
    if not done.templates:
        raise CliError(f"Appliance {apps[-1]} is not a machine; images {done.images} were made of it.")
    log(f"template {done.templates[0]}, images {', '.join(map(str, done.images))}")
    _wait_for_images(inv, done.templates[0])
    inv.out(f"ID: {inv.call('template.instantiate', done.templates[0], '', False, '', False)}")
    inv.tell(oid)
    return 0


def _log(inv: Any) -> Log:
    """Writes what is done to standard output with -v, or to the file of --logger."""
    path = inv.opts.logger

    def write(text: str) -> None:
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} INFO  : {text}"
        if path and path.upper() not in ("STDOUT", "FILE"):
            try:
                with open(path, "a", encoding="utf-8") as file:
                    file.write(line + "\n")
            except OSError as error:
                raise CliError(f"--logger {path}: {error.strerror}") from None
        elif inv.opts.verbose or path:
            inv.out(line)

    return write


def _plan(inv: Any, vm: Element, found: Element | None) -> tuple[int, int, str]:
    """Marketplace, seconds between backups, and the name. Raises CliError for what BACKUP lacks."""
    stamp = time.strftime("%Y%m%d_%H%M")
    if inv.opts.oneshot:
        return inv.opts.market, 1, f"VM {text_of(vm, 'ID')} BACKUP - {stamp}"
    values = {
        tag: text_of(found, tag) if found is not None else ""
        for tag in ("MARKETPLACE_ID", "FREQUENCY_SECONDS")
    }
    for tag, value in values.items():
        if not value.isdigit():
            raise CliError(
                f"VM {text_of(vm, 'ID')}: BACKUP/{tag} is missing; set it with onevm update, "
                "or use --oneshot."
            )
    market = inv.opts.market if inv.opts.market is not None else int(values["MARKETPLACE_ID"])
    return market, int(values["FREQUENCY_SECONDS"]), f"{text_of(vm, 'NAME')} - BACKUP  - {stamp}"


def _saved(inv: Any, vm: Element, name: str) -> int:
    """The machine as a template; it is powered off for that, and on again."""
    oid, was_off = number_of(vm, "ID"), vm_states.state_name(vm) == "POWEROFF"
    if was_off:
        return vm_saving.as_template(inv, oid, name)
    inv.call("vm.action", "poweroff", oid)
    vm_saving.wait_until_off(inv, oid)
    try:
        return vm_saving.as_template(inv, oid, name)
    finally:
        vm_saving.wait_until_off(inv, oid)
        inv.call("vm.action", "resume", oid)


def _wait_for_images(inv: Any, template: int) -> None:
    """Until every image of a template can be used. Raises CliError when one cannot."""
    found = documents.parse(inv.call("template.info", template, False, False))
    started = time.monotonic()
    with Progress() as progress:
        for disk in found.findall("TEMPLATE/DISK"):
            oid = text_of(disk, "IMAGE_ID")
            while oid:
                state = text_of(documents.parse(inv.call("image.info", int(oid), False)), "STATE")
                if state in _READY:
                    break
                if state == _ERROR or time.monotonic() - started > _PATIENCE_S:
                    raise CliError(f"Image {oid} does not become ready (oneimage show {oid} says why).")
                progress.show(f"image {oid} is being copied")
                time.sleep(_POLL_S)
