"""A person's yes to exactly one preview: bound to its digest, expiring, used once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from banksman._canonical import Plain
from banksman.errors import NotApproved
from banksman.preview import Preview

#: How long a preview can be approved and its approval used; records are read again before each write anyway.
LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Approval:
    """Who said yes, to what, and how (`prompt`, `command`, `flag`)."""

    digest: str
    by: str
    how: str
    at: str

    def document(self) -> dict[str, Plain]:
        """The plain form for the ledger."""
        return {"digest": self.digest, "by": self.by, "how": self.how}


def require_approval(preview: Preview, given: Mapping[str, Approval], used: frozenset[str], now: datetime) -> Approval:
    """The approval that lets a preview be carried out.

    Raises:
        NotApproved: there is none for this digest, it was used before, or it has expired.
    """
    approval = given.get(preview.digest)
    hint = "Preview again and approve what is true now: `banksman runs resume`."
    if approval is None:
        raise NotApproved(f"run {preview.run}: nobody approved this preview ({preview.digest[:12]})", hint=hint)
    if preview.digest in used:
        raise NotApproved(f"run {preview.run}: this approval was used before ({preview.digest[:12]})", hint=hint)
    if now >= moment(preview.expires):
        raise NotApproved(f"run {preview.run}: the approval expired at {preview.expires}", hint=hint)
    return approval


def moment(text: str) -> datetime:
    """A time that the ledger wrote."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def expiry(now: datetime | None = None) -> str:
    """When a preview made now can no longer be approved."""
    return ((now or datetime.now(timezone.utc)) + LIFETIME).isoformat(timespec="seconds").replace("+00:00", "Z")
