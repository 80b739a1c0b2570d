"""JSON Schema from the dialects of descriptions, written so that models and validators take it.

Read are OpenAPI 3.1 and 3.2 (JSON Schema 2020-12), OpenAPI 3.0, Swagger 2.0 and Google Discovery. Written is a plain
subset of 2020-12: references point into `#/$defs/`, where each shared schema stands once, so circles stay circles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from banksman.catalog.entry import Report
from banksman.catalog.naming import Names
from banksman.catalog.reading import Bounds, DescriptionError

Json = dict[str, Any]

_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_MEANT = {
    "int": "integer", "int32": "integer", "int64": "integer", "long": "integer", "bigint": "integer",
    "float": "number", "double": "number", "decimal": "number", "bool": "boolean", "str": "string", "text": "string",
    "date": "string", "datetime": "string", "date-time": "string", "uuid": "string", "binary": "string",
    "list": "array", "dict": "object", "map": "object", "hash": "object", "json": "object",
}  # fmt: skip

#: Copied as they are where their value has the right type.
_COPIED: dict[str, type | tuple[type, ...]] = {
    "format": str, "pattern": str, "description": str, "title": str, "default": object, "const": object,
    "minimum": (int, float), "maximum": (int, float), "multipleOf": (int, float), "minLength": int, "maxLength": int,
    "minItems": int, "maxItems": int, "uniqueItems": bool, "minProperties": int, "maxProperties": int,
    "contentMediaType": str, "contentEncoding": str, "readOnly": bool, "writeOnly": bool, "deprecated": bool,
}  # fmt: skip

_SAFE = re.compile(r"[^A-Za-z0-9._-]")
_KEPT_DEFAULT = 2000
_LONGEST_PATTERN = 1000
#: Classes of characters that JSON Schema's regular expressions know and Python's do not.
_CLASSES = re.compile(r"\\[pP]\{(?:[A-Z][a-z]?|[A-Z][a-z]+=[A-Z][a-z]+)\}")


class Broken(Exception):
    """A part of a description that cannot be used; the text says why."""


def pointer(document: Any, reference: str) -> Any:
    """What a local reference points to.

    Raises:
        Broken: it points outside of the document, or to nothing.
    """
    if not reference.startswith("#"):
        raise Broken(f"$ref {reference[:200]!r} points outside of the description, and is not fetched")
    found = document
    for step in reference[1:].strip("/").split("/") if len(reference) > 1 else ():
        name = (unquote(step) if "%" in step else step).replace("~1", "/").replace("~0", "~")
        if type(found) is dict and name in found:
            found = found[name]
        elif type(found) is list and name.isdigit() and int(name[:9]) < len(found):
            found = found[int(name[:9])]
        else:
            raise Broken(f"$ref {reference[:200]!r} points to nothing")
    return found


class Schemas:
    """The schemas of one document; remembers which shared ones were asked for.

    Args:
        document: what references point into.
        report: takes notes of what was mended.
        flat_references: where the shared schemas stand, if references are bare names (Discovery: `schemas`).
    """

    def __init__(
        self, document: Any, report: Report, bounds: Bounds | None = None, *, flat_references: str | None = None
    ) -> None:
        self._document = document
        self._report = report
        self._left = (bounds or Bounds()).written
        self._names: dict[str, str] = {}
        self._given = Names()
        self._waiting: list[tuple[str, str]] = []
        self._flat = flat_references
        self._known_broken: dict[str, Json] = {}

    def follow(self, raw: Any, hops: int = 16) -> Json:
        """The object itself, where `raw` is a reference to it.

        Raises:
            Broken: the reference is circular, points to nothing, or what stands there is no object.
        """
        while type(raw) is dict and type(raw.get("$ref")) is str:
            if hops == 0:
                raise Broken(f"$ref {raw['$ref'][:200]!r} goes in a circle")
            hops -= 1
            raw = pointer(self._document, self._target(raw["$ref"]))
        if type(raw) is not dict:
            raise Broken(f"an object is expected, there is {type(raw).__name__}")
        return raw

    def _target(self, reference: str) -> str:
        return f"#/{self._flat}/{reference}" if self._flat and not reference.startswith("#") else reference

    def drain(self) -> Iterator[tuple[str, Json]]:
        """The shared schemas that were referred to, each once, and those they refer to in turn."""
        while self._waiting:
            name, reference = self._waiting.pop()
            yield name, self.schema(pointer(self._document, reference))

    def reference(self, raw: str) -> Json:
        """A reference to a shared schema, which is kept for `drain`; the open schema where it is broken."""
        reference = self._target(raw)
        name = self._names.get(reference)
        if name is None:
            broken = self._known_broken.get(reference)
            if broken is not None:
                return dict(broken)
            try:
                target = pointer(self._document, reference)
                if type(target) is not dict and type(target) is not bool:
                    raise Broken(f"$ref {reference[:200]!r} is no schema")
            except Broken as error:
                self._report.note(f"{error}; anything is taken there")
                broken = {"description": "Not described."}
                self._known_broken[reference] = broken
                return dict(broken)
            name = self._named(reference)
        return {"$ref": f"#/$defs/{name}"}

    def _named(self, reference: str) -> str:
        last = unquote(reference.rpartition("/")[2]).replace("~1", "/").replace("~0", "~")
        name = self._given.free(_SAFE.sub("_", last)[:100] or "schema")
        self._names[reference] = name
        self._waiting.append((name, reference))
        return name

    def schema(self, raw: Any) -> Json:
        """The schema, in the written subset.

        Raises:
            DescriptionError: the document asks for more than its bounds.
        """
        if type(raw) is not dict:
            return {"not": {}} if raw is False else {}
        self._left -= len(raw) + 1
        if self._left < 0:
            raise DescriptionError("the description repeats itself beyond measure; it is not compiled")
        reference = raw.get("$ref")
        if type(reference) is str:
            out = self.reference(reference)
            text = raw.get("description")
            if type(text) is str:
                out["description"] = text
            return _or_null(out) if raw.get("nullable") is True else out
        out = {}
        for key, value in raw.items():
            kind = _COPIED.get(key)
            if kind is not None:
                if isinstance(value, kind) and value != "":
                    out[key] = value
            else:
                convert = _KEYWORDS.get(key)
                if convert is not None:
                    convert(self, raw, value, out)
        return _mended(raw, out)

    # One method for each keyword that needs more than copying; each writes into `out`.

    def _type(self, raw: Json, value: Any, out: Json) -> None:
        if type(value) is str:
            if value in _TYPES:
                out["type"] = value
            elif value == "file":
                out["type"] = "string"
                out["format"] = "binary"
            elif value.lower() in _MEANT:
                out["type"] = _MEANT[value.lower()]
            elif value.lower() in _TYPES:
                out["type"] = value.lower()
        elif type(value) is list:
            known = [kind for kind in dict.fromkeys(item for item in value if type(item) is str) if kind in _TYPES]
            if known:
                out["type"] = known[0] if len(known) == 1 else known

    def _properties(self, raw: Json, value: Any, out: Json) -> None:
        if type(value) is dict:
            made = {}
            for name, inner in value.items():
                if type(inner) is dict or type(inner) is bool:
                    made[name] = self.schema(inner)
            out["properties"] = made

    def _items(self, raw: Json, value: Any, out: Json) -> None:
        if type(value) is list:
            out["prefixItems"] = [self.schema(inner) for inner in value[:100]]
        else:
            out["items"] = self.schema(value)

    def _required(self, raw: Json, value: Any, out: Json) -> None:
        if type(value) is list:
            names = list(dict.fromkeys(name for name in value if type(name) is str))
            properties = raw.get("properties")
            if type(properties) is dict:
                names = [name for name in names if not _read_only(properties.get(name))]
            if names:
                out["required"] = names

    def _enum(self, raw: Json, value: Any, out: Json) -> None:
        if type(value) is list and value:
            seen: list[Any] = []
            texts: set[str] = set()
            for item in value:
                if type(item) is str:
                    if item not in texts:
                        texts.add(item)
                        seen.append(item)
                elif not any(item is other or (item == other and type(item) is type(other)) for other in seen[-50:]):
                    seen.append(item)
            out["enum"] = seen

    def _all_of(self, raw: Json, value: Any, out: Json) -> None:
        if type(value) is list:
            parts = [self.schema(part) for part in value if type(part) is dict]
            if len(parts) == 1 and not out.keys() & parts[0].keys() - {"description"} and "properties" not in raw:
                out.update({key: inner for key, inner in parts[0].items() if key not in out})
            elif parts:
                out["allOf"] = parts

    def _any_of(self, raw: Json, value: Any, out: Json) -> None:
        self._choice("anyOf", raw, value, out)

    def _one_of(self, raw: Json, value: Any, out: Json) -> None:
        self._choice("oneOf", raw, value, out)

    def _choice(self, key: str, raw: Json, value: Any, out: Json) -> None:
        if type(value) is not list:
            return
        parts: list[Json] = []
        for part in value:
            made = self.schema(part) if type(part) is dict else {}
            if made not in parts[-20:]:
                parts.append(made)
        if len(parts) == 1:
            for inner, held in parts[0].items():
                out.setdefault(inner, held)
        elif parts:
            out[key] = parts

    def _not(self, raw: Json, value: Any, out: Json) -> None:
        if type(value) is dict and value:
            out["not"] = self.schema(value)

    def _additional(self, raw: Json, value: Any, out: Json) -> None:
        if value is False:
            out["additionalProperties"] = False
        elif type(value) is dict and value:
            out["additionalProperties"] = self.schema(value)

    def _patterns(self, raw: Json, value: Any, out: Json) -> None:
        if type(value) is dict:
            out["patternProperties"] = {
                name: self.schema(inner) for name, inner in value.items() if type(inner) is dict
            }

    def _prefix(self, raw: Json, value: Any, out: Json) -> None:
        if type(value) is list and value:
            out["prefixItems"] = [self.schema(inner) for inner in value[:100]]

    def _exclusive(self, raw: Json, value: Any, out: Json) -> None:
        """A number since draft 6; before, a flag that makes the bound beside it exclusive."""
        for key, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            given = raw.get(key)
            if given is True and isinstance(raw.get(bound), int | float):
                out[key] = raw[bound]
            elif isinstance(given, int | float) and not isinstance(given, bool):
                out[key] = given

    def _discriminator(self, raw: Json, value: Any, out: Json) -> None:
        """Names the member that tells the alternatives apart, and its values, where models can read it."""
        name = value.get("propertyName") if type(value) is dict else value
        if type(name) is not str:
            return
        mapping = value.get("mapping") if type(value) is dict else None
        told = f"`{name}` says which"
        if type(mapping) is dict and 0 < len(mapping) <= 50:
            told += ": " + ", ".join(str(key) for key in mapping)
        before = raw.get("description")
        out["description"] = f"{before}\n{told}." if type(before) is str and before else f"{told}."


_KEYWORDS: dict[str, Callable[[Schemas, Json, Any, Json], None]] = {
    "type": Schemas._type, "properties": Schemas._properties, "items": Schemas._items, "required": Schemas._required,
    "enum": Schemas._enum, "allOf": Schemas._all_of, "anyOf": Schemas._any_of, "oneOf": Schemas._one_of,
    "not": Schemas._not, "additionalProperties": Schemas._additional, "patternProperties": Schemas._patterns,
    "prefixItems": Schemas._prefix, "exclusiveMinimum": Schemas._exclusive, "exclusiveMaximum": Schemas._exclusive,
    "discriminator": Schemas._discriminator,
}  # fmt: skip


@lru_cache(maxsize=4096)
def _compiles(pattern: str) -> bool:
    """Whether validators can use a regular expression; one that they cannot would spoil the whole schema."""
    if len(pattern) > _LONGEST_PATTERN:
        return False
    try:
        re.compile(_CLASSES.sub("a", pattern))
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def _read_only(schema: Any) -> bool:
    return type(schema) is dict and schema.get("readOnly") is True


def _or_null(schema: Json) -> Json:
    text = schema.pop("description", None)
    out: Json = {"anyOf": [schema, {"type": "null"}]}
    if text:
        out["description"] = text
    return out


def _mended(raw: Json, out: Json) -> Json:
    """What concerns several keywords at once: null, types left out, bounds replaced, defaults too long to keep."""
    if raw.get("exclusiveMinimum") is True:
        out.pop("minimum", None)
    if raw.get("exclusiveMaximum") is True:
        out.pop("maximum", None)
    kind = out.get("type")
    if kind is None:
        if "properties" in out:
            out["type"] = kind = "object"
        elif "items" in out:
            out["type"] = kind = "array"
    elif kind == "array" and "items" not in out and "prefixItems" not in out:
        out["items"] = {}
    elif kind == "null":
        # A member that is always null; a type of its own is refused by some models.
        out["type"] = ["string", "null"]
        out["enum"] = [None]
        return out
    if raw.get("nullable") is True or raw.get("x-nullable") is True:
        out = _nullable(out, kind)
    elif "enum" in out and type(kind) is str and None in out["enum"]:
        out["type"] = [kind, "null"]
    pattern = out.get("pattern")
    if pattern is not None and not _compiles(pattern):
        del out["pattern"]
    default = out.get("default")
    if type(default) in (dict, list, str) and len(str(default)) > _KEPT_DEFAULT:
        del out["default"]
    return out


def _nullable(out: Json, kind: Any) -> Json:
    if type(kind) is str:
        out["type"] = [kind, "null"]
    elif type(kind) is list and "null" not in kind:
        out["type"] = [*kind, "null"]
    if "enum" in out and None not in out["enum"]:
        out["enum"] = [*out["enum"], None]
    for key in ("anyOf", "oneOf"):
        if key in out and {"type": "null"} not in out[key]:
            out[key] = [*out[key], {"type": "null"}]
            return out
    return _or_null(out) if kind is None and ("allOf" in out or "$ref" in out) else out
