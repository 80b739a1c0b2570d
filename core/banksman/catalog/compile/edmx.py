"""OData metadata (EDMX), versions 2 and 4: https://docs.oasis-open.org/odata/odata-csdl-xml/v4.01/.

Each entity set yields list, get, create, update and delete, as far as its annotations allow them; functions and
actions yield an entry each. How a value is written into a path or a filter depends on its type, so an argument in a
path carries its Edm type as `media` and the style `literal`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from banksman.catalog import effects
from banksman.catalog.compile._arguments import Arguments
from banksman.catalog.entry import Body, Entry, Provider, Refusal, Report
from banksman.catalog.naming import Names, snake
from banksman.catalog.reading import Bounds, DescriptionError
from banksman.catalog.schemas import Broken, Json
from banksman.errors import ConfigError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_TYPES: dict[str, Json] = {
    "Edm.String": {"type": "string"}, "Edm.Boolean": {"type": "boolean"}, "Edm.Byte": {"type": "integer"},
    "Edm.SByte": {"type": "integer"}, "Edm.Int16": {"type": "integer"}, "Edm.Int32": {"type": "integer"},
    "Edm.Int64": {"type": "integer"}, "Edm.Single": {"type": "number"}, "Edm.Double": {"type": "number"},
    "Edm.Decimal": {"type": "string", "format": "decimal"}, "Edm.Guid": {"type": "string", "format": "uuid"},
    "Edm.Date": {"type": "string", "format": "date"}, "Edm.DateTime": {"type": "string", "format": "date-time"},
    "Edm.DateTimeOffset": {"type": "string", "format": "date-time"}, "Edm.Duration": {"type": "string"},
    "Edm.Time": {"type": "string"}, "Edm.TimeOfDay": {"type": "string", "format": "time"},
    "Edm.Binary": {"type": "string", "contentEncoding": "base64"}, "Edm.Stream": {"type": "string", "format": "binary"},
}  # fmt: skip
_LISTED = ("$filter", "$select", "$expand", "$orderby", "$top", "$skip", "$search")
_GOT = ("$select", "$expand")
_RESTRICTIONS = {"InsertRestrictions": "create", "UpdateRestrictions": "update", "DeleteRestrictions": "delete"}
_MARKS = {"creatable": "create", "updatable": "update", "deletable": "delete"}


def parse(content: bytes, name: str, bounds: Bounds) -> Element:
    """The root of an XML document, without entities or a document type.

    Raises:
        DescriptionError: it is no XML, too large, or holds what an attack would.
        ConfigError: the extra that reads XML is not installed.
    """
    try:
        from defusedxml.common import DefusedXmlException
        from defusedxml.ElementTree import ParseError, fromstring
    except ImportError:
        raise ConfigError("reading XML needs defusedxml", hint="pip install 'banksman[catalog]'") from None
    if len(content) > bounds.yaml_size:
        raise DescriptionError(f"{name}: {len(content):,} bytes of XML; at most {bounds.yaml_size:,} are read")
    try:
        root: Element = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise DescriptionError(f"{name}: no usable XML: {str(error)[:200]}") from None
    return root


class Edmx:
    """One metadata document; entries are made when they are asked for."""

    def __init__(self, root: Element, system: str, *, bounds: Bounds | None = None) -> None:
        self._left = (bounds or Bounds()).written
        self._schemas = [held for held in root.iter() if _tag(held) == "Schema"]
        if not self._schemas:
            raise DescriptionError(f"{system}: the XML holds no Schema of OData")
        self.version = 4 if str(root.get("Version", "")).startswith("4") else 2
        self.report = Report()
        self.provider = Provider(name=system, facts={"odata": self.version})
        self._names = Names()
        self._types: dict[str, Element] = {}
        self._asked: set[str] = set()
        self._waiting: list[str] = []
        self._forbidden: set[tuple[str, str]] = set()
        for schema in self._schemas:
            for space in filter(None, (schema.get("Namespace"), schema.get("Alias"))):
                for held in schema:
                    if held.get("Name") and _tag(held) in ("EntityType", "ComplexType", "EnumType", "TypeDefinition"):
                        self._types[f"{space}.{held.get('Name')}"] = held
            for target in (held for held in schema if _tag(held) == "Annotations"):
                self._annotated(str(target.get("Target", "")).rpartition("/")[2], target)

    def definitions(self) -> Iterator[tuple[str, Json]]:
        """The entity and complex types that the entries read so far refer to."""
        while self._waiting:
            name = self._waiting.pop()
            yield name, self._definition(self._types[name])

    def entries(self) -> Iterator[Entry]:
        """The operations of each entity set, then functions and actions."""
        for container in (held for schema in self._schemas for held in schema if _tag(held) == "EntityContainer"):
            for held in container:
                try:
                    made = list(self._of(held))
                except Broken as error:
                    self.report.refused.append(Refusal(f"{_tag(held)} {str(held.get('Name'))[:100]}", str(error)))
                    continue
                self.report.operations += len(made)
                yield from made

    def _of(self, held: Element) -> Iterator[Entry]:
        if _tag(held) == "EntitySet":
            yield from self._set(held)
        elif _tag(held) in ("FunctionImport", "ActionImport"):
            yield self._call(held)

    def _set(self, held: Element) -> Iterator[Entry]:
        name, kind = str(held.get("Name", "")), str(held.get("EntityType", ""))
        self._annotated(name, held)
        for mark, operation in _MARKS.items():
            if any(key.endswith(f"}}{mark}") and value == "false" for key, value in held.attrib.items()):
                self._forbidden.add((name, operation))
        entity = self._types.get(kind)
        if not name or entity is None:
            raise Broken(f"its type {kind[:100]!r} is not in the metadata")
        reference = self._reference(kind)
        keys = self._keys(entity)
        many = {"type": "object", "properties": {"value": {"type": "array", "items": reference}}}
        yield self._entry(f"{name}.list", "GET", f"/{name}", Arguments(), output=many, options=_LISTED)
        if keys:
            yield self._entry(f"{name}.get", "GET", *self._keyed(name, keys), output=reference, options=_GOT)
        if (name, "create") not in self._forbidden:
            arguments = Arguments()
            self._members(arguments, entity, required=True)
            yield self._entry(f"{name}.create", "POST", f"/{name}", arguments, output=reference, body=True)
        if keys and (name, "update") not in self._forbidden:
            path, arguments = self._keyed(name, keys)
            self._members(arguments, entity, without=set(keys))
            method = "PATCH" if self.version == 4 else "MERGE"
            yield self._entry(f"{name}.update", method, path, arguments, body=True)
        if keys and (name, "delete") not in self._forbidden:
            yield self._entry(f"{name}.delete", "DELETE", *self._keyed(name, keys))

    def _call(self, held: Element) -> Entry:
        """A function or an action without a binding."""
        name = str(held.get("Name", ""))
        target = str(held.get("Function") or held.get("Action") or "").rpartition(".")[2]
        action = _tag(held) == "ActionImport"
        declared = held if self.version == 2 else self._operation("Action" if action else "Function", target)
        if not name or declared is None:
            raise Broken("what it calls is not in the metadata")
        method = next((value for key, value in held.attrib.items() if key.endswith("}HttpMethod")), "")
        method = method.upper() or ("POST" if action else "GET")
        arguments, written = Arguments(), []
        for parameter in (inner for inner in declared if _tag(inner) == "Parameter"):
            wire, kind = str(parameter.get("Name", "")), str(parameter.get("Type", ""))
            required = parameter.get("Nullable") != "true"
            if action:
                arguments.add("body", wire, self._type(kind), required=required)
            elif self.version == 2:
                arguments.add("query", wire, self._type(kind), required=required, style="literal", media=kind)
            else:
                arguments.add("path", wire, self._type(kind), required=True, style="literal", media=kind)
                written.append(f"{wire}={{{wire}}}")
        path = f"/{name}" if action or self.version == 2 else f"/{name}({','.join(written)})"
        return self._entry(name, method, path, arguments, body=action)

    def _operation(self, tag: str, name: str) -> Element | None:
        found = (held for schema in self._schemas for held in schema if _tag(held) == tag and held.get("Name") == name)
        return next((held for held in found if held.get("IsBound") != "true"), None)

    def _entry(
        self, operation: str, method: str, path: str, arguments: Arguments, *, output: Json | None = None,
        options: tuple[str, ...] = (), body: bool = False,
    ) -> Entry:  # fmt: skip
        for option in options:
            count = option in ("$top", "$skip")
            arguments.add("query", option, {"type": "integer", "minimum": 0} if count else {"type": "string"})
        name = ".".join(snake(part) or "x" for part in operation.split("."))
        entry = Entry(
            name=f"{self.provider.name}.{self._names.free(name)}",
            system=self.provider.name,
            operation=operation,
            method=method,
            path=path,
            arguments=tuple(arguments.list),
            body=Body("application/json", True) if body else None,
            input=arguments.schema(),
            output=output,
            protocol="odata",
            paging={"by": "next_link", "link": "@odata.nextLink", "items": "value"} if options == _LISTED else None,
        )
        entry.effect, entry.reason = effects.infer(entry)
        return entry

    def _keys(self, entity: Element, hops: int = 10) -> dict[str, str]:
        """The key's members and their types, those of the base type included."""
        members = {str(held.get("Name")): str(held.get("Type")) for held in entity if _tag(held) == "Property"}
        named = [str(held.get("Name")) for held in entity.iter() if _tag(held) == "PropertyRef"]
        base = self._types.get(str(entity.get("BaseType")))
        if not named and base is not None and hops:
            return self._keys(base, hops - 1)
        return {name: members.get(name, "Edm.String") for name in named}

    def _keyed(self, name: str, keys: dict[str, str]) -> tuple[str, Arguments]:
        arguments = Arguments()
        for key, kind in keys.items():
            arguments.add("path", key, self._type(kind), required=True, style="literal", media=kind)
        written = [f"{key}={{{key}}}" for key in keys] if len(keys) > 1 else [f"{{{key}}}" for key in keys]
        return f"/{name}({','.join(written)})", arguments

    def _members(
        self, arguments: Arguments, entity: Element, *, required: bool = False, without: set[str] | None = None
    ) -> None:
        for held in self._properties(entity):
            wire = str(held.get("Name", ""))
            if wire and wire not in (without or ()):
                needed = required and held.get("Nullable") == "false" and held.get("DefaultValue") is None
                arguments.add("body", wire, self._property(held), required=needed)

    def _properties(self, entity: Element, hops: int = 10) -> list[Element]:
        base = self._types.get(str(entity.get("BaseType")))
        inherited = self._properties(base, hops - 1) if base is not None and hops else []
        own = [held for held in entity if _tag(held) == "Property"]
        self._left -= 4 * (len(own) + len(inherited) + 1)
        if self._left < 0:
            raise DescriptionError("the metadata repeats itself beyond measure; it is not compiled")
        return [*inherited, *own]

    def _property(self, held: Element) -> Json:
        schema = dict(self._type(str(held.get("Type", ""))))
        length = str(held.get("MaxLength", ""))
        if schema.get("type") == "string" and length.isdigit() and len(length) < 10:
            schema["maxLength"] = int(length)
        label = next((value for key, value in held.attrib.items() if key.endswith("}label")), "")
        return {**schema, "description": label} if label else schema

    def _type(self, kind: str) -> Json:
        if kind.startswith("Collection(") and kind.endswith(")"):
            return {"type": "array", "items": self._type(kind[11:-1])}
        if kind in _TYPES:
            return dict(_TYPES[kind])
        return self._reference(kind) if kind in self._types else {}

    def _reference(self, name: str) -> Json:
        if name not in self._asked:
            self._asked.add(name)
            self._waiting.append(name)
        return {"$ref": f"#/$defs/{name}"}

    def _definition(self, held: Element) -> Json:
        if _tag(held) == "EnumType":
            names = [str(member.get("Name")) for member in held if _tag(member) == "Member"]
            return {"type": "string", "enum": list(dict.fromkeys(names))} if names else {"type": "string"}
        if _tag(held) == "TypeDefinition":
            return dict(_TYPES.get(str(held.get("UnderlyingType")), {}))
        members: Json = {str(one.get("Name")): self._property(one) for one in self._properties(held) if one.get("Name")}
        return {"type": "object", "properties": members}

    def _annotated(self, target: str, held: Element) -> None:
        """Capabilities that say `false`: Insertable, Updatable, Deletable."""
        for annotation in (inner for inner in held if _tag(inner) == "Annotation"):
            operation = _RESTRICTIONS.get(str(annotation.get("Term", "")).rpartition(".")[2])
            if operation and any(_says_no(value) for value in annotation.iter() if _tag(value) == "PropertyValue"):
                self._forbidden.add((target, operation))


def _says_no(value: Any) -> bool:
    return value.get("Property") in ("Insertable", "Updatable", "Deletable") and value.get("Bool") == "false"


def _tag(held: Element) -> str:
    return held.tag.rpartition("}")[2] if isinstance(held.tag, str) else ""
