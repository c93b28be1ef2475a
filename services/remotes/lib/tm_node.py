"""Functions that run where disks lie, see tm_machine: this one, and those of the other modules tm_node*.

They get checked paths, and still look twice at what they delete: a folder of a VM is no link, and what is
removed is removed without following any. What arrives is made under another name, and renamed when it is
complete.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

_SAID_MAX = 2000


class Fault(Exception):
    """It cannot be done; the message is for the user."""


def begin(verb: str, values: str) -> None:
    """Run a function, print its answer; a Fault or an error of the system is its failure."""
    os.umask(0o007)
    os.environ.update(LANG="C", LC_ALL="C")
    os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    threading.Thread(target=_end_with_caller, daemon=True).start()
    module, _, name = verb.partition(".")
    try:
        answer = getattr(sys.modules[module], name)(**json.loads(values))
    except Fault as error:
        _give_up(str(error))
    except OSError as error:
        _give_up(f"{error.filename or verb}: {error.strerror or error}")
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()
    os._exit(0)  # the thread still waits on standard input


def _give_up(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
    os._exit(1)


_children: set[subprocess.Popen[bytes]] = set()


def _end_with_caller() -> None:
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        pass
    for child in list(_children):
        child.kill()
    os._exit(1)


def start(argv: Sequence[str], **options: int | None) -> subprocess.Popen[bytes]:
    """A program that ends when our caller does. Raises Fault."""
    options.setdefault("stdin", subprocess.DEVNULL)
    try:
        child = subprocess.Popen(list(argv), stderr=subprocess.PIPE, **options)  # type: ignore[call-overload]
    except FileNotFoundError:
        raise Fault(f"{argv[0]} is not installed") from None
    _children.add(child)
    return child  # type: ignore[no-any-return]


def run(argv: Sequence[str]) -> str:
    """The output of a program that must succeed. Raises Fault with what it said."""
    code, out, said = attempt(argv)
    if code != 0:
        raise Fault(f"{argv[0]} failed: {said or out[-_SAID_MAX:] or f'exit code {code}'}")
    return out


def attempt(argv: Sequence[str]) -> tuple[int, str, str]:
    """Exit code, output and message of a program. Raises Fault when it is not there."""
    child = start(argv, stdout=subprocess.PIPE)
    out, error = child.communicate()
    _children.discard(child)
    return (
        child.returncode,
        out.decode("utf-8", "replace"),
        error.decode("utf-8", "replace").strip()[-_SAID_MAX:],
    )


# -- folders -------------------------------------------------------------------------------------------
def make_folder(folder: str, monitor: str = "") -> None:
    """The folder of a VM is there; monitor: who watches its datastore, if not the front-end."""
    os.makedirs(folder, exist_ok=True)
    must_be_folder(folder)
    if monitor:
        marker = os.path.join(os.path.dirname(folder), ".monitor")
        if read(marker).strip() != monitor:
            write(marker, f"{monitor}\n")


def must_be_folder(folder: str) -> None:
    """Raises Fault when a VM's folder is something else."""
    if os.path.islink(folder) or not os.path.isdir(folder):
        raise Fault(f"{folder} is not a folder")


def read(path: str) -> str:
    """The text of a small file; '' when there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(4096)
    except OSError:
        return ""


def write(path: str, text: str) -> None:
    """Replace a file as a whole."""
    partial = f"{path}.part{os.getpid()}"
    with open(partial, "x", encoding="utf-8") as file:
        file.write(text)
    os.replace(partial, path)


def erase(path: str) -> None:
    """A file, link or folder goes, without following links. A busy folder is tried again for a while."""
    for wait_s in (0.5, 1, 2, 4, 0):
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        except FileNotFoundError:
            if not os.path.lexists(path):
                return
        except OSError:
            if not wait_s:
                raise
        if not os.path.lexists(path):
            return
        time.sleep(wait_s)


def leftovers(target: str) -> list[str]:
    """What interrupted copies to this place have left."""
    parent, name = os.path.split(target)
    try:
        entries = os.listdir(parent)
    except FileNotFoundError:
        return []
    starts = (f".{name}.part.", f".{name}.gone.")
    return [os.path.join(parent, entry) for entry in entries if entry.startswith(starts)]


def remove(path: str) -> None:
    """A disk with its snapshots, or the folder of a VM, goes; done when it is not there."""
    for left in leftovers(path):
        erase(left)
    if os.path.basename(path).startswith("disk."):
        parent = os.path.dirname(path)
        if os.path.islink(parent):
            raise Fault(f"{parent} is a link, not the folder of a VM")
        erase(path)
        erase(f"{path}.snap")
        return
    if os.path.isdir(path) and not os.path.islink(path):
        # Under another name first: what is half deleted is never taken for a VM's disks.
        gone = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.gone.{os.getpid()}")
        os.rename(path, gone)
        path = gone
    erase(path)


def is_there(path: str) -> bool:
    """Whether there is anything of that name."""
    return os.path.lexists(path)


def mark(folder: str, name: str) -> None:
    """Leave a mark beside a folder, to see whether another machine sees the same storage."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(os.path.join(os.path.dirname(folder), name), "x", encoding="utf-8"):
        pass


def unmark(folder: str, name: str) -> None:
    """The mark goes."""
    erase(os.path.join(os.path.dirname(folder), name))


def is_marked(folder: str, name: str) -> bool:
    """Whether the mark is seen."""
    return os.path.exists(os.path.join(os.path.dirname(folder), name))
