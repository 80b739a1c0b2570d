"""One typed operation of a system: a function whose signature is its schema.

    @action("messages.get", effect=Effect.READ, docs="https://...")
    async def get_message(api: SlackApi, channel: ChannelId, message: MessageId) -> Message:
        '''One message of a channel.'''

    @write("messages.post", effect=Effect.SEND, targets=("channel",), docs="https://...",
           undo=delete_posted, reconcile=find_posted)
    async def post_message(api: SlackApi, channel: ChannelId, text: str) -> Change[Message]:
        '''Post a message to a channel.'''

A read does its work. A write prepares: its body only reads and returns the `Change` that the preview shows, the
approval binds and the run sends.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    TypeVar,
    get_type_hints,
    overload,
)

from pydantic import TypeAdapter

from banksman._canonical import Plain, plain
from banksman._change import Change, Compensation, Irreversible, NativeKey, Reconcile, Undo, Unknowable
from banksman._effect import Effect
from banksman._schema import Schema, from_signature, summary_of

P = ParamSpec("P")
R = TypeVar("R")


class Decorator(Protocol):
    """Turns a body, a coroutine function or a plain one, into an action with its arguments and output."""

    @overload
    def __call__(self, body: Callable[Concatenate[Any, P], Awaitable[R]]) -> Action[P, R]: ...
    @overload
    def __call__(self, body: Callable[Concatenate[Any, P], R]) -> Action[P, R]: ...


class WriteDecorator(Protocol):
    """The same for a body that returns a `Change`."""

    @overload
    def __call__(self, body: Callable[Concatenate[Any, P], Awaitable[Change[R]]]) -> Action[P, R]: ...
    @overload
    def __call__(self, body: Callable[Concatenate[Any, P], Change[R]]) -> Action[P, R]: ...


ReadEffect = Literal[Effect.READ, Effect.EGRESS]
WriteEffect = Literal[Effect.WRITE, Effect.SEND, Effect.DESTROY]


@dataclass(frozen=True)
class Action(Generic[P, R]):
    """A typed operation. `P` are its arguments, `R` is its output.

    Attributes:
        name: the name within the connector; the full name puts the connector's before it.
        effect: what a call does outside.
        body: the function; for a write it returns a `Change`.
        targets: the arguments that choose what is touched or who is reached.
        undo: from the receipt of a write to the call that takes it back, or why there is none.
        reconcile: finds out whether an unknown write happened.
        entity: the kind of record that a read returns or a write changes; what the overlay is keyed by.
        key: for a read of one record, the arguments that identify it.
        key_fields: for a read of a list, the output fields that identify each record.
        provable: for a read of a list: given the arguments, the pure test whether a record belongs to it, or
            None where that cannot be told from outside. The test gives None for a record that lacks what it asks for.
        scopes: the permissions the credential needs.
        capability: the abstract operation it offers, such as `message.send`.
        docs: the vendor's page.
    """

    name: str
    effect: Effect
    body: Callable[..., Any]
    targets: tuple[str, ...] = ()
    undo: Undo | Compensation | Irreversible | None = None
    reconcile: Reconcile | NativeKey | Unknowable | None = None
    entity: str | None = None
    key: tuple[str, ...] = ()
    key_fields: tuple[str, ...] = ()
    provable: Callable[[Mapping[str, Any]], Callable[[Mapping[str, Any]], bool | None] | None] | None = None
    scopes: tuple[str, ...] = ()
    capability: str | None = None
    docs: str | None = None
    given_input: Schema | None = None
    given_output: Any = None
    description: str = ""
    connector: str = field(default="", compare=False)

    @property
    def full_name(self) -> str:
        """`slack.messages.post`; the bare name until a connector holds the action."""
        return f"{self.connector}.{self.name}" if self.connector else self.name

    @cached_property
    def input(self) -> Schema:
        """What it takes."""
        return self.given_input or from_signature(self.body)

    @cached_property
    def output_type(self) -> Any:
        """The type of the output: `R`, also for a write, whose body returns `Change[R]`."""
        if self.given_output is not None:
            return self.given_output
        hint = get_type_hints(self.body, include_extras=True).get("return", Any)
        if self.effect.changes and getattr(hint, "__origin__", None) is Change:
            return hint.__args__[0]
        return hint

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the output; closed fields carry `x-closed`."""
        return TypeAdapter(self.output_type).json_schema(mode="serialization")

    @cached_property
    def is_async(self) -> bool:
        """Whether the body is a coroutine function; a sync one runs in a worker thread."""
        return inspect.iscoroutinefunction(self.body)

    def __call__(self, api: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Call the body itself, as a unit test does."""
        return self.body(api, *args, **kwargs)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> BoundCall:
        """This action with its arguments, not yet run: what an undo returns."""
        return BoundCall(self, plain(self.arguments(*args, **kwargs)))

    def arguments(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        """The arguments by name.

        Raises:
            TypeError: there are too many, or one is given twice.
        """
        named = dict(zip(self.input.names, args, strict=False))
        if len(named) < len(args) or not named.keys().isdisjoint(kwargs):
            raise TypeError(f"{self.full_name} takes each of ({', '.join(self.input.names)}) once")
        return {**named, **kwargs}

    def gaps(self) -> list[str]:
        """What is missing or wrong, one line each, each naming the piece."""
        found = [f"{self.name}: {text}" for text in self._problems()]
        try:
            names = self.input.names
        except (TypeError, NameError) as error:
            return [*found, f"{self.name}: {error}"]
        chosen = {"targets": self.targets or (), "key": self.key}
        for what, listed in chosen.items():
            found += [
                f"{self.name}: {what} names {name!r}, which is no parameter; there are {', '.join(names)}"
                for name in listed
                if name not in names
            ]
        return found

    def _problems(self) -> list[str]:
        found: list[str] = []
        if not self.description:
            found.append("no docstring: say what it does")
        if not self.docs:
            found.append("no docs: give the vendor's page")
        if not isinstance(self.effect, Effect):
            given = "no effect" if self.effect is None else f"effect is {self.effect!r}"
            return [*found, f"{given}: there are {', '.join(Effect)}"]
        if not self.effect.changes:
            return found
        if self.targets is None:
            found.append("no targets: name the arguments that choose what is touched; () if none does")
        if self.undo is None:
            found.append('no undo: give a function from receipt to call, Compensation(...), or Irreversible("why")')
        if self.reconcile is None:
            found.append('no reconcile: give a function that finds the write, NativeKey(...), or Unknowable("why")')
        return found


@dataclass(frozen=True)
class BoundCall:
    """An action with its arguments in plain form."""

    action: Action[Any, Any]
    arguments: Mapping[str, Plain]


def action(
    name: str,
    *,
    effect: ReadEffect,
    docs: str,
    targets: tuple[str, ...] = (),
    entity: str | None = None,
    key: tuple[str, ...] = (),
    key_fields: tuple[str, ...] = (),
    provable: Callable[[Mapping[str, Any]], Callable[[Mapping[str, Any]], bool | None] | None] | None = None,
    scopes: tuple[str, ...] = (),
    capability: str | None = None,
) -> Decorator:
    """Make a function a read action.

    Raises:
        TypeError: the effect is one of a write; use `@write`.
    """
    if isinstance(effect, Effect) and effect.changes:
        raise TypeError(f"{name}: effect {effect.value!r} changes something; use @write")

    def decorate(body: Callable[..., Any]) -> Action[Any, Any]:
        return Action(
            name=name,
            effect=effect,
            body=body,
            targets=targets,
            entity=entity,
            key=key,
            key_fields=key_fields,
            provable=provable,
            scopes=scopes,
            capability=capability,
            docs=docs,
            description=summary_of(inspect.getdoc(body) or ""),
        )

    return decorate


if TYPE_CHECKING:
    # What checkers see: every piece is required, so a missing one is a type error where it is missing.
    def write(
        name: str,
        *,
        effect: WriteEffect,
        targets: tuple[str, ...],
        undo: Undo | Compensation | Irreversible,
        reconcile: Reconcile | NativeKey | Unknowable,
        docs: str,
        entity: str | None = None,
        scopes: tuple[str, ...] = (),
        capability: str | None = None,
    ) -> WriteDecorator:
        """Make a function a write action: its body reads, and returns the `Change` that would be made."""
        ...

else:
    # What runs: a missing piece becomes a gap, so that the connector can report all of them at once.
    def write(
        name,
        *,
        effect=None,
        targets=None,
        undo=None,
        reconcile=None,
        docs=None,
        entity=None,
        scopes=(),
        capability=None,
    ):
        """Make a function a write action: its body reads, and returns the `Change` that would be made."""
        if isinstance(effect, Effect) and not effect.changes:
            raise TypeError(f"{name}: effect {effect.value!r} changes nothing; use @action")

        def decorate(body):
            return Action(
                name=name,
                effect=effect,
                body=body,
                targets=targets,
                undo=undo,
                reconcile=reconcile,
                entity=entity,
                scopes=scopes,
                capability=capability,
                docs=docs,
                description=summary_of(inspect.getdoc(body) or ""),
            )

        return decorate
