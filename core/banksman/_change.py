"""What a write returns instead of writing, and what is known about taking it back or finding it again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, final

from banksman._canonical import Plain
from banksman._record import current_nonce

if TYPE_CHECKING:
    from banksman._action import BoundCall

R = TypeVar("R")


class Sendable(Protocol):
    """A request of some seam: HTTP, SQL, MCP. Built by a body, shown, approved, sent unaltered."""

    @property
    def fingerprint(self) -> str:
        """Identifies what is sent, byte for byte; the gate lets only approved fingerprints pass."""

    def canonical(self) -> dict[str, Plain]:
        """What approval covers: everything but credentials and values that must be fresh (an ETag, a token)."""

    def summary(self) -> str:
        """One line for people: `PATCH /PurchaseOrders('4500000017')`."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency (ISO 4217 code)."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


@dataclass(frozen=True, kw_only=True)
class Change(Generic[R]):
    """One prepared write: shown by the preview, bound by the approval, sent by the run, inverted by undo.

    Attributes:
        entity: the kind of record, in the system's word: `PurchaseOrder`, `Message`, `public.orders`.
        key: what identifies the record within its kind; `PENDING` while it does not exist.
        before: the shown fields as they are now; None: the record does not exist.
        after: the shown fields as they will be; None: the record will not exist. `PENDING` where only the
            system knows.
        requests: what is sent, in order. More than one only if each may stand alone.
        result: the predicted output, in plain form, with `PENDING` where only the system knows.
        receive: turns the last answer into the output.
        tells: who is told: `#buyers (12 members)`, `ann@example.com`.
        costs: what the system charges, where it does.
        guarded: whether the system itself refuses when the record changed since it was read (ETag, transaction).
            False shows as `unguarded window`.
        notes: what a person should know before approving, one line each.
        reach: how many records are touched.
        touches: the kinds of further records that change with it, unseen: parts that go with their whole, totals
            that the system keeps. Later reads of those in a preview are possibly stale.
    """

    entity: str
    key: Any
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    requests: tuple[Sendable, ...]
    receive: Callable[[Any], R]
    result: Any = None
    tells: tuple[str, ...] = ()
    costs: Money | None = None
    guarded: bool = False
    notes: tuple[str, ...] = ()
    reach: int = 1
    touches: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Receipt(Generic[R]):
    """A write that happened (or, in a preview, is predicted), for its undo.

    `arguments`, `before` and `after` are plain values; `result` is the plain form of the output.
    """

    arguments: Mapping[str, Any]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    result: Any


@dataclass(frozen=True, kw_only=True)
class Sent(Generic[R]):
    """A write whose outcome is unknown, for its reconcile: everything the ledger kept, so also after a crash.

    Attributes:
        arguments: plain, placeholders filled.
        before: the shown fields before the write.
        after: the shown fields as predicted; None where only the system knows.
        requests: what was sent, in canonical form.
        key: unique to this call of this run and the same for every attempt; what a marker holds.
        since: when the intent was recorded, in UTC.
    """

    arguments: Mapping[str, Any]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    requests: tuple[Mapping[str, Any], ...]
    key: str
    since: datetime


@final
class _Verdict:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


#: A reconcile looked and the write is not there (yet: it counts only after the system's settle time).
ABSENT: Final = _Verdict("ABSENT")
#: A reconcile looked and cannot tell; a person must.
UNSURE: Final = _Verdict("UNSURE")

Verdict = _Verdict
Reconcile = Callable[[Any, Sent[Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class NativeKey:
    """The system itself deduplicates by an idempotency key, so an unknown write is simply sent again.

    Attributes:
        header: the header that carries the key.
        remembers: how long the system keeps a key, in seconds; later, a person decides.
    """

    header: str
    remembers: float = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Unknowable:
    """There is no way to find out whether this write happened; every unknown goes to a person."""

    why: str


@dataclass(frozen=True, slots=True)
class Irreversible:
    """The write cannot be taken back, and why. The preview says so before anybody approves."""

    why: str


@dataclass(frozen=True, slots=True)
class Compensation:
    """An inverse that does not restore everything: what stays is said in `leaves`."""

    call: Callable[[Receipt[Any]], BoundCall | Irreversible]
    leaves: str


#: From the receipt of a write to its inverse; `Irreversible` where this one, of all, cannot be taken back.
Undo = Callable[[Receipt[Any]], "BoundCall | Irreversible"]


@dataclass(frozen=True, slots=True)
class CallContext:
    """Which call of which run is being prepared: what bodies may know of the run.

    Attributes:
        call: its id, as placeholders name it.
        kept: whether later steps of the preview shall see what is prepared. An alternative is looked at and forgotten.
    """

    key: str = ""
    nonce: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    call: str = ""
    kept: bool = True


_context: ContextVar[CallContext] = ContextVar("banksman_call", default=CallContext())


def call_context() -> CallContext:
    """The call being prepared now; empty outside a run."""
    return _context.get()


@contextmanager
def preparing(context: CallContext) -> Iterator[None]:
    """Prepare within this context."""
    token, nonce = _context.set(context), current_nonce.set(context.nonce)
    try:
        yield
    finally:
        current_nonce.reset(nonce)
        _context.reset(token)
