"""What can be wrong in a database, one break each."""

from __future__ import annotations

from tests.support.breaks.base import Break as Break
from tests.support.breaks.documents import DOCUMENTS
from tests.support.breaks.hopeless import HOPELESS as HOPELESS
from tests.support.breaks.machines import MACHINES
from tests.support.breaks.places import PLACES
from tests.support.breaks.rights import RIGHTS
from tests.support.breaks.storage import STORAGE

REPAIRED: tuple[Break, ...] = (*DOCUMENTS, *PLACES, *MACHINES, *STORAGE, *RIGHTS)
