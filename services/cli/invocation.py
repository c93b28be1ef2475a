"""One run of a subcommand: its arguments and options, the front-end, the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from services.cli.argtypes import Names
from services.cli.decl import ID, Arg, Command, Sub, load
from services.cli.errors import EXIT_FAILURE, CliError
from services.cli.kinds import Kind
from services.cli.parse import Options
from services.common.oca import Client, EndpointError, OneError


class Invocation:
    """What a handler or a view works with."""

    def __init__(self, command: Command, sub: Sub, options: Options) -> None:
        self.command = command
        self.sub = sub
        self.kind = command.kind
        self.opts: Any = options
        self.args: dict[str, Any] = {}
        self.names = Names(self.visit)
        self.endpoint_error = EndpointError
        self._client: Client | None = None
        self._output = sys.stdout  # also while a watch collects what is printed

    # -- the front-end -------------------------------------------------------------------------------
    @property
    def client(self) -> Client:
        """The connection, made when first needed. Raises CliError without credentials."""
        if self._client is None:
            from services.cli import credentials

            self._client = credentials.client(
                self.opts.user, self.opts.password, self.opts.endpoint, self.opts.cacert
            )
        return self._client

    def forget(self) -> None:
        """Forget the names of objects, before pools are read again."""
        self.names = Names(self.visit)

    def connect(self, user: str, secret: str) -> None:
        """Make the further calls in the name of another user."""
        from services.cli import credentials

        self.opts.user = user  # whom a refusal is about
        self._client = credentials.client(user, secret, self.opts.endpoint, self.opts.cacert)

    def call(self, method: str, *args: Any) -> Any:
        """What ``one.<method>`` returns."""
        return self.client.call(method, *args)

    def info(self, oid: int, *more: Any) -> str:
        """The document of one object of the command's kind."""
        return str(self.call(f"{self.kind.rpc}.info", oid, *(more or (bool(self.opts.decrypt),))))

    def visit(
        self, kind: Kind, use: Callable[[Any], object], method: str = "", args: tuple[Any, ...] | None = None
    ) -> None:
        """Call ``use`` with every member of a pool, as it arrives where pools can be large."""
        from services.cli import documents

        method, args = method or kind.pool_method, kind.pool_args if args is None else args
        if kind.streams:
            reader = documents.PoolReader(kind, use)
            self.client.stream(method, args, reader.feed)
            reader.finish()
        else:
            for member in documents.members(self.call(method, *args), kind):
                use(member)

    def load_view(self) -> Any:
        """The view that the declaration names."""
        assert self.sub.view is not None
        return load(self.sub.view)

    # -- running a declaration -----------------------------------------------------------------------
    def perform(self) -> int:
        """Run the declared call for each id, or once; exit code."""
        ids = next(iter(self.args.values()), None) if self.args else None
        spec = self.sub.arg_specs()
        if spec and spec[0].type.endswith("id_list") and isinstance(ids, list):
            return self.each(ids, self._call_for)
        single = ids if spec and spec[0].type.endswith("id") and isinstance(ids, int) else -1
        value = self._call_for(single)
        if self.sub.result:
            self.out(f"{self.sub.result}: {value}")
        elif single >= 0:
            self.tell(single)
        return 0

    def each(self, ids: list[int], action: Any) -> int:
        """Run ``action`` for every id; one that is refused does not stop the others."""
        code = 0
        for oid in ids:
            try:
                action(oid)
            except OneError as error:
                self.warn(str(error))
                code = EXIT_FAILURE
            else:
                self.tell(oid)
        return code

    def tell(self, oid: int) -> None:
        """Say what was done, with -v."""
        if self.opts.verbose:
            self.out(f"{self.kind.name} {oid}: {self.sub.done}")

    def _call_for(self, oid: int) -> Any:
        assert self.sub.call is not None
        method, *parameters = self.sub.call
        values: list[Any] = []
        for parameter in parameters:
            value = self._value(parameter, oid)
            if isinstance(value, tuple):
                values.extend(value)
            else:
                values.append(value)
        return self.call(method, *values)

    def _value(self, parameter: Any, oid: int) -> Any:
        if parameter is ID:
            return oid
        if isinstance(parameter, Arg):
            value = self.args.get(parameter.name)
            return parameter.default if value is None else value
        return parameter(self) if callable(parameter) else parameter

    # -- the terminal --------------------------------------------------------------------------------
    @property
    def is_terminal(self) -> bool:
        """Whether standard output is a terminal."""
        return self._output.isatty()

    @property
    def is_styled(self) -> bool:
        """Whether colours and emphasis may be used."""
        return self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def terminal_width(self) -> int | None:
        """Columns of the terminal, None when output goes elsewhere."""
        if not self.is_terminal:
            return None
        try:
            return os.get_terminal_size(self._output.fileno()).columns or None
        except OSError:
            return None

    @property
    def terminal_height(self) -> int | None:
        """Lines of the terminal, None when output goes elsewhere."""
        if not self.is_terminal:
            return None
        try:
            return os.get_terminal_size(self._output.fileno()).lines or None
        except OSError:
            return None

    def out(self, text: str = "", end: str = "\n") -> None:
        """Print to standard output."""
        sys.stdout.write(text + end)

    def warn(self, text: str) -> None:
        """Print one line to standard error."""
        sys.stdout.flush()
        sys.stderr.write(text + "\n")

    def page(self, lines: list[str]) -> None:
        """Print lines, through a pager (ONE_PAGER, less) when a terminal cannot show them all."""
        text = "\n".join(lines) + "\n"
        pager = os.environ.get("ONE_PAGER", "less")
        if not self.is_terminal or pager in ("", "cat") or len(lines) < (self.terminal_height or 0):
            sys.stdout.write(text)
            return
        import shlex
        import subprocess

        sys.stdout.flush()
        try:
            subprocess.run(
                shlex.split(pager), input=text.encode(), env={"LESS": "FRXS", **os.environ}, check=False
            )
        except OSError:
            sys.stdout.write(text)

    def print_document(self, text: str) -> None:
        """Print a document as XML, JSON or YAML, as the options ask."""
        from services.cli import documents, formats

        if self.opts.xml:
            self.out(formats.xml(text), end="")
        elif self.opts.yaml:
            self.out(formats.yaml(documents.parse(text)), end="")
        else:
            self.out(formats.json(documents.parse(text)), end="")


__all__ = ["CliError", "EndpointError", "Invocation", "OneError"]
