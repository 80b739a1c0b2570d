"""GraphQL, from the answer to its introspection query: https://spec.graphql.org/October2021/#sec-Introspection.

Each field of the query and mutation types becomes an entry, whose document is ready to send: it asks for the scalar
members of the answer, and for those of the objects one level below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from banksman.catalog import effects
from banksman.catalog.compile._arguments import Arguments
from banksman.catalog.compile._model import first_sentence
from banksman.catalog.entry import Body, Entry, Provider, Refusal, Report
from banksman.catalog.naming import Names, snake
from banksman.catalog.reading import Bounds, DescriptionError
from banksman.catalog.schemas import Broken, Json

_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_SCALARS: dict[str, Json] = {
    "ID": {"type": "string"}, "String": {"type": "string"}, "Int": {"type": "integer"}, "Float": {"type": "number"},
    "Boolean": {"type": "boolean"}, "DateTime": {"type": "string", "format": "date-time"},
    "Date": {"type": "string", "format": "date"}, "URI": {"type": "string", "format": "uri"}, "JSON": {},
}  # fmt: skip
_DEEPEST_WRAPPING = 8
_MOST_SELECTED = 60


class GraphQl:
    """One schema; entries are made when they are asked for.

    Raises:
        DescriptionError: the document has no schema in it, or one with more types than the bounds allow.
    """

    def __init__(self, document: Json, system: str, *, bounds: Bounds | None = None) -> None:
        held = document.get("data", document)
        schema = held.get("__schema") if type(held) is dict else None
        types = schema.get("types") if type(schema) is dict else None
        if type(schema) is not dict or type(types) is not list:
            raise DescriptionError(f"{system}: there is no `__schema` with types in it")
        if len(types) > (bounds or Bounds()).operations:
            raise DescriptionError(f"{system}: more than {(bounds or Bounds()).operations:,} types")
        self._schema = schema
        self._types = {kind["name"]: kind for kind in types if type(kind) is dict and type(kind.get("name")) is str}
        self._names = Names()
        self._asked: set[str] = set()
        self._selected: dict[tuple[str, int], str] = {}
        self._waiting: list[str] = []
        self.report = Report()
        self.provider = Provider(name=system, description=_text(schema.get("description")), facts={"path": "/graphql"})

    def entries(self) -> Iterator[Entry]:
        """The fields of the query type, then those of the mutation type."""
        for root, method in (("queryType", "QUERY"), ("mutationType", "MUTATION")):
            for field in _listed(self._types.get(_name(self._schema.get(root)), {}).get("fields")):
                try:
                    yield self._entry(field, method)
                except Broken as error:
                    self.report.refused.append(Refusal(f"{method} {_name(field)[:100]}", str(error)))
                else:
                    self.report.operations += 1

    def definitions(self) -> Iterator[tuple[str, Json]]:
        """The types that the entries read so far refer to."""
        while self._waiting:
            name = self._waiting.pop()
            yield name, self._definition(self._types[name])

    def _entry(self, field: Json, method: str) -> Entry:
        name = _name(field)
        if not _NAME.fullmatch(name):
            raise Broken("the field has no usable name")
        arguments, variables = Arguments(), []
        for argument in _listed(field.get("args")):
            wire = _name(argument)
            if not _NAME.fullmatch(wire):
                raise Broken("an argument has no usable name")
            variables.append((wire, self._written(argument.get("type"))))
            arguments.add("body", wire, self._member(argument), required=self._required(argument))
        description = _text(field.get("description"))
        entry = Entry(
            name=f"{self.provider.name}.{self._names.free(snake(name) or name)}",
            system=self.provider.name,
            operation=name,
            method=method,
            path="/",
            arguments=tuple(arguments.list),
            body=Body("application/json", True),
            input=arguments.schema(),
            output=self._type(field.get("type")) or None,
            summary=first_sentence(description),
            description=description,
            deprecated=field.get("isDeprecated") is True,
            protocol="graphql",
            facts={"document": self._document(name, method, variables, field.get("type")), "field": name},
        )
        entry.effect, entry.reason = effects.infer(entry)
        return entry

    def _document(self, name: str, method: str, variables: list[tuple[str, str]], answer: Any) -> str:
        declared = ", ".join(f"${wire}: {kind}" for wire, kind in variables)
        passed = ", ".join(f"{wire}: ${wire}" for wire, _ in variables)
        head = f"{method.lower()}{f'({declared})' if declared else ''}"
        return f"{head} {{ {name}{f'({passed})' if passed else ''}{self._selection(answer, 2)} }}"

    def _selection(self, kind: Any, depth: int) -> str:
        """What is asked of an answer: nothing of a scalar, the type's name of a union."""
        held = self._types.get(_bare(kind), {})
        if held.get("kind") not in ("OBJECT", "INTERFACE", "UNION"):
            return ""
        known = self._selected.get((_name(held), depth))
        if known is not None:
            return known
        chosen: list[str] = []
        for field in _listed(held.get("fields"))[: 4 * _MOST_SELECTED]:
            needs = any(self._required(argument) for argument in _listed(field.get("args")))
            if needs or not _NAME.fullmatch(_name(field)) or len(chosen) >= _MOST_SELECTED:
                continue
            simple = self._types.get(_bare(field.get("type")), {}).get("kind") in ("SCALAR", "ENUM")
            if simple:
                chosen.append(_name(field))
            elif depth > 1 and (inner := self._selection(field.get("type"), depth - 1)):
                chosen.append(f"{_name(field)}{inner}")
        made = f" {{ {' '.join(chosen) or '__typename'} }}"
        self._selected[_name(held), depth] = made
        return made

    def _required(self, argument: Json) -> bool:
        kind = argument.get("type")
        return type(kind) is dict and kind.get("kind") == "NON_NULL" and argument.get("defaultValue") is None

    def _member(self, argument: Json) -> Json:
        schema = self._type(argument.get("type"))
        text = _text(argument.get("description"))
        return {**schema, "description": text} if text else schema

    def _type(self, kind: Any, depth: int = 0) -> Json:
        if type(kind) is not dict or depth > _DEEPEST_WRAPPING:
            raise Broken("a type is missing, or wrapped too often")
        if kind.get("kind") == "NON_NULL":
            return self._type(kind.get("ofType"), depth + 1)
        if kind.get("kind") == "LIST":
            return {"type": "array", "items": self._type(kind.get("ofType"), depth + 1)}
        name = _name(kind)
        held = self._types.get(name)
        if held is None:
            raise Broken(f"type {name[:100]!r} is not in the schema")
        if held.get("kind") == "SCALAR":
            return dict(_SCALARS.get(name, {}))
        if name not in self._asked:
            self._asked.add(name)
            self._waiting.append(name)
        return {"$ref": f"#/$defs/{name}"}

    def _written(self, kind: Any, depth: int = 0) -> str:
        """A type as GraphQL writes it."""
        if type(kind) is not dict or depth > _DEEPEST_WRAPPING:
            raise Broken("a type is missing, or wrapped too often")
        if kind.get("kind") == "NON_NULL":
            return f"{self._written(kind.get('ofType'), depth + 1)}!"
        if kind.get("kind") == "LIST":
            return f"[{self._written(kind.get('ofType'), depth + 1)}]"
        if not _NAME.fullmatch(_name(kind)):
            raise Broken("a type has no usable name")
        return _name(kind)

    def _definition(self, held: Json) -> Json:
        if held.get("kind") == "ENUM":
            return {
                "type": "string",
                "enum": list(dict.fromkeys(_name(one) for one in _listed(held.get("enumValues")))),
            }
        if held.get("kind") == "UNION":
            return {
                "description": "One of: " + ", ".join(_name(one) for one in _listed(held.get("possibleTypes"))[:50])
            }
        fields = _listed(held.get("inputFields")) or _listed(held.get("fields"))
        members, required = {}, []
        for field in fields:
            try:
                members[_name(field)] = self._member(field)
            except Broken as error:
                self.report.note(f"{_name(held)}.{_name(field)}: {error}; left out")
                continue
            if held.get("kind") == "INPUT_OBJECT" and self._required(field):
                required.append(_name(field))
        made: Json = {"type": "object", "properties": members}
        if required:
            made["required"] = list(dict.fromkeys(required))
        return made


def _bare(kind: Any) -> str:
    """The name of a type without its wrappings."""
    for _ in range(_DEEPEST_WRAPPING):
        if type(kind) is not dict:
            return ""
        if kind.get("kind") not in ("NON_NULL", "LIST"):
            return _name(kind)
        kind = kind.get("ofType")
    return ""


def _listed(value: Any) -> list[Json]:
    return [held for held in value if type(held) is dict] if type(value) is list else []


def _name(held: Any) -> str:
    name = held.get("name") if type(held) is dict else None
    return name if type(name) is str else ""


def _text(value: Any) -> str:
    return value.strip()[:4000] if type(value) is str else ""
