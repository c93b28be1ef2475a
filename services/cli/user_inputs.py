"""What a template asks its user for (USER_INPUTS), asked on the terminal.

One input reads ``M|type|description|parameters|default``: M mandatory, O optional, fixed cannot be changed.
Source: user inputs of the vm template reference, release 6.0.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from services.cli import secrets, template_text
from services.cli.errors import CliError

_WHOLE = re.compile(r"-?\d+")
_DECIMAL = re.compile(r"-?\d+(\.\d+)?")
_EDITOR = "<<EDITOR>>"


class Input:
    """One input: what is asked for, and what is a good answer."""

    def __init__(self, name: str, text: str) -> None:
        parts = [part.strip() for part in text.split("|")]
        if len(parts) not in (3, 5):
            raise CliError(
                f"The template's input {name} is malformed: expected 3 or 5 parts between |, found {text!r}."
            )
        self.name = name
        self.is_optional, self.is_fixed = parts[0] == "O", parts[1] == "fixed"
        self.type, self.about = parts[1], parts[2]
        self.params, self.initial = (parts[3], parts[4]) if len(parts) == 5 else ("", "")

    def check(self, answer: str) -> str:
        """The answer as the template gets it. Raises CliError for one that does not fit."""
        kind, fault = self.type, ""
        if kind in ("number", "number-float", "range", "range-float"):
            is_decimal = kind.endswith("-float")
            if not (_DECIMAL if is_decimal else _WHOLE).fullmatch(answer):
                fault = "a number" if is_decimal else "a whole number"
            elif kind.startswith("range"):
                low, high = self._range()
                if not low <= float(answer) <= high:
                    fault = f"a number from {low:g} to {high:g}"
        elif kind == "boolean" and answer not in ("YES", "NO"):
            fault = "YES or NO"
        elif kind == "list" and answer not in self.choices:
            fault = f"one of {', '.join(self.choices)}"
        elif kind == "fixed" and answer != self.initial:
            fault = f"{self.initial}, which cannot be changed"
        if fault:
            raise CliError(f"Input {self.name}: expected {fault}, found {answer!r}.")
        if kind == "text64":
            from base64 import b64encode

            return b64encode(answer.encode()).decode()
        return answer

    @property
    def choices(self) -> list[str]:
        """The values of a list."""
        return self.params.split(",")

    @property
    def prompt(self) -> str:
        """What stands before the answer."""
        kinds = {"number": "Integer", "number-float": "Float", "boolean": "YES or NO"}
        text = kinds.get(self.type, "")
        if self.type.startswith("range"):
            low, high = self._range()
            text = f"{'Float' if self.type.endswith('float') else 'Integer'} from {low:g} to {high:g}"
        elif self.type == "list":
            text = "Number of the selection"
        default = f"Press enter for default ({self.initial}). " if self.initial else ""
        return f"    {default}{text}{': ' if text else ''}"

    def _range(self) -> tuple[float, float]:
        low, dots, high = self.params.partition("..")
        try:
            return float(low), float(high)
        except ValueError:
            raise CliError(
                f"The template's input {self.name} is malformed: expected MIN..MAX, found {self.params!r}."
            ) from None


def obtain(asked: list[tuple[str, str]], given: dict[str, str], order: str = "") -> str:
    """The answers as template text: given ones are checked, the others asked for. Raises CliError.

    Without a terminal the lines of standard input are the answers; when they end, defaults are taken and a
    mandatory input without one is an error that names it.
    """
    places = {name: index for index, name in enumerate(order.split(","))}
    inputs = [Input(name, text) for name, text in asked]
    inputs.sort(key=lambda item: places.get(item.name, len(places)))
    answers = {item.name: item.check(given[item.name]) for item in inputs if item.name in given}
    answers = {**{name: value for name, value in given.items() if name not in answers}, **answers}
    missing = [item for item in inputs if item.name not in given]
    if missing and sys.stdin.isatty():
        _say(
            f"The template asks for {len(missing)} value{'s' if len(missing) > 1 else ''}; "
            f"the answer {_EDITOR} opens an editor."
        )
    for item in missing:
        answer = _ask(item)
        if answer is not None:
            answers[item.name] = answer
    return "\n".join(f"{name}={template_text.quote(value)}" for name, value in answers.items())


def _ask(item: Input) -> str | None:
    """The answer to one input, None when an optional one is left out."""
    if item.is_fixed:
        return item.initial
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        _say(f"  * ({item.name}) {item.about}")
        if item.type == "list":
            for number, choice in enumerate(item.choices):
                _say(f"    {number}  {choice}")
    while True:
        answer = _line(item, is_terminal)
        if not answer:
            if item.initial:
                return item.check(item.initial)
            if item.is_optional:
                return None
            if not is_terminal:
                raise CliError(
                    f"The template asks for {item.name} ({item.about}): give it with "
                    f"--user-inputs {item.name}=VALUE."
                )
            if item.type in ("text", "text64", "password"):
                return ""
            continue
        if item.type == "list" and answer.isdigit() and int(answer) < len(item.choices):
            answer = item.choices[int(answer)]
        try:
            return item.check(answer)
        except CliError as error:
            if not is_terminal:
                raise
            _say(f"    {error}")


def _line(item: Input, is_terminal: bool) -> str:
    if not is_terminal:
        return sys.stdin.readline().rstrip("\r\n")
    if item.type == "password":
        return secrets.ask("    Password")
    sys.stderr.write(item.prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise CliError(f"No answer for {item.name}; nothing was created.")
    answer = line.rstrip("\r\n")
    return template_text.edit("").rstrip("\n") if answer == _EDITOR else answer


def _say(text: str) -> None:
    """To the terminal, not into the output that scripts read."""
    sys.stderr.write(text + "\n")


def of_template(template: Any) -> tuple[list[tuple[str, str]], str]:
    """The inputs of a template's document, and the order to ask in."""
    found = template.find("TEMPLATE/USER_INPUTS")
    asked = [(child.tag, child.text or "") for child in found] if found is not None else []
    return asked, template.findtext("TEMPLATE/INPUTS_ORDER", "") or ""
