"""Shortcut options that describe a VM (onevm create, onetemplate create and instantiate).

Only their declaration, which every start of a command pays for; vm_describe.py makes a template of them.
"""

from __future__ import annotations

from services.cli.decl import Opt

NAME = Opt("name", "name of the new object", "name")
CPU = Opt("cpu", "share of physical CPUs, such as 0.5", "cpu", type="decimal")
VCPU = Opt("vcpu", "number of virtual CPUs", "vcpu", type="count")
MEMORY = Opt("memory", "memory in MB; 2g means 2048", "memory", type="memory")
CAPACITY = (CPU, VCPU, MEMORY)
OPTIONS = (
    NAME,
    *CAPACITY,
    Opt(
        "disk",
        "images to attach: name, id or user[name], with :attribute=value behind",
        "image0,image1",
        type="words",
    ),
    Opt(
        "nic",
        "networks to attach: name, id, user[name] or auto, with :attribute=value behind",
        "network0,network1",
        type="words",
    ),
    Opt("arch", "architecture, such as x86_64", "arch"),
    Opt("boot", "boot devices in order, such as disk0,nic0", "device_list"),
    Opt("raw", "text added to the template as it is", "string"),
    Opt("vnc", "a VNC display"),
    Opt("vnc-password", "password of the VNC display", "password"),
    Opt("vnc-listen", "address that the VNC display listens on (0.0.0.0)", "ip"),
    Opt("vnc-keymap", "keyboard of the VNC display, such as de", "keymap"),
    Opt("spice", "a SPICE display"),
    Opt("spice-password", "password of the SPICE display", "password"),
    Opt("spice-listen", "address that the SPICE display listens on (0.0.0.0)", "ip"),
    Opt("spice-keymap", "keyboard of the SPICE display", "keymap"),
    Opt(
        "ssh",
        "let the key in a file log in; without a file the user's SSH_PUBLIC_KEY",
        "file",
        optional=True,
    ),
    Opt("net_context", "tell the guest its network configuration"),
    Opt("context", "lines NAME=VALUE for the guest", "line1,line2,line3", type="words"),
    Opt("files_ds", "files of a file datastore for the guest, by name", "file1,file2", type="words"),
    Opt("init", "scripts among those files that the guest runs", "script1,script2", type="words"),
    Opt("startscript", "file with a script that the guest runs", "file", optional=True),
    Opt("report_ready", "the guest reports READY=YES to OneGate"),
    Opt("vcenter_vm_folder", "vCenter folder of the machine", "path"),
    Opt("user-inputs", "values NAME=VALUE of what the template asks for", "ui1,ui2,ui3", type="words"),
    Opt("as_uid", "create in the name of this user", "uid", type="integer"),
    Opt("as_gid", "create in the name of this group", "gid", type="integer"),
)
HOLD = Opt("hold", "create on hold, so that the scheduler leaves it alone")
MULTIPLE = Opt("multiple", "create that many; %i in the name becomes the number", "x", "m", "count")
DRY = Opt("dry", "print the template and do nothing")
