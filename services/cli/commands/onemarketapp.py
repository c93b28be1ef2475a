"""onemarketapp: appliances of marketplaces."""

from __future__ import annotations

from services.cli.decl import ID, Command, Opt, Sub
from services.cli.kinds import APP
from services.cli.subs import (
    DRY,
    chown_subs,
    delete_sub,
    list_sub,
    lock_subs,
    rename_sub,
    show_sub,
    top_sub,
    update_sub,
)

_LIST = "services.cli.views.marketapp:LIST"
_HANDLERS = "services.cli.commands.marketapp_handlers"
_IMPORT = "services.cli.commands.marketapp_import"
_VM_NAME = Opt("vmname", "name of the VM template that comes with it", "name")
_IMPORT_OPTIONS = (
    Opt("yes", "its images as well, without asking"),
    Opt("no", "without its images"),
    Opt("market", "id of the marketplace; asked for when left out", "market_id", type="integer"),
    _VM_NAME,
)

COMMAND = Command(
    "onemarketapp",
    APP,
    "manages appliances of marketplaces",
    [
        Sub(
            "create",
            "[file]",
            "put an image into a marketplace, described by a file, standard input or options",
            options=(
                Opt("marketplace", "the marketplace", "id|name", "m", "marketplaceid"),
                Opt("name", "name of the appliance", "name"),
                Opt("description", "its description", "description"),
                Opt("image", "the image", "id|name", type="imageid"),
                DRY,
            ),
            run=f"{_HANDLERS}:create",
        ),
        Sub(
            "export",
            "appid name",
            "copy an appliance out of its marketplace, into a datastore and a VM template",
            options=(
                Opt("datastore", "datastore of the images", "id|name", "d", "datastoreid"),
                Opt("file-datastore", "datastore of kernels and files", "id|name", type="datastoreid"),
                _VM_NAME,
                Opt("tag", "tag of a container image (latest)", "tag"),
                Opt("no", "without the VM template"),
                Opt("template", "VM template to copy for it", "template_id ", type="integer"),
            ),
            run="services.cli.commands.marketapp_export:export",
            done="exported",
        ),
        Sub(
            "download",
            "appid path:text",
            "save an appliance to a file; not here: see the message",
            options=(Opt("force", "overwrite the file"),),
            run=f"{_HANDLERS}:download",
            done="downloaded",
        ),
        Sub(
            "vm-template import",
            "vm_template_id:templateid",
            "put a VM template with its images into a marketplace",
            options=_IMPORT_OPTIONS,
            run=f"{_IMPORT}:vm_template",
        ),
        Sub(
            "vm import",
            "vm_id:vmid",
            "save a powered-off machine as template and put that into a marketplace",
            options=_IMPORT_OPTIONS,
            run=f"{_IMPORT}:vm",
        ),
        Sub(
            "service-template import",
            "service_template_id:text",
            "put a service template into a marketplace; not here: see the message",
            options=_IMPORT_OPTIONS,
            run=f"{_HANDLERS}:service_template",
        ),
        list_sub(_LIST, "[filterflag:text]"),
        top_sub(_LIST, "[filterflag:text]"),
        show_sub(APP, "services.cli.views.marketapp:show", options=()),
        Sub(
            "enable",
            "appid_list",
            "let them be exported",
            call=("marketapp.enable", ID, True),
            done="enabled",
        ),
        Sub(
            "disable",
            "appid_list",
            "keep them from being exported",
            call=("marketapp.enable", ID, False),
            done="disabled",
        ),
        delete_sub(APP),
        rename_sub(APP),
        update_sub(APP),
        *chown_subs(APP),
        *lock_subs(APP),
    ],
)
