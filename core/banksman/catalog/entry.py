"""What the catalog keeps of one operation, and of the system that offers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from banksman._effect import Effect

#: Where an argument goes: a part of the path, a query parameter, a header, a cookie, a member of a JSON body, a field
#: of a URL-encoded form, a part of a multipart body, or the whole body.
Place = Literal["path", "query", "header", "cookie", "body", "form", "part", "content"]

#: The places inside the request's body.
IN_BODY: frozenset[str] = frozenset(get_args(Place)) - {"path", "query", "header", "cookie"}

#: The protocols a compiled operation speaks.
Protocol = Literal["http", "aws", "odata", "graphql", "mcp"]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument and the place it goes to.

    Attributes:
        name: as the action takes it; unique in the operation.
        wire: as the system calls it.
        style: how a list or an object is written, in OpenAPI's words (`form`, `simple`, `spaceDelimited`,
            `pipeDelimited`, `deepObject`) and `tabDelimited`; None for the default of the place.
        explode: whether each item is written on its own; None for the default of the style.
        media: the media type the value is serialised as, for a parameter with `content` or a part with an encoding.
    """

    name: str
    place: Place
    wire: str
    required: bool = False
    style: str | None = None
    explode: bool | None = None
    media: str | None = None

    def document(self) -> list[Any]:
        """As it is stored: a list, cut after the last value that is not the default."""
        wire = None if self.wire == self.name else self.wire
        row: list[Any] = [self.name, self.place, int(self.required), wire, self.style, self.explode, self.media]
        while row[-1] is None:
            row.pop()
        return row

    @classmethod
    def parse(cls, row: Sequence[Any]) -> Argument:
        """The inverse of `document`."""
        padded = [*row, *[None] * (7 - len(row))]
        name, place, required, wire, style, explode, media = padded
        return cls(name, place, name if wire is None else wire, bool(required), style, explode, media)


@dataclass(frozen=True, slots=True)
class Body:
    """What the request's body is.

    Attributes:
        media: the media type that is sent.
        required: whether a body must be sent even where no argument goes into it.
        others: further media types the system takes, which the entry does not describe.
    """

    media: str
    required: bool = False
    others: tuple[str, ...] = ()


@dataclass(slots=True)
class Entry:
    """One operation of a compiled system.

    Attributes:
        name: the full name: the system, a dot, the operation.
        operation: the operation's id in the description; the empty string where it has none.
        method: the HTTP method in capitals; `QUERY` or `MUTATION` for GraphQL.
        path: the path to send to, with `{name}` for path arguments, from the server's address on.
        described: the path as it stands in the description, where it differs from `path`.
        input: JSON Schema (2020-12) of the arguments; `$ref` points into `#/$defs/`, stored apart.
        output: JSON Schema of the answer; None where the description says nothing.
        reason: what the effect was concluded from.
        reviewed: whether a person, or a curated overlay, has confirmed effect and binding.
        security: alternatives, each a map from scheme to scopes; None: the provider's default holds.
        servers: addresses that replace the provider's for this operation.
        paging: how the list goes on, where it differs from the provider's.
        answers: media type of the successful answer, where it is not JSON.
        facts: what the protocol needs besides, such as AWS's target prefix.
    """

    name: str
    system: str
    operation: str
    method: str
    path: str
    arguments: tuple[Argument, ...] = ()
    body: Body | None = None
    input: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] | None = None
    effect: Effect = Effect.DESTROY
    reason: str = ""
    reviewed: bool = False
    summary: str = ""
    description: str = ""
    docs: str = ""
    deprecated: bool = False
    tags: tuple[str, ...] = ()
    described: str = ""
    protocol: Protocol = "http"
    security: list[dict[str, list[str]]] | None = None
    servers: list[dict[str, Any]] | None = None
    paging: dict[str, Any] | None = None
    answers: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As it is stored: without what is empty, and without the columns that stand beside it."""
        kept = {name: value for name in _PLAIN if (value := getattr(self, name)) not in (None, "", (), {})}
        if self.arguments:
            kept["arguments"] = [argument.document() for argument in self.arguments]
        if self.body is not None:
            kept["body"] = [self.body.media, int(self.body.required), *self.body.others]
        if self.security is not None:
            kept["security"] = self.security
        if self.protocol != "http":
            kept["protocol"] = self.protocol
        return kept

    @classmethod
    def parse(cls, system: str, row: Mapping[str, Any], document: Mapping[str, Any]) -> Entry:
        """The inverse of `document`; `row` holds name, effect, reviewed, deprecated and summary."""
        rest = dict(document)
        arguments = tuple(Argument.parse(argument) for argument in rest.pop("arguments", ()))
        body = rest.pop("body", None)
        return cls(
            name=row["name"],
            system=system,
            operation=rest.pop("operation", ""),
            method=rest.pop("method", ""),
            path=rest.pop("path", ""),
            arguments=arguments,
            body=Body(body[0], bool(body[1]), tuple(body[2:])) if body else None,
            effect=Effect(row["effect"]),
            reviewed=bool(row["reviewed"]),
            deprecated=bool(row["deprecated"]),
            summary=row["summary"],
            tags=tuple(rest.pop("tags", ())),
            protocol=rest.pop("protocol", "http"),
            **rest,
        )


_PLAIN = [
    "operation",
    "method",
    "path",
    "input",
    "output",
    "reason",
    "description",
    "docs",
    "tags",
    "described",
    "servers",
    "paging",
    "answers",
    "facts",
]


@dataclass(slots=True)
class Provider:
    """What holds for a system as a whole, apart from its operations.

    Attributes:
        name: the system's name; the first part of its entries' names.
        version: of the description, as its author counts.
        servers: addresses, each `{"url", "description", "variables"}`; a URL may hold `{variable}`.
        auth: schemes by name, in OpenAPI's words (`apiKey`, `http`, `oauth2`, `openIdConnect`) and `awsSigV4`.
        security: the default alternatives, each a map from scheme to scopes.
        paging: how lists go on, where one way holds throughout.
        limits: what is known of rate limits and sizes.
    """

    name: str
    title: str = ""
    version: str = ""
    description: str = ""
    docs: str = ""
    servers: list[dict[str, Any]] = field(default_factory=list)
    auth: dict[str, dict[str, Any]] = field(default_factory=dict)
    security: list[dict[str, list[str]]] = field(default_factory=list)
    paging: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As it is stored: without what is empty."""
        names = self.__dataclass_fields__
        return {name: value for name in names if (value := getattr(self, name))}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An operation that was not compiled.

    Attributes:
        place: where it stands in the description, such as `POST /messages`.
        reason: what is wrong with it, in a sentence for whoever wrote the description.
    """

    place: str
    reason: str


@dataclass(slots=True)
class Report:
    """What came of compiling one description.

    Attributes:
        operations: how many entries there are.
        refused: the operations that are not among them.
        notes: what was mended or left open in those that are.
    """

    operations: int = 0
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep a note once; beyond a thousand nobody reads on."""
        if len(self.notes) < 1000 and text not in self.notes[-50:]:
            self.notes.append(text)

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        refused = [[refusal.place, refusal.reason] for refusal in self.refused]
        return {"operations": self.operations, "refused": refused, "notes": self.notes}

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Report:
        """The inverse of `document`."""
        refused = [Refusal(place, reason) for place, reason in document["refused"]]
        return cls(document["operations"], refused, list(document["notes"]))
