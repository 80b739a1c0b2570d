"""The strict form of a schema, for providers whose models are held to it word by word.

In it every object names all its members, requires each and takes no other; what was optional may be null instead, and
`without_nulls` takes those nulls out again before the call. OpenAI's rules are the narrowest met:
https://platform.openai.com/docs/guides/structured-outputs#supported-schemas.
"""

from __future__ import annotations

from typing import Any

from banksman.catalog.schemas import Json

_KEPT = frozenset(
    {
        *("type", "enum", "const", "description", "$ref", "pattern", "minimum", "maximum", "exclusiveMinimum"),
        *("exclusiveMaximum", "multipleOf", "minItems", "maxItems"),
    }
)
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_DEEPEST = 60


class NotStrict(Exception):
    """A schema has no strict form; the text says what stands in the way."""


def strict(schema: Json) -> Json:
    """The strict form of a self-contained schema.

    Raises:
        NotStrict: it takes members that have no name, values of any type, or contradicts itself.
    """
    definitions = schema.get("$defs", {})
    made = _strict({key: value for key, value in schema.items() if key != "$defs"}, definitions, 0)
    if definitions:
        made["$defs"] = {name: _strict(held, definitions, 0) for name, held in definitions.items()}
    return made


def without_nulls(value: Any) -> Any:
    """Arguments as a strict schema's caller gave them, without the nulls that stand for what was left out."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _strict(schema: Json, definitions: Json, depth: int) -> Json:
    if depth > _DEEPEST:
        raise NotStrict("it nests too deep")
    schema = _merged(schema, definitions, depth) if "allOf" in schema else schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    made: Json = {key: value for key, value in schema.items() if key in _KEPT}
    if schema.get("format") in _FORMATS:
        made["format"] = schema["format"]
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        made.pop("type", None)
        made["anyOf"] = [_strict(choice, definitions, depth + 1) for choice in choices]
        return made
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "object" in kinds:
        made.update(_members(schema, definitions, depth))
    elif "array" in kinds:
        if "prefixItems" in schema:
            raise NotStrict("it holds a list whose places have different types")
        made["items"] = _strict(schema.get("items", {}), definitions, depth + 1)
    elif kinds == [None] and "enum" not in made and "const" not in made:
        raise NotStrict("it takes a value of any type")
    return made


def _members(schema: Json, definitions: Json, depth: int) -> Json:
    properties = schema.get("properties", {})
    if "patternProperties" in schema or schema.get("additionalProperties"):
        raise NotStrict("it takes members that have no name")
    if not properties and "additionalProperties" not in schema:
        raise NotStrict("it takes an object of any shape")
    required = set(schema.get("required", ()))
    made = {}
    for name, member in properties.items():
        inner = _strict(member, definitions, depth + 1)
        made[name] = inner if name in required else _or_null(inner)
    return {"properties": made, "required": list(properties), "additionalProperties": False}


def _or_null(schema: Json) -> Json:
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema and "const" not in schema:
        return {**schema, "type": [kind, "null"]}
    if isinstance(kind, list) and "null" in kind:
        return schema
    if "anyOf" in schema:
        held = schema["anyOf"]
        return schema if {"type": "null"} in held else {**schema, "anyOf": [*held, {"type": "null"}]}
    text = schema.get("description")
    plain = {key: value for key, value in schema.items() if key != "description"}
    made: Json = {"anyOf": [plain, {"type": "null"}]}
    return {**made, "description": text} if text else made


def _merged(schema: Json, definitions: Json, depth: int) -> Json:
    """The parts of an `allOf`, as one object."""
    made: Json = {key: value for key, value in schema.items() if key != "allOf"}
    properties: Json = dict(made.get("properties", {}))
    required: list[str] = list(made.get("required", ()))
    for part in schema["allOf"]:
        held, hops = part, 0
        while "$ref" in held and hops < _DEEPEST:
            held, hops = definitions.get(held["$ref"].removeprefix("#/$defs/"), {}), hops + 1
        if "allOf" in held:
            if depth > _DEEPEST:
                raise NotStrict("its parts go in a circle")
            held = _merged(held, definitions, depth + 10)
        if "anyOf" in held or "oneOf" in held:
            raise NotStrict("it joins alternatives with other members")
        properties.update(held.get("properties", {}))
        required += [name for name in held.get("required", ()) if name not in required]
        for key, value in held.items():
            made.setdefault(key, value)
    if properties:
        made.update(type="object", properties=properties, required=required)
    return made
