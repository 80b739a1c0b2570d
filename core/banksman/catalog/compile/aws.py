"""AWS service models, as botocore carries them: https://smithy.io/2.0/aws/protocols/index.html.

An entry says which member of the input goes where. How nested members are written in the query and XML protocols
stands in the model itself, which the executor reads anew by `facts`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from banksman.catalog import effects
from banksman.catalog.compile._arguments import Arguments
from banksman.catalog.compile._model import first_sentence
from banksman.catalog.entry import Body, Entry, Place, Provider, Refusal, Report
from banksman.catalog.naming import Names, snake
from banksman.catalog.reading import Bounds, DescriptionError
from banksman.catalog.schemas import Broken, Json

_TAG = re.compile(r"<[^<>]{1,200}>")
_SPACE = re.compile(r"\s+")
_LABEL = re.compile(r"\{([^{}+]+)\+?\}")
_SIMPLE: dict[str, Json] = {
    "string": {"type": "string"}, "character": {"type": "string"}, "boolean": {"type": "boolean"},
    "integer": {"type": "integer"}, "long": {"type": "integer"}, "short": {"type": "integer"},
    "byte": {"type": "integer"}, "bigInteger": {"type": "integer"}, "float": {"type": "number"},
    "double": {"type": "number"}, "bigDecimal": {"type": "number"},
    "blob": {"type": "string", "contentEncoding": "base64"}, "timestamp": {"type": "string", "format": "date-time"},
}  # fmt: skip
_PLACES: dict[str, Place] = {"uri": "path", "querystring": "query", "header": "header", "headers": "header"}
_MEDIA = {"json": "application/x-amz-json-1.0", "rest-json": "application/json", "rest-xml": "application/xml"}
_FORM = "application/x-www-form-urlencoded"


class Aws:
    """One service model; entries are made when they are asked for.

    Args:
        paginators: the service's `paginators-1.json`, if there is one.
    """

    def __init__(
        self, document: Json, system: str, *, paginators: Json | None = None, bounds: Bounds | None = None
    ) -> None:
        self._left = (bounds or Bounds()).written
        self._operations = _object(document.get("operations"))
        self._shapes = _object(document.get("shapes"))
        self._pages = _object((paginators or {}).get("pagination"))
        self._waiting: list[str] = []
        self._asked: set[str] = set()
        self._names = Names()
        self.report = Report()
        self.metadata = _object(document.get("metadata"))
        prefix = str(self.metadata.get("endpointPrefix", ""))
        self.provider = Provider(
            name=system,
            title=str(self.metadata.get("serviceFullName", "")),
            version=str(self.metadata.get("apiVersion", "")),
            description=_plain(document.get("documentation"), 1000),
            docs="https://docs.aws.amazon.com/",
            servers=[_server(self.metadata, prefix)],
            auth={"aws": {"type": "awsSigV4", "service": self.metadata.get("signingName", prefix)}},
            security=[{"aws": []}],
            facts={
                key: self.metadata[key]
                for key in ("protocol", "serviceId", "jsonVersion", "targetPrefix", "signatureVersion", "xmlNamespace")
                if key in self.metadata
            },
        )

    def entries(self) -> Iterator[Entry]:
        """The operations, in the order of the model."""
        for name, operation in self._operations.items():
            try:
                if type(operation) is not dict:
                    raise Broken("the operation is no object")
                yield self._entry(name, operation)
            except Broken as error:
                self.report.refused.append(Refusal(name, str(error)))
            else:
                self.report.operations += 1

    def definitions(self) -> Iterator[tuple[str, Json]]:
        """The structures, and other shapes, that the entries read so far refer to."""
        while self._waiting:
            name = self._waiting.pop()
            yield name, self._definition(_object(self._shapes.get(name)))

    def _entry(self, name: str, operation: Json) -> Entry:
        http = _object(operation.get("http"))
        uri, protocol = str(http.get("requestUri", "/")), str(self.metadata.get("protocol", ""))
        arguments = Arguments()
        media = self._inputs(arguments, operation, uri, protocol)
        output = _object(operation.get("output")).get("shape")
        description = _plain(operation.get("documentation"), 4000)
        summary = first_sentence(description)
        own = self._names.free(snake(name))
        entry = Entry(
            name=f"{self.provider.name}.{own}",
            system=self.provider.name,
            operation=name,
            method=str(http.get("method", "POST")).upper(),
            path=_LABEL.sub(r"{\1}", uri),
            arguments=tuple(arguments.list),
            body=Body(media) if media else None,
            input=arguments.schema(),
            output=(self._reference(output) or None) if type(output) is str else None,
            summary=summary,
            description="" if description == summary else description,
            deprecated=operation.get("deprecated") is True,
            docs=str(operation.get("documentationUrl", "")),
            protocol="aws",
            paging=_paging(self._pages.get(name)),
            facts=self._facts(name, protocol),
        )
        entry.effect, entry.reason = effects.infer(entry)
        return entry

    def _facts(self, name: str, protocol: str) -> Json:
        if protocol == "json":
            return {"target": f"{self.metadata.get('targetPrefix', '')}.{name}"}
        if protocol in ("query", "ec2"):
            return {"action": name, "version": self.metadata.get("apiVersion", "")}
        return {}

    def _inputs(self, arguments: Arguments, operation: Json, uri: str, protocol: str) -> str:
        """Make the members of the input arguments; returns the body's media type, or an empty text."""
        shape = _object(self._shapes.get(str(_object(operation.get("input")).get("shape"))))
        payload = shape.get("payload")
        required = shape.get("required")
        required = {name for name in required if type(name) is str} if type(required) is list else set()
        rest = protocol.startswith("rest")
        media = ""
        for name, member in _object(shape.get("members")).items():
            if type(member) is not dict or type(member.get("shape")) is not str:
                raise Broken(f"member {str(name)[:100]!r} has no shape")
            place = _PLACES.get(str(member.get("location"))) if rest else None
            if place is None:
                place = "content" if name == payload else "form" if protocol in ("query", "ec2") else "body"
                media = _FORM if place == "form" else _MEDIA.get(protocol, "application/json")
            wire = str(member.get("locationName", name)) if place != "content" else name
            arguments.add(
                place,
                wire,
                self._member(member),
                required=name in required or place == "path",
                style="reserved" if place == "path" and f"{{{wire}+}}" in uri else None,
            )
        return media

    def _member(self, member: Json) -> Json:
        self._left -= 4
        if self._left < 0:
            raise DescriptionError("the model repeats itself beyond measure; it is not compiled")
        schema = self._reference(str(member["shape"]))
        text = _plain(member.get("documentation"), 500)
        if text:
            schema["description"] = text
        return schema

    def _reference(self, name: str) -> Json:
        """A simple shape in place; a reference to one that has members."""
        shape = _object(self._shapes.get(name))
        kind = shape.get("type")
        if type(kind) is str and kind in _SIMPLE:
            return self._simple(shape, kind)
        if type(kind) is not str:
            self.report.note(f"shape {name[:100]!r} is not in the model; anything is taken there")
            return {}
        if name not in self._asked:
            self._asked.add(name)
            self._waiting.append(name)
        return {"$ref": f"#/$defs/{name}"}

    def _simple(self, shape: Json, kind: str) -> Json:
        schema = dict(_SIMPLE[kind])
        values = shape.get("enum")
        if type(values) is list and values:
            schema["enum"] = list(dict.fromkeys(str(value) for value in values))
        names = ("minLength", "maxLength") if kind == "string" else ("minimum", "maximum")
        if kind != "blob":
            for key, name in zip(("min", "max"), names, strict=True):
                if isinstance(shape.get(key), int | float):
                    schema[name] = shape[key]
        return schema

    def _definition(self, shape: Json) -> Json:
        kind = shape.get("type")
        if kind == "list":
            return {"type": "array", "items": self._inner(shape.get("member"))}
        if kind == "map":
            return {"type": "object", "additionalProperties": self._inner(shape.get("value"))}
        schema: Json = {"type": "object"}
        members = {
            str(name): self._member(member)
            for name, member in _object(shape.get("members")).items()
            if type(member) is dict and type(member.get("shape")) is str
        }
        if members:
            schema["properties"] = members
        required = shape.get("required")
        if type(required) is list and required:
            schema["required"] = list(dict.fromkeys(name for name in required if type(name) is str and name in members))
        if shape.get("union") is True:
            schema["maxProperties"] = 1
        return schema

    def _inner(self, member: Any) -> Json:
        return self._reference(str(member.get("shape"))) if type(member) is dict else {}


def _server(metadata: Json, prefix: str) -> Json:
    if "globalEndpoint" in metadata:
        return {"url": f"https://{metadata['globalEndpoint']}"}
    region = {"default": "us-east-1", "description": "The region of the account's resources"}
    return {"url": f"https://{prefix}.{{region}}.amazonaws.com", "variables": {"region": region}}


def _paging(raw: Any) -> Json | None:
    if type(raw) is not dict or "input_token" not in raw:
        return None
    return {
        "by": "token",
        "argument": raw["input_token"],
        "answer": raw.get("output_token"),
        "items": raw.get("result_key"),
        "size": raw.get("limit_key"),
    }


def _plain(markup: Any, most: int) -> str:
    """Text without markup, cut."""
    if type(markup) is not str:
        return ""
    text = _TAG.sub(" ", markup[: 4 * most]) if "<" in markup else markup[:most]
    if "&" in text:
        text = html.unescape(text)
    return _SPACE.sub(" ", text).strip().replace(" .", ".").replace(" ,", ",")[:most]


def _object(value: Any) -> Json:
    return value if type(value) is dict else {}
