"""Values that a user fills in when a template is instantiated, checked against its USER_INPUTS.

An input reads ``M|number|How many?| |3``: mandatory or optional, type, description, options, default.
OpenNebula leaves the check to its clients, which also ask for what is missing; so here a value that a call
gives must fit its input, and one that is not given is never asked for.
Source: user inputs of the VM template guide of release 6.0.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.common.template import Template, Vector
from services.oned.errors import RequestError
from services.oned.lifecycle.numbers import decimal, whole

_BOOLEANS = ("YES", "NO", "TRUE", "FALSE", "1", "0")


@dataclass(frozen=True, slots=True)
class UserInput:
    """One declared input. ``kind``: text, text64, password, number, number-float, range, range-float, list,
    list-multiple or boolean; others are not checked. ``options``: ``1..10`` of a range, ``a,b`` of a list.
    """

    name: str
    is_mandatory: bool
    kind: str
    options: str

    @classmethod
    def of(cls, name: str, text: str) -> UserInput:
        """The input that a value of USER_INPUTS declares."""
        need, kind, _, options, *_ = [part.strip() for part in f"{text}||||".split("|")]
        return cls(name, need.upper() == "M", kind.lower(), options)

    def problem(self, value: str) -> str:
        """What is wrong with a value, or an empty text. No value is as good as none for an optional input."""
        if not value:
            return "a value" if self.is_mandatory else ""
        if self.kind in ("number", "number-float"):
            return self._number_problem(value)
        if self.kind in ("range", "range-float"):
            return self._number_problem(value) or self._range_problem(value)
        if self.kind == "boolean" and value.upper() not in _BOOLEANS:
            return "YES or NO"
        if self.kind in ("list", "list-multiple") and self.options:
            allowed = {option.strip() for option in self.options.split(",")}
            chosen = value.split(",") if self.kind == "list-multiple" else [value]
            if not {choice.strip() for choice in chosen} <= allowed:
                return f"{'some' if len(chosen) > 1 else 'one'} of {self.options}"
        return ""

    def _number_problem(self, value: str) -> str:
        if self.kind.endswith("-float"):
            return "" if decimal(value.strip()) is not None else "a number"
        return "" if whole(value.strip()) is not None else "an integer"

    def _range_problem(self, value: str) -> str:
        least, dots, most = self.options.partition("..")
        low, high, number = decimal(least.strip()), decimal(most.strip()), decimal(value.strip())
        if not dots or low is None or high is None or number is None:
            return ""
        return "" if low <= number <= high else f"a number from {least.strip()} to {most.strip()}"


def check(template: Template, given: Template) -> None:
    """Raise RequestError naming every value of a call that does not fit its input of the template."""
    inputs: Vector = template.get_vector("USER_INPUTS") or {}
    problems = []
    for name in sorted(inputs):
        value = given.get(name)
        expected = "" if value is None else UserInput.of(name, inputs[name]).problem(value)
        if expected:
            problems.append(f"{name} must be {expected}, found {(value or '')[:40]!r}")
    if problems:
        raise RequestError(f"User inputs do not fit the template: {'; '.join(problems)}.")
