"""The plan's writes laid over what the systems say, so that later reads of a preview see them.

The overlay lives above the seam. It is exact for a record read by its key, and for a list whose membership the
connector proves; every other read on a connection with pending writes is *possibly stale*, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from banksman._action import Action
from banksman._canonical import Plain, digest, plain
from banksman._connector import OpenConnection
from banksman.errors import NotFound

#: Collects, for the call that is being looked at, the reads that may be stale.
_stale: ContextVar[list[str] | None] = ContextVar("banksman_stale", default=None)


@dataclass(frozen=True, slots=True)
class Pending:
    """What a plan will have made of one record. `after` None: it will be gone; `created`: it was not there before."""

    call: str
    key: Plain
    after: Mapping[str, Plain] | None
    created: bool


def key_text(key: Plain) -> str:
    """One text for a record's key: a single-field key is the same as its value, numbers the same as their text."""
    if isinstance(key, Mapping):
        if len(key) == 1:
            return key_text(next(iter(key.values())))
        return digest({name: key_text(value) for name, value in key.items()}, purpose="key")
    return str(key)


class Overlay:
    """The pending writes of one preview."""

    def __init__(self) -> None:
        self._pending: dict[tuple[str, str], dict[str, Pending]] = {}
        self._touched: set[str] = set()
        self._spread: set[tuple[str, str]] = set()

    def put(self, connection: str, entity: str, pending: Pending, touches: Iterable[str] = ()) -> None:
        """Lay one write over what is there. `touches` are kinds of records that change with it, unseen."""
        self._touched.add(connection)
        self._spread.update((connection, kind) for kind in touches)
        records = self._pending.setdefault((connection, entity), {})
        text = key_text(pending.key)
        earlier = records.get(text)
        if earlier is not None and earlier.after is not None and pending.after is not None:
            merged = {**earlier.after, **pending.after}
            pending = Pending(pending.call, pending.key, merged, earlier.created)
        records[text] = pending

    def writer_of(self, connection: str, entity: str, key: Plain) -> str | None:
        """The call that last wrote a record, if one did."""
        found = self._pending.get((connection, entity), {}).get(key_text(key))
        return found.call if found else None

    async def read(
        self, opened: OpenConnection, action: Action[Any, Any], arguments: Mapping[str, Any], proceed: Callable[[], Any]
    ) -> Any:
        """Run a read action and lay the pending writes over its output."""
        if opened.name not in self._touched:
            return await proceed()
        if getattr(opened.api, "rehearses", False):
            output = await proceed()
            provisional = getattr(opened.api, "provisional", None)
            if provisional is not None and provisional(plain(output)):
                # It holds a number that the rehearsal drew; the run will draw another.
                _mark(action.full_name)
            return output
        records = self._pending.get((opened.name, action.entity or ""), {})
        if (opened.name, action.entity) in self._spread:
            _mark(action.full_name)
        if action.entity and action.key:
            return await self._one(action, arguments, records, proceed)
        output = await proceed()
        if action.entity and action.key_fields and isinstance(output, list):
            return self._many(action, arguments, records, output)
        _mark(action.full_name)
        return output

    async def _one(
        self,
        action: Action[Any, Any],
        arguments: Mapping[str, Any],
        records: Mapping[str, Pending],
        proceed: Callable[[], Any],
    ) -> Any:
        named = {name: plain(arguments.get(name)) for name in action.key}
        pending = records.get(key_text(named))
        if pending is None:
            return await proceed()
        if pending.after is None:
            raise NotFound(f"{action.entity} {key_text(named)} is deleted by {pending.call}", action=action.full_name)
        if pending.created:
            return _like(action.output_type, pending.after)
        return _merged(await proceed(), pending.after)

    def _many(
        self,
        action: Action[Any, Any],
        arguments: Mapping[str, Any],
        records: Mapping[str, Pending],
        output: list[Any],
    ) -> list[Any]:
        if not records:
            # Another kind of record was written on this connection; it may cascade to this one.
            _mark(action.full_name)
            return output
        belongs = action.provable(arguments) if action.provable else None
        if belongs is None:
            _mark(action.full_name)
        kept: list[Any] = []
        seen: set[str] = set()
        for item in output:
            fields = plain(item)
            text = key_text({name: fields.get(name) for name in action.key_fields})
            seen.add(text)
            pending = records.get(text)
            if pending is None:
                kept.append(item)
            elif pending.after is not None:
                changed = _merged(item, pending.after)
                fits = belongs(plain(changed)) if belongs else None
                if fits is None and belongs is not None:
                    _mark(action.full_name)
                if fits is not False:
                    kept.append(changed)
        if belongs is not None:
            kind = _item_type(action.output_type)
            for text, pending in records.items():
                if text not in seen and pending.after is not None:
                    # A record that was changed into the list is known only in part: the list is then not exact.
                    if not pending.created or belongs(pending.after) is None:
                        _mark(action.full_name)
                    elif belongs(pending.after):
                        kept.append(_like(kind, pending.after))
        return kept


def _mark(name: str) -> None:
    collected = _stale.get()
    if collected is not None:
        collected.append(name)


def _merged(output: Any, after: Mapping[str, Plain]) -> Any:
    if isinstance(output, BaseModel):
        fields = {name: getattr(output, name) for name in type(output).model_fields}
        names = {field.alias or name: name for name, field in type(output).model_fields.items()}
        known = {names[key]: value for key, value in after.items() if key in names}
        return _like(type(output), {**fields, **known})
    if isinstance(output, Mapping):
        return {**output, **after}
    return output


def _like(kind: Any, fields: Mapping[str, Any]) -> Any:
    """A record of a type from partial fields; placeholders stand where a value does not exist yet."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        try:
            return kind.model_validate(dict(fields))
        except ValueError:
            missing = {name: None for name, field in kind.model_fields.items() if field.is_required()}
            names = {field.alias or name: name for name, field in kind.model_fields.items()}
            known = {names.get(key, key): value for key, value in fields.items()}
            return kind.model_construct(**{**missing, **known})
    return dict(fields)


def _item_type(kind: Any) -> Any:
    inner = get_args(kind)
    return inner[0] if len(inner) == 1 else dict
