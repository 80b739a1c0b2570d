"""One previewed write: what is shown, what approval binds, and how a fresh look is held against it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from banksman._action import Action, BoundCall
from banksman._canonical import Plain, plain
from banksman._change import Change, Compensation, Irreversible, Money, Receipt
from banksman._effect import Effect
from banksman._record import Placeholder, at_path, fill_pending, placeholder, settle, token_parts
from banksman.errors import Drifted
from banksman.plan import Ready, as_text
from banksman.preview._diff import Difference, differences, same


@dataclass(frozen=True, kw_only=True)
class Item:
    """A write as it was looked at. Everything here is plain, so it can be stored, hashed and shown.

    Attributes:
        undo: `{"kind": "inverse" | "compensation" | "irreversible", "text": ...}`.
        follows: the calls whose effect on the same record this one builds on; they run before it.
        stale: reads behind it that the overlay could not make exact.
    """

    call: str
    step: str
    way: int
    action: str
    connection: str
    environment: str
    effect: Effect
    entity: str
    key: Plain
    arguments: Mapping[str, Plain]
    before: Mapping[str, Plain] | None
    after: Mapping[str, Plain] | None
    requests: tuple[Mapping[str, Plain], ...]
    result: Plain
    undo: Mapping[str, str]
    tells: tuple[str, ...] = ()
    costs: Money | None = None
    guarded: bool = False
    notes: tuple[str, ...] = ()
    reach: int = 1
    touches: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    def document(self) -> dict[str, Plain]:
        """The plain form; what the ledger keeps and the digest covers."""
        out = {name: getattr(self, name) for name in self.__dataclass_fields__}
        out["costs"] = {"amount": self.costs.amount, "currency": self.costs.currency} if self.costs else None
        out["effect"] = self.effect.value
        # The rest is plain already.
        return {name: plain(value) if type(value) is tuple else value for name, value in out.items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Plain]) -> Item:
        """The item that `document` came from."""
        given = dict(document)
        costs = given["costs"]
        given["costs"] = Money(Decimal(costs["amount"]), costs["currency"]) if costs else None
        given["effect"] = Effect(given["effect"])
        for name in ("requests", "tells", "notes", "touches", "follows", "stale"):
            given[name] = tuple(given[name])
        return cls(**given)

    @property
    def changes(self) -> list[Difference]:
        """The fields that differ; all of them where the record comes or goes."""
        return differences(self.before or {}, self.after or {})


def item_of(ready: Ready, action: Action[Any, Any], change: Change[Any], *, nonce: str, environment: str) -> Item:
    """The item of a prepared write. What only the system knows becomes placeholders of this call."""

    def pend(path: str) -> Placeholder:
        return placeholder(nonce, ready.id, path)

    result = plain(fill_pending(change.result, pend))
    # The key and the after-image name the same new id as the result does, where they have a field in common.
    after = plain(fill_pending(change.after, pend)) if change.after is not None else None
    key = plain(fill_pending(change.key, lambda path: _key_token(result, path, pend)))
    before = plain(change.before) if change.before is not None else None
    arguments = plain(ready.arguments)
    receipt = Receipt[Any](arguments=arguments, before=before, after=after, result=result)
    return Item(
        call=ready.id,
        step=ready.step,
        way=ready.way,
        action=action.full_name,
        connection=ready.connection,
        environment=environment,
        effect=action.effect,
        entity=change.entity,
        key=key,
        arguments=arguments,
        before=before,
        after=after,
        requests=tuple(request.canonical() for request in change.requests),
        result=result,
        undo=undo_text(action, receipt),
        tells=change.tells,
        costs=change.costs,
        guarded=change.guarded,
        notes=change.notes,
        reach=change.reach,
        touches=change.touches,
    )


def _key_token(result: Plain, path: str, pend: Callable[[str], Placeholder]) -> Plain:
    """A new record's key is whatever its result calls so: the field of that name, or its only placeholder."""
    if isinstance(result, Mapping):
        last = path.rsplit(".", 1)[-1]
        if last and isinstance(result.get(last), Placeholder):
            return result[last]
        pending = [value for value in result.values() if isinstance(value, Placeholder)]
        if pending:
            return pending[0]
    return pend(path or "key")


def undo_of(action: Action[Any, Any], receipt: Receipt[Any]) -> tuple[BoundCall | None, Mapping[str, str]]:
    """The call that takes a write back, if there is one, and how to say it."""
    undo = action.undo
    if undo is None or isinstance(undo, Irreversible):
        return None, {"kind": "irreversible", "text": undo.why if undo else "no undo is declared"}
    leaves = undo.leaves if isinstance(undo, Compensation) else None
    call = undo.call(receipt) if isinstance(undo, Compensation) else undo(receipt)
    if isinstance(call, Irreversible):
        return None, {"kind": "irreversible", "text": call.why}
    if leaves is not None:
        return call, {"kind": "compensation", "text": f"{call.action.name}; leaves: {leaves}"}
    return call, {"kind": "inverse", "text": call.action.name}


def undo_text(action: Action[Any, Any], receipt: Receipt[Any]) -> Mapping[str, str]:
    """How a write would be taken back, for people and for the digest."""
    return undo_of(action, receipt)[1]


#: What must be the same when the run looks again. Before-images first: their difference is what drifted.
_BOUND = ("before", "action", "connection", "environment", "entity", "key", "arguments", "after", "requests", "tells")


def hold_against(shown: Item, fresh: Item, nonce: str, outputs: Mapping[str, Plain]) -> None:
    """Check that a fresh look at a write is what was approved, once placeholders have become values.

    `outputs` are those of the calls that have run, by call.

    Raises:
        Drifted: with each field that is different now.
    """
    resolve = resolver(nonce, outputs)
    for name in _BOUND:
        was, now = settle(getattr(shown, name), nonce, resolve), getattr(fresh, name)
        if same(was, now):
            continue
        if name == "requests":
            was, now = as_sent(was), as_sent(now)
        if changes := differences(was, now, name):
            key = describe_key(settle(shown.key, nonce, resolve))
            raise Drifted(f"{shown.call}: {shown.entity} {key}", changes)


def as_sent(requests: Iterable[Plain]) -> list[Plain]:
    """Requests whose forms and headers hold texts, as they do on the wire: an id filled in there is its digits."""
    out: list[Plain] = []
    for request in requests:
        body, headers = request.get("body"), request.get("headers")
        told = dict(request)
        if isinstance(headers, Mapping):
            told["headers"] = {name: as_text(value) for name, value in headers.items()}
        if isinstance(body, Mapping) and isinstance(body.get("form"), list):
            told["body"] = {**body, "form": [[as_text(part) for part in pair] for pair in body["form"]]}
        out.append(told)
    return out


def describe_key(key: Plain) -> str:
    """A record's key for people."""
    if isinstance(key, Mapping):
        return ", ".join(f"{name}={value}" for name, value in key.items())
    return str(key)


def resolver(nonce: str, outputs: Mapping[str, Plain]) -> Callable[[Placeholder], Plain]:
    """Turns this preview's placeholders into values of the calls that have run; leaves all others alone."""

    def resolve(token: Placeholder) -> Plain:
        parts = token_parts(token)
        if parts is None or parts[0] != nonce or parts[1] not in outputs:
            return token
        try:
            return at_path(outputs[parts[1]], parts[2])
        except (LookupError, TypeError):
            return token

    return resolve
