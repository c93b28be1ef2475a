"""Methods for accounting (history records of VMs) and showback (what they cost in each month)."""

from __future__ import annotations

import time

from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import method
from services.oned.auth import access
from services.oned.errors import AuthorizationError
from services.oned.model.group import ONEADMIN_ID as ONEADMIN_GROUP
from services.oned.model.showback import Showback, month_start
from services.oned.model.vm import VM
from services.oned.store import accounting

_UNSET = -1
_MONTHS = "first_month:i first_year:i last_month:i last_year:i"


@method("one.vmpool.accounting", "filter_flag:i start_time:i end_time:i", writes=False)
def history(call: Call, filter_flag: int, start_s: int, end_s: int) -> PoolDocument:
    """History records of VMs that were open after a time and began before another (-1: open)."""
    vms = access.visible(call.tx, call.caller, VM, filter_flag)
    records = accounting.history(call.tx, vms, _set(start_s), _set(end_s))
    return PoolDocument("HISTORY_RECORDS", records)


@method("one.vmpool.showback", f"filter_flag:i {_MONTHS}", writes=False)
def showback(
    call: Call, filter_flag: int, first_month: int, first_year: int, last_month: int, last_year: int
) -> PoolDocument:
    """The computed monthly costs of VMs, from a month to another (-1: open)."""
    vms = access.visible(call.tx, call.caller, VM, filter_flag)
    first, last = _year_month(first_month, first_year), _year_month(last_month, last_year)
    return PoolDocument("SHOWBACK_RECORDS", accounting.showback(call.tx, vms, first, last))


@method("one.vmpool.calculateshowback", _MONTHS)
def calculate_showback(call: Call, first_month: int, first_year: int, last_month: int, last_year: int) -> str:
    """Compute what every VM cost in each month, from a month to another (-1: the first record, now)."""
    if call.caller.gid != ONEADMIN_GROUP:
        raise AuthorizationError("Action reserved for group 0 only")
    now, oldest = int(time.time()), accounting.first_stime(call.tx)
    if oldest is None:
        return ""
    first, last = _year_month(first_month, first_year), _year_month(last_month, last_year)
    start_s = oldest if first is None else max(oldest, _month_start(*first, unknown=oldest))
    end_s = now if last is None else min(now, _month_start(last[0], last[1] + 1, unknown=now))
    made = Showback(call.conf.settings, start_s, end_s)
    for batch in accounting.history(call.tx, None, start_s, end_s):
        for record in batch:
            made.add(record)
    accounting.save_showback(call.tx, made.records())
    return ""


def _month_start(year: int, month: int, unknown: int) -> int:
    try:
        return month_start(year, month)
    except (ValueError, OverflowError):  # far from every record
        return unknown


def _set(moment_s: int) -> int | None:
    return None if moment_s == _UNSET else moment_s


def _year_month(month: int, year: int) -> tuple[int, int] | None:
    return None if _UNSET in (month, year) else (year, month)
