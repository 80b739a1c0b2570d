"""Calling the functions that a service declares: computations that change nothing.

https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_Functions,
https://www.odata.org/documentation/odata-version-2-0/uri-conventions/ (service operations)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from banksman import Action, Effect
from banksman._canonical import Plain
from banksman.errors import ArgumentError, MalformedAnswer, NotFound
from banksman_connectors.sap.actions.arguments import REQUIRED, PropertiesSchema, key_of, key_properties, waits
from banksman_connectors.sap.address import function_path, record_path
from banksman_connectors.sap.answers import records_of
from banksman_connectors.sap.api import SapApi
from banksman_connectors.sap.edm import EntitySet, Function, Property, Version
from banksman_connectors.sap.hints import list_of
from banksman_connectors.sap.shapes import Shapes

_DOCS = {
    Version.V4: "https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_Functions",
    Version.V2: "https://www.odata.org/documentation/odata-version-2-0/uri-conventions/",
}


def function(shapes: Shapes, declared: Function, name: str, owner: EntitySet | None = None) -> Action[..., Any]:
    """The action of one function; bound to the records of `owner`, or to nothing."""
    keys = key_properties(owner) if owner else []
    fields: dict[str, tuple[Any, Any]] = {p.name: (shapes.hint(p, output=False), REQUIRED) for p in keys}
    fields |= {p.name: (shapes.hint(p, output=False), None if p.nullable else REQUIRED) for p in declared.parameters}

    async def body(api: SapApi, /, **given: Any) -> Any:
        if waits(given):
            raise NotFound(f"{name} needs a value that is only made by this plan")
        path = record_path(shapes, owner, key_of(shapes, owner, given, name)) if owner else ""
        arguments = _plain(shapes, declared, given, name)
        answer = await api.one(function_path(shapes, declared, arguments, path), _query(shapes, declared, arguments))
        return _result(shapes, declared, answer)

    return Action(
        name=name,
        effect=Effect.READ,
        body=body,
        targets=tuple(p.name for p in keys),
        docs=_DOCS[shapes.service.version],
        given_input=PropertiesSchema(fields),
        given_output=_output(shapes, declared),
        description=declared.label or f"The result of the function {declared.name}.",
    )


def _plain(shapes: Shapes, declared: Function, given: Mapping[str, Any], name: str) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for parameter in declared.parameters:
        try:
            if given.get(parameter.name) is not None:
                found[parameter.name] = shapes.read(parameter, given[parameter.name])
        except ValueError as error:
            raise ArgumentError(name, [f"{parameter.name}: {error}"]) from None
    return found


def _query(shapes: Shapes, declared: Function, arguments: Mapping[str, Plain]) -> dict[str, str | None]:
    if shapes.service.version is Version.V4:
        return {}
    return {p.name: shapes.literal(p, arguments[p.name]) for p in declared.parameters if p.name in arguments}


def _returned(declared: Function) -> Property:
    return Property(name="result", type=declared.returns)


def _is_record(shapes: Shapes, declared: Function) -> bool:
    return declared.returns in shapes.service.types


def _output(shapes: Shapes, declared: Function) -> Any:
    one = (
        shapes.output(declared.returns)
        if _is_record(shapes, declared)
        else shapes.hint(_returned(declared), output=True)
    )
    return list_of(one) if declared.many else one


def _result(shapes: Shapes, declared: Function, answer: Any) -> Plain:
    if _is_record(shapes, declared):
        kind = shapes.service.types[declared.returns]
        if declared.many:
            return [shapes.record(kind, item) for item in records_of(answer)]
        return shapes.record(kind, _single(answer))
    prop = replace(_returned(declared), collection=declared.many)
    try:
        return shapes.read(prop, _value(answer, declared))
    except ValueError as error:
        raise MalformedAnswer(f"the result of {declared.name} does not fit the metadata: {error}") from None


def _single(answer: Any) -> Any:
    """V2 wraps a complex result in the function's name."""
    if isinstance(answer, Mapping) and len(answer) == 1:
        inner = next(iter(answer.values()))
        return inner if isinstance(inner, Mapping) else answer
    return answer


def _value(answer: Any, declared: Function) -> Any:
    if not isinstance(answer, Mapping):
        return answer
    return answer.get("value", answer.get(declared.name, answer.get("results")))
