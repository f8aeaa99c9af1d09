"""What hardware vendors publish for verification, kept on disk in a `Store`."""

from tabasco.collateral.items import CollateralItem, ItemKind, Trust
from tabasco.collateral.lookup import StoredCollateral
from tabasco.collateral.snapshot import read_snapshot, write_snapshot
from tabasco.collateral.store import CollateralEntry, Store

__all__ = [
    "CollateralEntry",
    "CollateralItem",
    "ItemKind",
    "Store",
    "StoredCollateral",
    "Trust",
    "read_snapshot",
    "write_snapshot",
]
