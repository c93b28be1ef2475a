"""The command line of ``./onebox``."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Sequence

from onebox_cli import engines
from onebox_cli import instance as instances
from onebox_cli.instance import ROOT, Instance
from onebox_cli.ui import Failure, say, step, warn

_DESCRIPTION = "An OpenNebula-compatible cloud front-end on this machine."
# Options of the benchmark "chaos".
_CHAOS = {
    "seconds": "chaos: how long a storm lasts (default: 120)",
    "seed": "chaos: what the first storm's choices follow from (default: 1)",
    "runs": "chaos: storms, each with the next seed (default: 1)",
    "vms": "chaos: VMs that live at a time, about (default: 200); sched: VMs that wait (default: 5000)",
}
# Options of the benchmark "sched", beside --vms.
_SCHED = {
    "hosts": "sched: hosts (default: 500, with --live 50)",
    "requirements": "sched: distinct requirements (default: 20)",
    "sizes": "sched: distinct sizes of VMs (default: 5)",
    "groups": "sched: VM groups, of seven VMs each (default: 0)",
}
# Options of the benchmark "kills"; each may be given again.
_KILLS = {
    "step": "kills: operations that begin so (default: all)",
    "victim": "kills: front-end, machine, sshd, libvirtd or network (default: all)",
}
_SCHED_FLAGS = {
    "curve": "sched: six sizes up to 20000 VMs on 2000 hosts",
    "live": "sched: VMs placed per second and reaction times of a front-end with dummy drivers",
}


def main(arguments: Sequence[str]) -> int:
    """Run a subcommand; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except Failure as failure:
        sys.stdout.flush()
        print(failure, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader (head, a pager) has seen enough; what is left must not be flushed into its closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("\nonebox: interrupted", file=sys.stderr)
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", help="name of the instance (default: onebox)")
    common.add_argument(
        "--data", metavar="DIR", help="folder of the instance (default: .onebox/ in the checkout)"
    )
    parser = argparse.ArgumentParser(prog="onebox", description=_DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=[common], help=text, description=text)
        added.set_defaults(run=run)
        return added

    up = command("up", _up, "start the front-end and wait until it is ready")
    up.add_argument("--engine", choices=("auto", "docker", "podman", "native"), default="auto",
                    help="where it runs; auto: a running Docker, else Podman, else native")  # fmt: skip
    up.add_argument("--port-offset", type=_offset, metavar="N", help="added to every port on this machine")
    up.add_argument("--db", choices=("sqlite", "mysql"), help="database (native: sqlite, image: mysql)")
    up.add_argument("--no-wait", action="store_true", help="do not wait until it is ready")
    down = command("down", _down, "stop the front-end; its data stays")
    down.add_argument("--purge", action="store_true", help="remove its data too")
    command("status", _status, "show what runs and where")
    logs = command("logs", _logs, "show the last log lines")
    logs.add_argument("-f", "--follow", action="store_true", help="go on showing new lines")
    logs.add_argument("program", nargs="?", metavar="PROGRAM", help="of this program only")
    command("env", _env, "print the environment of clients, for: eval $(./onebox env)")
    command("shell", _shell, "open a shell in the front-end's environment")
    adopt = command("adopt", _adopt, "take over an OpenNebula front-end's database, from its MySQL dump")
    adopt.add_argument("dump", metavar="DUMP.SQL")
    adopt.add_argument("-f", "--force", action="store_true", help="replace objects that are there already")
    adopt.add_argument("--keep-passwords", action="store_true",
                       help="leave the dump's passwords of oneadmin and serveradmin")  # fmt: skip
    build = command("build", _build, "build the container image")
    build.add_argument("--engine", choices=("auto", "docker", "podman"), default="auto")
    node = command("node", _node, "make this Debian machine a KVM node, or check it")
    node.add_argument("--check", action="store_true", help="change nothing, say what would be done")
    node.add_argument("--key", action="append", default=[], metavar="FILE",
                      help="public key of the front-end (its id_rsa.pub): a file, or the key")  # fmt: skip
    node.add_argument("--datastores", default="/var/lib/one/datastores", metavar="DIR",
                      help="DATASTORE_LOCATION of the front-end (default: %(default)s)")  # fmt: skip
    node.add_argument("--remotes", default="/var/tmp/one", metavar="DIR",
                      help="SCRIPTS_REMOTE_DIR of the front-end (default: %(default)s)")  # fmt: skip
    node.add_argument("--bridge", action="append", default=[], metavar="NAME[:INTERFACE]",
                      help="a bridge to make, with an interface that has no address")  # fmt: skip
    test = command("test", _test, "run linters and tests")
    test.add_argument(
        "--all", action="store_true", help="install what is missing (Debian, root), skip nothing"
    )
    test.add_argument(
        "rings", nargs="*", metavar="RING", help="lint, unit, service, image, node (default: all of them)"
    )
    bench = command(
        "bench",
        _bench,
        "run benchmarks on a temporary front-end, or on the instance picked; the result is JSON",
    )
    bench.add_argument("--db", choices=("sqlite", "mysql", "both"), help="database (default: sqlite)")
    for name, text in _CHAOS.items():
        bench.add_argument(f"--{name}", type=float if name == "seconds" else int, metavar="N", help=text)
    for name, text in _SCHED.items():
        bench.add_argument(f"--{name}", type=int, metavar="N", help=text)
    for name, text in _KILLS.items():
        bench.add_argument(f"--{name}", action="append", default=[], metavar="NAME", help=text)
    for name, text in _SCHED_FLAGS.items():
        bench.add_argument(f"--{name}", action="store_true", help=text)
    bench.add_argument("names", nargs="*", metavar="NAME")
    return parser


def _offset(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 50000:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to 50000, found {text!r}")
    return number


def _known(options: argparse.Namespace) -> Instance:
    found = instances.find(options.name, options.data)
    if not found.engine:
        raise Failure(
            f"there is no instance in {found.data}", advice=f"start one: ./onebox up{found.flags()}"
        )
    return found


def _up(options: argparse.Namespace) -> int:
    known = instances.find(options.name, options.data)
    with known.locked():
        chosen = engines.for_up(known, options.engine, options.port_offset, options.db)
        wanted = chosen.instance
        say(f"{wanted.name}: {wanted.engine}, {wanted.db}, data in {wanted.data}")
        started = chosen.up(wait=not options.no_wait)
        chosen.instance.save()
    flags = wanted.flags()
    say("" if started else f"\n{wanted.name} was running already.")
    say(f"  endpoint   {wanted.endpoint}")
    say(f"  password   in {wanted.auth_file} (user:password, readable by you only)")
    say(f"  next       eval $(./onebox env{flags}); onehost list")
    return 0


def _down(options: argparse.Namespace) -> int:
    known = _known(options)
    chosen = engines.of(known)
    with known.locked():
        stopped = chosen.down()
        say(f"{known.name} {'stopped' if stopped else 'was not running'}")
        if options.purge:
            with step("removing data"):
                chosen.purge()
                shutil.rmtree(known.data, ignore_errors=True)
    return 0


def _status(options: argparse.Namespace) -> int:
    known = _known(options)
    chosen = engines.of(known)
    say(f"{known.name}: {known.engine}, {known.db}, endpoint {known.endpoint}, data in {known.data}")
    if not chosen.is_running():
        say("stopped")
        return 3
    for line in chosen.programs():
        say(f"  {line}")
    found = chosen.problems()
    say("ready" if not found else "not ready:\n" + "\n".join(f"  {line}" for line in found))
    return 1 if found else 0


def _logs(options: argparse.Namespace) -> int:
    return engines.of(_known(options)).logs(options.program, options.follow)


def _env(options: argparse.Namespace) -> int:
    known = _known(options)
    if not known.auth_file.exists():
        warn(f"{known.auth_file} is not there yet: run up first")
    exports = {"ONE_XMLRPC": known.endpoint, "ONE_AUTH": str(known.auth_file)}
    exports |= engines.of(known).client_environment()
    words = " ".join(f"{name}={shlex.quote(value)}" for name, value in exports.items())
    print(f'export {words} PATH={shlex.quote(str(ROOT / "bin"))}:"$PATH"')
    return 0


def _shell(options: argparse.Namespace) -> int:
    chosen = engines.of(_known(options))
    if not chosen.is_running():
        raise Failure(
            f"{chosen.instance.name} is not running", advice=f"./onebox up{chosen.instance.flags()}"
        )
    return chosen.shell()


def _adopt(options: argparse.Namespace) -> int:
    chosen = engines.of(_known(options))
    if not chosen.is_running():
        raise Failure(
            f"{chosen.instance.name} is not running", advice=f"./onebox up{chosen.instance.flags()}"
        )
    words = ["adopt", "-"]
    words += ["--force"] if options.force else []
    words += ["--keep-passwords"] if options.keep_passwords else []
    try:
        with open(options.dump, "rb") as dump:
            return chosen.onedb(words, dump)
    except OSError as error:
        raise Failure(f"{options.dump}: cannot be read: {error.strerror}") from None


def _build(options: argparse.Namespace) -> int:
    known = instances.find(options.name, options.data)
    container = engines.for_build(known, options.engine)
    container.build(show=True)
    return 0


def _node(options: argparse.Namespace) -> int:
    from onebox_cli.node import command, wanted

    chosen = wanted.of(options.datastores, options.remotes, options.key, options.bridge)
    return command.run(chosen, check=options.check)


def _test(options: argparse.Namespace) -> int:
    from onebox_cli import rings

    return rings.run(options.rings, everything=options.all)


def _bench(options: argparse.Namespace) -> int:
    from onebox_cli import rings

    chosen = {name: getattr(options, name) for name in (*_CHAOS, *_SCHED)}
    more = [f"--{name}={value}" for name, value in chosen.items() if value is not None]
    more += [f"--{name}={value}" for name in _KILLS for value in getattr(options, name)]
    more += [f"--{name}" for name in _SCHED_FLAGS if getattr(options, name)]
    if options.name is None and options.data is None:
        return rings.bench(options.names, options.db, more=more)
    if options.db:
        raise Failure("--db is for a temporary front-end; the instance that you picked has its own database")
    known = _known(options)
    clients = {"ONE_XMLRPC": known.endpoint, "ONE_AUTH": str(known.auth_file)}
    return rings.bench(options.names, None, clients, more=more)
