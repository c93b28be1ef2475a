"""A zone with a dummy image datastore and a file datastore, whose driver jobs the test ends as it likes."""

from __future__ import annotations

from typing import Any

from services.common import paths, xmldoc
from services.oned import fsck
from services.oned.drivers.execute import Result
from services.oned.engine import results
from services.oned.model.image import Image
from services.oned.store import Tx, jobs
from tests.support.core import Core
from tests.support.drain import drain
from tests.support.zone import ROOT

_OUTPUT = {
    "ds.CP": "/ds/new raw",
    "ds.MKFS": "/ds/made",
    "ds.CLONE": "/ds/copy",
    "ds.SNAP_FLATTEN": "/ds/flat",
}


class Images:
    """Datastores 100 (images, open to all) and 101 (files); neither checks its capacity."""

    def __init__(self, core: Core) -> None:
        self.core = core
        if not paths.remotes().exists():
            paths.remotes().symlink_to(ROOT / "services/remotes")
        drivers = 'DS_MAD="dummy" TM_MAD="dummy" DATASTORE_CAPACITY_CHECK="NO"'
        self.store = core.call("datastore.allocate", f'NAME="img" {drivers}', 0)
        self.files = core.call("datastore.allocate", f'NAME="kernels" TYPE="FILE_DS" {drivers}', 0)
        for store in (self.store, self.files):
            core.call("datastore.chmod", store, 1, 1, 1, 1, 0, 0, 1, 0, 0)

    def allocate(self, template: str, store: int | None = None, user: str = "oneadmin") -> int:
        """A new image as the call leaves it; its id."""
        image_id: int = self.core.call(
            "image.allocate", template, self.store if store is None else store, False, user=user
        )
        return image_id

    def ready(self, template: str, store: int | None = None, user: str = "oneadmin") -> int:
        """A new image whose driver has done its work."""
        image_id = self.allocate(template, store, user)
        while self.waiting():
            self.end()
        assert self.state(image_id) == "1"
        return image_id

    def info(self, image_id: int) -> xmldoc.etree._Element:
        """The image's document."""
        return self.core.info("image.info", image_id)

    def text(self, image_id: int, path: str) -> str:
        """The text of an element of the image's document; '-' when it is not there."""
        found = self.info(image_id).findtext(path)
        return "-" if found is None else found

    def state(self, image_id: int) -> str:
        """STATE of an image."""
        return self.text(image_id, "STATE")

    def ids(self, image_id: int, name: str) -> list[str]:
        """The ids that VMS, CLONES or APP_CLONES list."""
        return [element.text or "" for element in self.info(image_id).findall(f"{name}/ID")]

    # -- driver work ---------------------------------------------------------------------------------
    def waiting(self) -> list[str]:
        """The operations that wait for a driver, monitoring left out."""
        rows = self.core.rows("SELECT operation FROM onebox_job ORDER BY id")
        return [row[0] for row in rows if not row[0].endswith("MONITOR")]

    def end(self, ok: bool = True, message: str = "", output: str | None = None) -> str:
        """End the oldest driver job; its operation. Without ``output`` the driver says what is usual."""

        def apply(tx: Tx) -> str:
            tx.run("DELETE FROM onebox_job WHERE operation LIKE '%MONITOR'")
            job = jobs.claim(tx, 1, 1)[0]
            said = _OUTPUT.get(job.operation, "") if output is None else output
            assert results.apply(tx, 1, Result(job, ok, message, said if ok else ""))
            return job.operation

        return self.core.store.run(apply)

    def drain(self) -> list[Result]:
        """Let the real dummy drivers do everything that waits."""
        return drain(self.core.store, self.core.zone.conf)

    def edit(self, image_id: int, **texts: Any) -> None:
        """Change attributes of an image's document behind the API's back."""

        def change(tx: Tx) -> None:
            image = Image.load(tx, image_id)
            for name, value in texts.items():
                setattr(image, name, value)
            super(Image, image).save(tx)

        self.core.store.run(change)

    def contradictions(self) -> list[str]:
        """What the consistency check finds."""
        return self.core.store.run(fsck.check)
