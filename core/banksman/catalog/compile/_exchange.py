"""Parameters, request bodies and answers of an OpenAPI operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from banksman.catalog.compile._arguments import Arguments, Members, spread
from banksman.catalog.entry import Body, Place
from banksman.catalog.schemas import Broken, Json, Schemas

_COLLECTIONS = {
    "csv": ("form", False), "ssv": ("spaceDelimited", False), "pipes": ("pipeDelimited", False),
    "tsv": ("tabDelimited", False), "multi": ("form", True),
}  # fmt: skip
_STYLES = frozenset({"form", "simple", "label", "matrix", "spaceDelimited", "pipeDelimited", "deepObject"})
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as OpenAPI or Swagger declares it; the place may be Swagger's `body` or `formData`."""

    place: str
    wire: str
    schema: Json
    raw: Json
    required: bool = False
    style: str | None = None
    explode: bool | None = None
    media: str | None = None

    def add(self, arguments: Arguments, place: Place | None = None) -> None:
        """Make it an argument."""
        arguments.add(
            place or cast("Place", self.place),
            self.wire,
            self.schema,
            required=self.required,
            style=self.style,
            explode=self.explode,
            media=self.media,
        )


def parameter(raw: Json, schemas: Schemas, swagger: bool) -> Parameter:
    """The parameter that an object declares.

    Raises:
        Broken: it has no name or no place.
    """
    name, place = raw.get("name"), raw.get("in")
    if type(name) is not str or not name:
        raise Broken("a parameter has no name")
    known = ("path", "query", "header", "cookie", *(("body", "formData") if swagger else ("querystring",)))
    if type(place) is not str or place not in known:
        raise Broken(f"parameter {name[:100]!r} is in {str(place)[:50]!r}, which is no place")
    if place == "querystring":
        raise Broken(f"parameter {name[:100]!r} is the whole query string, which is not supported yet")
    style, explode, media = _written(raw, place, swagger)
    if swagger:
        schema = {} if place == "body" else schemas.schema({k: v for k, v in raw.items() if k != "required"})
    else:
        schema = schemas.schema(_declared(raw))
    text = raw.get("description")
    if type(text) is str and text:
        schema["description"] = text
    if raw.get("deprecated") is True:
        schema["deprecated"] = True
    return Parameter(place, name, schema, raw, raw.get("required") is True or place == "path", style, explode, media)


def _declared(raw: Json) -> Any:
    """The schema of a parameter, which may stand in its one media type."""
    content = raw.get("content")
    if type(content) is dict and content:
        first = next(iter(content.values()))
        return first.get("schema") if type(first) is dict else None
    return raw.get("schema")


def _written(raw: Json, place: str, swagger: bool) -> tuple[str | None, bool | None, str | None]:
    """How lists and objects are written: style, explode, and the media type of a serialised value."""
    if swagger:
        if raw.get("type") != "array":
            return None, None, None
        style, explode = _COLLECTIONS.get(str(raw.get("collectionFormat", "csv")), ("form", False))
        if place in ("path", "header"):
            return None, None, None
        return style, explode, None
    content = raw.get("content")
    if type(content) is dict and content:
        return None, None, next(iter(content))
    own = _default_style(place)
    named = raw.get("style")
    chosen = named if type(named) is str and named in _STYLES else own
    apart = raw.get("explode")
    return (
        chosen if chosen != own else None,
        apart if type(apart) is bool and apart != (chosen == "form") else None,
        None,
    )


def _default_style(place: str) -> str:
    return "form" if place in ("query", "cookie") else "simple"


def _preferred(content: Json) -> str:
    """The media type to send or to read, out of those offered: JSON, then forms, then what comes first."""

    def rank(media: str) -> int:
        plain = media.partition(";")[0].strip().lower()
        if plain == "application/json":
            return 0
        if plain.endswith("+json") or plain in ("text/json", "*/*", "application/*"):
            return 1
        if plain == _FORM:
            return 2
        return 3 if plain == "multipart/form-data" else 4

    return min(content, key=rank)


def body(arguments: Arguments, schemas: Schemas, raw: Any) -> Body | None:
    """The body of an OpenAPI 3 operation; its members become arguments where it is a plain object."""
    request = schemas.follow(raw)
    content = request.get("content")
    if type(content) is not dict or not content:
        return None
    content = {media: held for media, held in content.items() if type(held) is dict}
    if not content:
        raise Broken("the request's body has no readable media type")
    media = _preferred(content)
    held = content[media]
    required = request.get("required") is True
    plain = media.partition(";")[0].strip().lower()
    place: Place = "form" if plain == _FORM else "part" if plain.startswith("multipart/") else "body"
    structured = place != "body" or "json" in plain or plain in ("*/*", "application/*")
    text = request.get("description")
    if structured and place != "body":
        _spread_form(arguments, schemas, held, place, required)
    elif not structured or not spread(arguments, schemas, held.get("schema"), place, required=required):
        schema = schemas.schema(held.get("schema")) or ({} if structured else {"type": "string"})
        if not structured and schema.get("type") == "string" and not plain.startswith("text/"):
            schema["format"] = "binary"
        if type(text) is str and "$ref" not in schema:
            schema.setdefault("description", text)
        arguments.add("content", "body", schema, required=required)
    others = tuple(other for other in content if other != media)[:8]
    sent = "application/json" if plain in ("*/*", "application/*") else media
    return Body(sent, required, others)


