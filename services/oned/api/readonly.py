"""Reading the kinds of objects that nothing can change yet: what a fresh zone has, and adopted databases.

Their pools answer, so that clients that list everything work.
"""

from __future__ import annotations

from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.model.base import PoolObject
from services.oned.model.plain import (
    Document,
    Hook,
    Image,
    Marketplace,
    MarketplaceApp,
    NetworkTemplate,
    SecurityGroup,
    VirtualNetwork,
    VirtualRouter,
    VmGroup,
)
from services.oned.model.vdc import Vdc

_PAGED = "filter_flag:i start_id:i end_id:i"


def _readable(resource: str, model: type[PoolObject]) -> None:
    """Register ``one.<resource>.info``."""

    @method(f"one.{resource}.info", "oid:i decrypt:b=0", Check(model, Right.USE, "oid"), writes=False)
    def info(call: Call, oid: int, decrypt: bool) -> str:
        """The object's document."""
        return call.body(model, oid)


def _listable(resource: str, model: type[PoolObject]) -> None:
    """Register ``one.<resource>pool.info`` with a filter, a range or a page."""

    @method(f"one.{resource}pool.info", _PAGED, writes=False)
    def pool_info(call: Call, filter_flag: int, start_id: int, end_id: int) -> str:
        """The objects that fit and that the caller may use."""
        return common.pool_info(call, model, filter_flag, start_id, end_id)


_readable("vdc", Vdc)
_readable("market", Marketplace)
_readable("secgroup", SecurityGroup)

_listable("image", Image)
_listable("vn", VirtualNetwork)
_listable("secgroup", SecurityGroup)
_listable("vmgroup", VmGroup)
_listable("vrouter", VirtualRouter)
_listable("vntemplate", NetworkTemplate)
_listable("hook", Hook)
_listable("marketapp", MarketplaceApp)


@method("one.documentpool.info", f"{_PAGED} doc_type:i", writes=False)
def document_pool_info(call: Call, filter_flag: int, start_id: int, end_id: int, doc_type: int) -> str:
    """The documents of a type that fit and that the caller may use."""
    return common.pool_info(
        call, Document, filter_flag, start_id, end_id, also="type = ?", params=(doc_type,)
    )


@method("one.vdcpool.info", "", writes=False)
def vdc_pool_info(call: Call) -> str:
    """The VDCs that the caller may use."""
    return common.pool_info(call, Vdc)


@method("one.marketpool.info", "", writes=False)
def market_pool_info(call: Call) -> str:
    """The marketplaces that the caller may use."""
    return common.pool_info(call, Marketplace)
