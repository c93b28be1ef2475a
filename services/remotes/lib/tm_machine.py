"""Work on machines: ours, or a node over ssh. No shell ever sees a name that is not quoted.

What looks at files or changes them runs on the machine itself, as functions of the modules tm_node*: their
text is sent along, so that a node needs python3 and no copy of them. Data travels as sparse tar between two
programs.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

from driver import DriverError, fail
from tm_paths import Spot

_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15")
# An answer is a few lines; a machine that was taken over could send as much as it likes.
_ANSWER_MAX_BYTES = 4 * 1024 * 1024
_FORWARDING = ("-o", "ForwardAgent=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none")
# Reads the modules from standard input, which stays open: its end is that of the caller, and of the work.
_LOADER = """
import json, os, sys, threading, types
def read(count):
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece: sys.exit("the front-end hung up")
        data += piece
    return data
for name, text in json.loads(read(int(sys.argv[1]))):
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
sys.modules["tm_node"].begin(sys.argv[2], sys.argv[3])
"""
# What each of them needs, itself last.
_MODULES = {
    "tm_node": ("tm_node",),
    "tm_node_copy": ("tm_node", "tm_node_copy"),
    "tm_node_make": ("tm_node", "tm_node_copy", "tm_node_make"),
    "tm_node_chain": ("tm_node", "tm_node_copy", "tm_node_chain"),
    "tm_node_live": ("tm_node", "tm_node_copy", "tm_node_chain", "tm_node_live"),
    "tm_node_arrived": ("tm_node", "tm_node_copy", "tm_node_chain", "tm_node_arrived"),
    "tm_node_sizes": ("tm_node", "tm_node_sizes"),
}


def on(host: str, argv: Sequence[str], *, forwards_agent: bool = False) -> list[str]:
    """The command that runs a program on a machine."""
    if not host:
        return list(argv)
    options = _FORWARDING if forwards_agent else ()
    return [*_SSH, *options, "--", host, shlex.join(argv)]


def _code(module: str) -> bytes:
    folder = os.path.dirname(os.path.realpath(__file__))
    texts = []
    for name in _MODULES[module]:
        with open(os.path.join(folder, f"{name}.py"), encoding="utf-8") as file:
            texts.append((name, file.read()))
    return json.dumps(texts).encode()


def call(host: str, verb: str, *, forwards_agent: bool = False, **values: Any) -> Any:
    """What a function of the node modules answers; verb: module.function. Raises DriverError."""
    code = _code(verb.partition(".")[0])
    program = [
        sys.executable if not host else "python3",
        *("-I", "-S", "-c", _LOADER, str(len(code)), verb, json.dumps(values)),
    ]
    with subprocess.Popen(
        on(host, program, forwards_agent=forwards_agent),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        try:
            process.stdin.write(code)
            process.stdin.flush()
        except BrokenPipeError:
            pass  # its end and its message follow
        answer = process.stdout.read(_ANSWER_MAX_BYTES + 1)
        if len(answer) > _ANSWER_MAX_BYTES:
            process.kill()
            raise DriverError(f"{host or 'the front-end'}: {verb} answers without an end")
        said = _last_words(process.stderr)
    where = host or "the front-end"
    if process.returncode != 0:
        raise DriverError(f"{where}: {said[-2000:] or f'{verb} ended with code {process.returncode}'}")
    try:
        return json.loads(answer.decode().splitlines()[-1])
    except (ValueError, IndexError):
        raise DriverError(f"{where}: {verb} gave no answer; is python3 there?") from None


def copy(
    source: Spot,
    target: Spot,
    *,
    layers: Sequence[str] = (),
    is_folder: bool = False,
    is_single: bool = False,
    monitor: str = "",
    check: Mapping[str, Any] | None = None,
    **commit: Any,
) -> None:
    """Copy a file with its snapshots, its layers or a folder, whole or not at all.

    layers: what it consists of; it becomes a disk of layers then. is_single: the file alone. check: what
    tm_node_arrived is told of what a node sends. commit: as tm_node_copy.commit, or tm_node_chain.place for
    layers, takes it. Between two nodes it goes straight when the one may log in at the other, else through
    the front-end. Raises DriverError; then nothing has changed.
    """
    names = list(layers) or [source.name]
    if not layers and not is_single:
        names = call(source.host, "tm_node_copy.parts", path=source.path, whole=is_folder)
    temporary = call(target.host, "tm_node_copy.stage", target=target.path, monitor=monitor)
    try:
        if source.host == target.host:
            values = {"source": source.path, "names": names, "temporary": temporary, "is_folder": is_folder}
            call(target.host, "tm_node_copy.bring", **values)
        else:
            _stream(source, names, target.host, temporary, is_folder=is_folder)
        if check is not None and source.host:
            arrived = f"{temporary}/{source.name}"
            verb = "tm_node_arrived.check_folder" if is_folder else "tm_node_arrived.check_disk"
            call(target.host, verb, path=arrived, place=target.path, **check)
        if not layers:
            commit["is_folder"] = is_folder
        finish = "tm_node_chain.place" if layers else "tm_node_copy.commit"
        call(target.host, finish, temporary=temporary, name=source.name, target=target.path, **commit)
    except DriverError:
        _drop(target.host, temporary)
        raise


def _drop(host: str, temporary: str) -> None:
    """Remove what is left of a copy; the next try does it, too."""
    try:
        call(host, "tm_node_copy.drop", temporary=temporary)
    except DriverError as error:
        sys.stderr.write(f"what is left of a copy stays for now: {error}\n")


def _stream(source: Spot, names: list[str], host: str, temporary: str, *, is_folder: bool) -> None:
    unpack = ["tar", "-C", temporary, "-xSf", "-"]
    pack = ["tar", "-C", source.parent, "--no-unquote", "-cSf", "-"]
    if not is_folder:
        pack.append("--dereference")
    pack += ["--", *(f"./{name}" for name in names)]
    if source.host and host and _reaches(source.host, host):
        call(
            source.host,
            "tm_node_copy.send",
            forwards_agent=True,
            pack=pack,
            unpack=on(host, unpack),
        )
        return
    pipe(on(source.host, pack), on(host, unpack))


def _reaches(source: str, target: str) -> bool:
    command = on(source, on(target, ["true"]), forwards_agent=True)
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def pipe(producer: Sequence[str], consumer: Sequence[str]) -> None:
    """Run two programs, the output of one into the other; both must succeed. Raises DriverError."""
    with (
        subprocess.Popen(
            producer, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as first,
        subprocess.Popen(
            consumer, stdin=first.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as second,
    ):
        assert first.stdout is not None and first.stderr is not None and second.stderr is not None
        first.stdout.close()
        text = f"{_last_words(second.stderr)}\n{_last_words(first.stderr)}".strip()
    if first.returncode or second.returncode:
        raise DriverError(f"copying failed: {text[-2000:] or 'the connection was cut'}")


def _last_words(stream: IO[bytes]) -> str:
    """The end of what a program says; a node may say as much as it likes."""
    kept = b""
    while piece := stream.read(65_536):
        kept = (kept + piece)[-4096:]
    return kept.decode("utf-8", "replace").strip()


def log(text: str) -> None:
    """A line for the VM's log."""
    sys.stderr.write(f"INFO: {os.path.basename(sys.argv[0])}: {text}\n")


def refuse(argv: Sequence[str]) -> None:
    """For actions that a driver does not have."""
    fail(f"{os.path.basename(sys.argv[0])}: the transfer driver cannot do this")
