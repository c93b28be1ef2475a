"""oneimage: images."""

from __future__ import annotations

from services.cli.decl import ID, Arg, Command, Opt, Sub
from services.cli.kinds import IMAGE
from services.cli.subs import (
    chown_subs,
    delete_sub,
    list_sub,
    lock_subs,
    rename_sub,
    show_sub,
    top_sub,
    update_sub,
)

_LIST = "services.cli.views.image:LIST"
_HANDLERS = "services.cli.commands.image_handlers"
_DATASTORE = Opt("datastore", "datastore for the image", "id|name", "d", "datastoreid")
_CREATE = (
    _DATASTORE,
    Opt("name", "name of the image", "name"),
    Opt("description", "its description", "description"),
    Opt("type", "OS, CDROM, DATABLOCK, KERNEL, RAMDISK or CONTEXT", "type", type="image_type"),
    Opt("persistent", "keep what its machine writes to it"),
    Opt("prefix", "kind of device in the guest: hd, sd, xvd or vd", "prefix"),
    Opt("target", "device in the guest, such as vdb", "target"),
    Opt("path", "file on the front-end, or address (http, s3, docker ...) of its content", "path"),
    Opt("format", "raw, qcow2 ...", "format"),
    Opt("fs", "file system to make on an empty image", "filesystem"),
    Opt("disk_type", "FILE, BLOCK, CDROM, RBD ...", "disk_type"),
    Opt("vcenter_disk_type", "kind of disk in vCenter", "vcenter_disk_type"),
    Opt("vcenter_adapter_type", "controller in vCenter", "vcenter_adapter_type"),
    Opt("source", "where the datastore has it already", "source"),
    Opt("size", "size in MB, or 20g, of an empty image", "size", type="size_mb"),
    Opt("dry", "print the template and do nothing"),
    Opt("no_check_capacity", "do not check that the datastore has room"),
    Opt("no-context", "of a container image: do not add the context packages"),
)


def _yes_no(name: str, help: str, method: str, value: bool, done: str) -> Sub:
    return Sub(name, "imageid_list", help, call=(method, ID, value), done=done)


def _snapshot(name: str, help: str, done: str) -> Sub:
    method = f"image.{name.replace('-', '')}"
    return Sub(name, "imageid snapshot_id:integer", help, call=(method, ID, Arg("snapshot_id")), done=done)


COMMAND = Command(
    "oneimage",
    IMAGE,
    "manages images",
    [
        Sub(
            "create",
            "[file]",
            "add an image from a template in a file, on standard input or in options",
            options=_CREATE,
            run=f"{_HANDLERS}:create",
        ),
        Sub(
            "dockerfile",
            "",
            "add an image that is built from a Dockerfile, written in an editor or given with --path",
            options=_CREATE,
            run=f"{_HANDLERS}:dockerfile",
        ),
        Sub(
            "clone",
            "imageid name",
            "copy, into the same datastore or another one; prints the id",
            options=(_DATASTORE,),
            call=(
                "image.clone",
                ID,
                Arg("name"),
                lambda inv: -1 if inv.opts.datastore is None else inv.opts.datastore,
            ),
            result="ID",
        ),
        list_sub(_LIST, "[filterflag:text]"),
        top_sub(_LIST, "[filterflag:text]"),
        show_sub(IMAGE, "services.cli.views.image:show"),
        delete_sub(IMAGE),
        _yes_no("enable", "let machines use them", "image.enable", True, "enabled"),
        _yes_no("disable", "keep machines from using them", "image.enable", False, "disabled"),
        _yes_no(
            "persistent",
            "keep what their machine writes to them",
            "image.persistent",
            True,
            "made persistent",
        ),
        _yes_no(
            "nonpersistent", "give each machine a copy", "image.persistent", False, "made non persistent"
        ),
        Sub(
            "chtype",
            "imageid_list type:image_type",
            "change their type",
            call=("image.chtype", ID, Arg("type")),
            done="type changed",
        ),
        _snapshot("snapshot-delete", "delete a snapshot", "snapshot deleted"),
        _snapshot("snapshot-revert", "go back to a snapshot", "reverted"),
        _snapshot("snapshot-flatten", "keep one snapshot as the image's content, delete all", "flattened"),
        Sub("orphans", "", "print the ids of images that no template uses", run=f"{_HANDLERS}:orphans"),
        rename_sub(IMAGE),
        update_sub(IMAGE),
        *lock_subs(IMAGE),
        *chown_subs(IMAGE),
    ],
)
