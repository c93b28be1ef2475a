"""Steps of our own tables (``onebox_``): what a database of an older Onebox needs.

Missing tables and indexes are made without a step; a changed or dropped one, or changed rows, need one here.
The list grows at its end only, together with OWN_SCHEMA_VERSION in services/oned/version.py.
"""

from __future__ import annotations

from collections.abc import Callable

from services.oned.store import Tx

# The step at index 0 leads from version 1 to 2.
STEPS: tuple[Callable[[Tx], None], ...] = ()
