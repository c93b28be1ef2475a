"""Scheduled actions of VMs: actions with --schedule, and charters.

They are SCHED_ACTION attributes of the user template; the scheduler does them when their time has come.
Source: scheduled actions of the guide "managing virtual machine instances", release 6.0.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import documents, listconf, template_text, units
from services.cli.argtypes import convert
from services.cli.commands import vm_parts
from services.cli.errors import CliError

_REPETITIONS = (("weekly", 0, 6), ("monthly", 1, 31), ("yearly", 0, 365), ("hourly", 1, 168))
_NO_END, _AFTER_TIMES, _AT_TIME = "0", "1", "2"
_MERGE, _REPLACE = 1, 0
Parts = list[tuple[str, str]]


def act(inv: Any) -> int:
    """Do the action, or with --schedule add it to the scheduled actions of each VM."""
    if inv.opts.schedule is None:
        given = [name for name in ("weekly", "monthly", "yearly", "hourly", "end") if getattr(inv.opts, name)]
        if given:
            raise CliError(f"--{given[0]} needs --schedule.")
        return vm_parts.perform(inv)
    name = inv.sub.name + ("-hard" if inv.opts.hard else "")
    when = _when(inv.opts)
    args = _arguments(inv)
    ids = inv.args.get("vmid_list") or [inv.args["vmid"]]
    shown = inv.opts.schedule
    if isinstance(shown, int):
        shown = units.moment(shown)

    def add(oid: int) -> None:
        _add(inv, oid, [("ACTION", name), *args, *when])
        inv.out(f"VM {oid}: {name} scheduled at {shown}")

    inv.opts.verbose = None  # said by add, always
    return int(inv.each(ids, add))


def create(inv: Any) -> int:
    """Add the charters of the configuration: each begins when the one before it is over."""
    charters = listconf.read("onevm")[0].get("charters")
    if not isinstance(charters, dict) or not charters:
        raise CliError(
            f"There are no charters in {listconf.system_dir()}/onevm.yaml or ~/.one/cli/onevm.yaml."
        )
    oid, start_s, warning_s = inv.args["vmid"], 0, 0
    for action, settings in charters.items():
        start_s += _seconds(action, "time", settings)
        warning_s += _seconds(action, "warning/time", settings)
        _add(inv, oid, [("ACTION", action), ("WARNING", str(warning_s)), ("TIME", f"+{start_s}")])
        inv.out(f"VM {oid}: {action} scheduled at +{start_s}")
    return 0


def delete(inv: Any) -> int:
    """Delete one scheduled action."""
    oid, number = inv.args["vmid"], inv.args["sched_id"]
    user_template = _user_template(inv, oid)
    user_template.remove(_one(user_template, oid, number))
    inv.call("vm.update", oid, template_text.from_element(user_template), _REPLACE)
    inv.tell(oid)
    return 0


def update(inv: Any) -> int:
    """Replace one scheduled action by the attributes of a file or of the editor; it keeps its number."""
    oid, number = inv.args["vmid"], inv.args["sched_id"]
    user_template = _user_template(inv, oid)
    action = _one(user_template, oid, number)
    text = template_text.obtain(
        inv, lambda: template_text.from_element(action), inv.args.get("file"), is_addition=False
    )
    if text is None:
        inv.warn("Nothing was changed.")
        return 0
    parts = [line.rstrip(",").partition("=") for line in text.splitlines() if line.strip()]
    for name, equals, _ in parts:
        if not equals or not name.strip().replace("_", "").isalnum():
            raise CliError(f"A scheduled action has lines NAME=VALUE; found {name.strip()[:60]!r}.")
    found = [(name.strip(), value.strip().strip('"')) for name, _, value in parts]
    if not {"ACTION", "TIME"} <= {name for name, _ in found}:
        raise CliError("A scheduled action needs ACTION and TIME; nothing was changed.")
    user_template.remove(action)
    others = template_text.from_element(user_template)
    kept = [("ID", str(number)), *(part for part in found if part[0] != "ID")]
    text = "\n".join(filter(None, (others, template_text.vector("SCHED_ACTION", kept))))
    inv.call("vm.update", oid, text, _REPLACE)
    inv.tell(oid)
    return 0


def _add(inv: Any, oid: int, parts: Parts) -> None:
    """Add an action. Merging replaces all SCHED_ACTIONs, so that the present ones are sent along."""
    present = _user_template(inv, oid).findall("SCHED_ACTION")
    number = max((documents.number_of(action, "ID") + 1 for action in present), default=0)
    texts = [
        template_text.vector("SCHED_ACTION", [(part.tag, part.text or "") for part in action])
        for action in present
    ]
    texts.append(template_text.vector("SCHED_ACTION", [("ID", str(number)), *parts]))
    inv.call("vm.update", oid, "\n".join(texts), _MERGE)


def _user_template(inv: Any, oid: int) -> Element:
    found = documents.parse(inv.call("vm.info", oid, False)).find("USER_TEMPLATE")
    return found if found is not None else Element("USER_TEMPLATE")


def _one(user_template: Element, oid: int, number: int) -> Element:
    actions = user_template.findall("SCHED_ACTION")
    for action in actions:
        if documents.text_of(action, "ID") == str(number):
            return action
    there = ", ".join(documents.text_of(action, "ID") for action in actions) or "none"
    raise CliError(f"VM {oid} has no scheduled action {number} (there are: {there}).")


def _when(opts: Any) -> Parts:
    """TIME, and REPEAT, DAYS, END_TYPE and END_VALUE of an action that is repeated. Raises CliError."""
    parts = [("TIME", str(opts.schedule))]
    given = [
        (kind, repetition) for kind, repetition in enumerate(_REPETITIONS) if getattr(opts, repetition[0])
    ]
    if len(given) > 1:
        raise CliError(f"--{given[0][1][0]} and --{given[1][1][0]} exclude each other.")
    if not given:
        if opts.end is not None:
            raise CliError("--end needs one of --weekly, --monthly, --yearly and --hourly.")
        return parts
    kind, (name, low, high) = given[0]
    days = str(getattr(opts, name))
    for word in days.split(","):
        if not low <= int(word) <= high:
            raise CliError(f"--{name}: expected numbers from {low} to {high}, found {word}")
    return [*parts, ("REPEAT", str(kind)), ("DAYS", days), *_end(opts.end)]


def _end(text: str | None) -> Parts:
    if text is None:
        return [("END_TYPE", _NO_END)]
    if text.isascii() and text.isdigit() and len(text) <= 4:  # what is longer is a moment
        return [("END_TYPE", _AFTER_TIMES), ("END_VALUE", text)]
    return [("END_TYPE", _AT_TIME), ("END_VALUE", str(convert("time", text, "--end", None)))]  # type: ignore[arg-type]


def _arguments(inv: Any) -> Parts:
    """ARGS: what the action needs besides the VM, joined by commas."""
    vm_parts.resolve(inv)
    words = [str(value) for name, value in inv.args.items() if not name.startswith("vmid")]
    return [("ARGS", ",".join(words))] if words else []


def _seconds(action: str, path: str, settings: Any) -> int:
    value = settings
    for key in path.split("/"):
        value = value.get(key) if isinstance(value, dict) else None
    text = str(value if value is not None else 0).removeprefix("+")
    if not text.isdigit():
        raise CliError(f"Charter {action}: {path} is {value!r}, expected seconds such as +3600.")
    return int(text)
