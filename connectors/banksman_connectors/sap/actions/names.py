"""Names of actions: the system's own names in snake case, never two alike."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable

_BORDER = re.compile(r"(?<=[^\W_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][^\W\dA-Z_])")


def snake(name: str) -> str:
    """`PurchaseOrders` as `purchase_orders`, `A_PurchaseOrderItem` as `a_purchase_order_item`."""
    return re.sub(r"_+", "_", _BORDER.sub("_", name)).strip("_").lower() or "unnamed"


def distinct(names: Iterable[str], *, taken: Collection[str] = ()) -> dict[str, str]:
    """Each name -> its snake case.

    Names that would come out alike, or like one that is taken, all get a suffix made from the name itself: a number
    would pass to another one when the service gets a further set, and a runbook would then write elsewhere.
    """
    made = {name: snake(name) for name in dict.fromkeys(names)}
    often = Counter(made.values())
    return {
        name: f"{short}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"
        if often[short] > 1 or short in taken
        else short
        for name, short in made.items()
    }