def _spread_form(arguments: Arguments, schemas: Schemas, held: Json, place: Place, required: bool) -> None:
    """Fields of a form, or parts of a multipart body, each with its encoding."""
    members = Members(schemas)
    if not members.take(held.get("schema")):
        arguments.add("content", "body", schemas.schema(held.get("schema")), required=required)
        return
    encodings = held.get("encoding")
    for name, member in members.properties.items():
        encoding = encodings.get(name) if type(encodings) is dict else None
        encoding = encoding if type(encoding) is dict else {}
        style, explode, media = encoding.get("style"), encoding.get("explode"), encoding.get("contentType")
        arguments.add(
            place,
            name,
            schemas.schema(member),
            required=required and name in members.required,
            style=style if type(style) is str and style in _STYLES else None,
            explode=explode if type(explode) is bool else None,
            media=media if type(media) is str else None,
        )


def swagger_body(arguments: Arguments, schemas: Schemas, bodies: Sequence[Parameter], consumes: Any) -> Body | None:
    """The body of a Swagger 2 operation: one `body` parameter, or the `formData` ones."""
    offered = [media for media in consumes if type(media) is str] if type(consumes) is list else []
    whole = next((parameter for parameter in bodies if parameter.place == "body"), None)
    if whole is not None:
        media = _preferred(dict.fromkeys(offered)) if offered else "application/json"
        raw = whole.raw.get("schema")
        if "json" not in media and media not in ("*/*",) and not _is_object(schemas, raw):
            arguments.add("content", "body", schemas.schema(raw), required=whole.required)
        elif not spread(arguments, schemas, raw, "body", required=whole.required):
            schema = schemas.schema(raw)
            text = whole.schema.get("description")
            if text and "$ref" not in schema:
                schema.setdefault("description", text)
            arguments.add("content", "body", schema, required=whole.required)
        return Body(media, whole.required, tuple(other for other in offered if other != media)[:8])
    if not bodies:
        return None
    parts = "multipart/form-data" in offered or any(parameter.raw.get("type") == "file" for parameter in bodies)
    for parameter in bodies:
        parameter.add(arguments, "part" if parts else "form")
    return Body("multipart/form-data" if parts else _FORM, any(parameter.required for parameter in bodies))


def _is_object(schemas: Schemas, raw: Any) -> bool:
    return Members(schemas).take(raw)


def output(schemas: Schemas, operation: Json, swagger: bool, document: Json) -> tuple[Json | None, str, Json]:
    """Schema, media type where it is not JSON, and headers of the first successful answer."""
    responses = operation.get("responses")
    if type(responses) is not dict:
        return None, "", {}
    codes = sorted(str(code) for code in responses if str(code)[:1] == "2")
    chosen = next((code for code in codes if code != "204"), None) or (codes[0] if codes else "default")
    raw = responses.get(chosen, responses.get(int(chosen)) if chosen.isdigit() else None)
    if raw is None:
        return None, "", {}
    try:
        answer = schemas.follow(raw)
    except Broken:
        return None, "", {}
    headers = answer.get("headers")
    headers = headers if type(headers) is dict else {}
    if swagger:
        produces = operation.get("produces", document.get("produces"))
        media = next((str(m) for m in produces), "") if type(produces) is list and produces else "application/json"
        if type(produces) is list and any("json" in str(m) for m in produces):
            media = "application/json"
        schema = answer.get("schema")
        return ((schemas.schema(schema) or None) if schema else None), ("" if "json" in media else media), headers
    content = answer.get("content")
    if type(content) is not dict or not content:
        return None, "", headers
    media = _preferred(content)
    held = content[media]
    schema = held.get("schema") if type(held) is dict else None
    return ((schemas.schema(schema) or None) if schema else None), ("" if "json" in media else media), headers


_TOKENS = {"pagetoken": "token", "nexttoken": "token", "cursor": "token", "continuationtoken": "token"}


def paging(arguments: Arguments, output: Json | None, headers: Json, operation: Json, schemas: Schemas) -> Json | None:
    """How a list goes on, where the description lets one see it: a declared link, a Link header, or page numbers."""
    declared = operation.get("x-ms-pageable")
    if type(declared) is dict and type(declared.get("nextLinkName")) is str:
        return {"by": "next_link", "link": declared["nextLinkName"], "items": declared.get("itemName") or "value"}
    queries = {argument.wire.lower().replace("_", "").replace("-", ""): argument for argument in arguments.list}
    if any(str(name).lower() == "link" for name in headers) and "page" in queries:
        return {"by": "link_header", "size": next((queries[key].name for key in _SIZES if key in queries), None)}
    for key in _TOKENS:
        if key in queries:
            return {"by": "token", "argument": queries[key].name}
    return None


_SIZES = ("perpage", "pagesize", "limit", "maxresults", "count")
