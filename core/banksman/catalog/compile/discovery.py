"""Google's API Discovery Service documents: https://developers.google.com/discovery/v1/reference/apis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from banksman.catalog import effects
from banksman.catalog.compile._arguments import Arguments, spread
from banksman.catalog.compile._model import first_sentence
from banksman.catalog.entry import Body, Entry, Provider, Refusal, Report
from banksman.catalog.naming import Names, operation_name
from banksman.catalog.reading import Bounds, DescriptionError
from banksman.catalog.schemas import Broken, Json, Schemas

_EXPANSION = re.compile(r"\{\+?([^{}]+)\}")
_DEEPEST = 30


class Discovery:
    """One discovery document; entries are made when they are asked for."""

    def __init__(self, document: Json, system: str, *, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._document = document
        self.report = Report()
        self.schemas = Schemas(document, self.report, self._bounds, flat_references="schemas")
        self._names = Names()
        root = str(document.get("rootUrl", "")) + str(document.get("servicePath", ""))
        self.provider = Provider(
            name=system,
            title=_text(document.get("title")),
            version=_text(document.get("version")),
            description=_text(document.get("description")),
            docs=_text(document.get("documentationLink")),
            servers=[{"url": root or _text(document.get("baseUrl"))}],
            auth=_auth(document),
            paging={"by": "token", "argument": "pageToken", "answer": "nextPageToken"},
            facts={"parameters": sorted(document["parameters"])} if type(document.get("parameters")) is dict else {},
        )

    def definitions(self) -> Iterator[tuple[str, Json]]:
        """The shared schemas that the entries read so far refer to."""
        return self.schemas.drain()

    def entries(self) -> Iterator[Entry]:
        """The methods, those of nested resources included."""
        waiting: list[tuple[str, Any, int]] = [("", self._document, 0)]
        while waiting:
            place, holder, depth = waiting.pop()
            if depth > _DEEPEST:
                raise DescriptionError(f"{self.provider.name}: resources nest deeper than {_DEEPEST} levels")
            for name, method in _objects(holder.get("methods")):
                try:
                    yield self._entry(place, name, method)
                except Broken as error:
                    self.report.refused.append(Refusal(f"{place}{name}", str(error)))
                else:
                    self.report.operations += 1
                    if self.report.operations > self._bounds.operations:
                        raise DescriptionError(f"{self.provider.name}: too many methods")
            inner = [(f"{place}{name}.", held, depth + 1) for name, held in _objects(holder.get("resources"))]
            waiting.extend(reversed(inner))

    def _entry(self, place: str, key: str, method: Json) -> Entry:
        verb, path = method.get("httpMethod"), method.get("path")
        if type(verb) is not str or type(path) is not str:
            raise Broken("a method has no httpMethod or no path")
        identity = _text(method.get("id")) or f"{place}{key}"
        arguments = Arguments()
        self._parameters(arguments, method, path)
        request = method.get("request")
        body = None
        if type(request) is dict:
            if not spread(arguments, self.schemas, request, "body", required=False):
                arguments.add("content", "body", self.schemas.schema(request), required=True)
            body = Body("application/json", True)
        response = method.get("response")
        description = _text(method.get("description"))
        plain = operation_name(place + key, verb, path, self.provider.name)
        entry = Entry(
            name=f"{self.provider.name}.{self._names.free(plain)}",
            system=self.provider.name,
            operation=identity,
            method=verb.upper(),
            path="/" + _EXPANSION.sub(r"{\1}", path).lstrip("/"),
            described=_text(method.get("flatPath")),
            arguments=tuple(arguments.list),
            body=body,
            input=arguments.schema(),
            output=(self.schemas.schema(response) or None) if type(response) is dict else None,
            summary=first_sentence(description),
            description=description,
            deprecated=method.get("deprecated") is True,
            security=_security(method),
            facts=_media(method),
        )
        entry.effect, entry.reason = effects.infer(entry)
        return entry

    def _parameters(self, arguments: Arguments, method: Json, path: str) -> None:
        declared = dict(_objects(method.get("parameters")))
        order = method.get("parameterOrder")
        first = [name for name in order if type(name) is str and name in declared] if type(order) is list else []
        reserved = {name for name in declared if f"{{+{name}}}" in path}
        for name in dict.fromkeys([*first, *declared]):
            raw = declared[name]
            in_path = raw.get("location") == "path"
            arguments.add(
                "path" if in_path else "query",
                name,
                self._schema(raw),
                required=in_path or raw.get("required") is True,
                style="reserved" if name in reserved else None,
            )
        for name in _EXPANSION.findall(path):
            if name not in declared:
                arguments.add("path", name, {"type": "string"}, required=True)

    def _schema(self, raw: Json) -> Json:
        schema = self.schemas.schema({key: value for key, value in raw.items() if key != "required"})
        kind = schema.get("type")
        for bound in ("minimum", "maximum"):
            number = _number(raw.get(bound))
            if number is not None and kind in ("integer", "number"):
                schema[bound] = number
        if "default" in schema and kind in ("integer", "number", "boolean"):
            default = (
                _number(raw["default"]) if kind != "boolean" else {"true": True, "false": False}.get(raw["default"])
            )
            schema.pop("default")
            if default is not None:
                schema["default"] = default
        if raw.get("repeated") is True:
            text = schema.pop("description", None)
            schema = {"type": "array", "items": schema}
            if text:
                schema["description"] = text
        return schema


def _objects(held: Any) -> list[tuple[str, Json]]:
    return [(name, inner) for name, inner in held.items() if type(inner) is dict] if type(held) is dict else []


def _auth(document: Json) -> dict[str, Json]:
    oauth = document.get("auth")
    oauth = oauth.get("oauth2") if type(oauth) is dict else None
    scopes = oauth.get("scopes") if type(oauth) is dict else None
    return {
        "oauth2": {
            "type": "oauth2",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": "https://accounts.google.com/o/oauth2/v2/auth",
                    "tokenUrl": "https://oauth2.googleapis.com/token",
                    "scopes": {scope: _text(held.get("description")) for scope, held in _objects(scopes)},
                }
            },
        }
    }


def _security(method: Json) -> list[dict[str, list[str]]] | None:
    """Any one of the scopes is enough."""
    scopes = method.get("scopes")
    return [{"oauth2": [scope]} for scope in scopes if type(scope) is str] if type(scopes) is list else None


def _media(method: Json) -> Json:
    facts: Json = {}
    if method.get("supportsMediaUpload") is True and type(method.get("mediaUpload")) is dict:
        facts["media_upload"] = method["mediaUpload"]
    if method.get("supportsMediaDownload") is True:
        facts["media_download"] = True
    return facts


def _number(text: Any) -> int | float | None:
    try:
        return int(text)
    except (TypeError, ValueError, OverflowError):
        try:
            return float(text)
        except (TypeError, ValueError):
            return None


def _text(value: Any) -> str:
    return value.strip()[:4000] if type(value) is str else ""
