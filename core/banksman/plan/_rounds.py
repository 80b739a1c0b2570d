"""What a reference sees, and what names the rounds of a loop."""

from __future__ import annotations

import re
from collections.abc import Mapping

from banksman._canonical import Plain, digest, encode
from banksman.plan._reference import resolve


class Scope:
    """What a reference sees. JMESPath asks by `get`; outputs are never copied."""

    __slots__ = ("_base", "_each", "_index", "_looped")

    def __init__(self, base: Mapping[str, Plain], each: Plain = None, index: int = 0, *, looped: bool = False) -> None:
        self._base = base
        self._each = each
        self._index = index
        self._looped = looped

    def get(self, name: str) -> Plain:
        if self._looped:
            if name == "each":
                return self._each
            if name == "index":
                return self._index
        return self._base.get(name)


_UNSAFE = re.compile(r"[^\w.@+/=-]+")


def round_keys(items: list[Plain], expression: str | None = None) -> list[str]:
    """A name for each item that does not depend on its place, so that a longer list gives the old items old names.

    The items themselves where they are scalars, else the field that names them best (`id`, `..._number`, a text) and
    is short, never null and different in each, else a hash of the item. Equal items get `#2`, `#3`. (Items that hold
    placeholders cannot be named so, since what names them now is not what will name them then: their rounds are `#1`,
    `#2`, by place.)
    """
    values = _distinguishing(items, expression)
    keys: list[str] = []
    seen: dict[str, int] = {}
    for item, value in zip(items, values, strict=True):
        text = value if isinstance(value, str) else encode(value)
        safe = _UNSAFE.sub("_", text)[:48]
        # Two texts must not meet in one name after shortening.
        key = safe if safe == text and safe else f"{safe[:20]}.{digest(item, purpose='round')[:8]}"
        seen[key] = seen.get(key, 0) + 1
        keys.append(key if seen[key] == 1 else f"{key}#{seen[key]}")
    return keys


def _distinguishing(items: list[Plain], expression: str | None) -> list[Plain]:
    if expression is not None:
        return [resolve(f"${{{expression}}}", Scope({}, item, index, looped=True)) for index, item in enumerate(items)]  # type: ignore[arg-type]
    if not items or not all(isinstance(item, Mapping) for item in items):
        return items
    # Never by the order of the fields: what comes back from the ledger has them sorted.
    for name in sorted(items[0], key=lambda name: (_rank(name, items[0][name]), name)):
        values = [item.get(name) for item in items]
        if all(_short(value) for value in values) and len({encode(value) for value in values}) == len(values):
            return values
    return items


_NAMING = re.compile(r"(?:^|[_a-z])(?:id|key|number|code|no|sku)$", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _rank(name: str, value: Plain) -> int:
    """How well a field names an item: what is called so, then texts, then dates and counts, which differ by chance."""
    if name.lower() in ("id", "key"):
        return 0
    if _NAMING.search(name):
        return 1
    return 2 if isinstance(value, str) and not _DATE.match(value) else 3


def _short(value: Plain) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and 0 < len(str(value)) <= 48
