"""When a record was made and last changed, by the system's own stamps: what tells our write from somebody else's.

A stamp is a time that the system computes. Metadata of V4 says so (`Core.Computed`, `Core.Immutable`); older services
are known by the names that SAP uses.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from banksman._canonical import Plain
from banksman_connectors.sap.edm import Property, StructuredType

#: How far the clocks of SAP and of this machine may be apart.
SKEW = timedelta(minutes=5)
_MADE = re.compile(r"(created_?at|creation_?date_?time|created_?date_?time)", re.IGNORECASE)
_CHANGED = re.compile(r"((last_?)?(modified|changed)_?at|last_?change(d)?_?date_?time)", re.IGNORECASE)


def made_at(kind: StructuredType) -> Property | None:
    """The property that says when a record was made."""
    return _stamp(kind, _MADE, immutable=True)


def changed_at(kind: StructuredType) -> Property | None:
    """The property that says when a record was last changed."""
    return _stamp(kind, _CHANGED, immutable=False)


def _stamp(kind: StructuredType, names: re.Pattern[str], *, immutable: bool) -> Property | None:
    times = [p for p in kind.properties.values() if p.type in ("Edm.DateTimeOffset", "Edm.DateTime") and not p.day]
    by_name = [prop for prop in times if names.fullmatch(prop.name)]
    by_term = [prop for prop in times if prop.computed and prop.immutable == immutable]
    found = by_name or by_term
    return found[0] if len(found) == 1 else None


def moment(value: Plain) -> datetime | None:
    """A stamp's time; one without an offset is taken as UTC, which is what SAP's stamps are in."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=timezone.utc) if found is not None and found.tzinfo is None else found


def is_since(stamp: datetime, since: datetime) -> bool:
    """Whether a stamp is not before a moment, to the precision of the stamp: some have seconds, some milliseconds."""
    grain = 1_000_000 if stamp.microsecond == 0 else 1_000 if stamp.microsecond % 1_000 == 0 else 1
    return stamp >= since.replace(microsecond=since.microsecond // grain * grain)
