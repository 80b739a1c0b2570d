"""The dry run: overlay, diff, items, and the document that an approval is bound to."""

from banksman.preview._diff import ABSENT_FIELD, Difference, differences, same
from banksman.preview._item import Item, describe_key, hold_against, item_of, resolver, undo_of
from banksman.preview._overlay import Overlay, Pending
from banksman.preview._preview import Connect, Look, Preview

__all__ = [
    "ABSENT_FIELD",
    "Connect",
    "Difference",
    "Item",
    "Look",
    "Overlay",
    "Pending",
    "Preview",
    "describe_key",
    "differences",
    "hold_against",
    "item_of",
    "resolver",
    "same",
    "undo_of",
]
