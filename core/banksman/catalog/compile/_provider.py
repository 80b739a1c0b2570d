"""What an OpenAPI description says about the system as a whole: addresses and ways to authenticate."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from banksman.catalog.entry import Provider
from banksman.catalog.schemas import Json

_FLOWS = {"accessCode": "authorizationCode", "application": "clientCredentials"}
_AUTH_KEYS = (
    *("type", "name", "in", "scheme", "bearerFormat", "openIdConnectUrl"),
    *("oauth2MetadataUrl", "description", "deprecated"),
)


def provider(document: Json, system: str, base: str, swagger: bool) -> Provider:
    """The provider's facts."""
    info = document.get("info")
    info = info if type(info) is dict else {}
    external = document.get("externalDocs")
    found = _swagger_servers(document) if swagger else servers(document)
    if base:
        for server in found:
            server["url"] = urljoin(base, server["url"]) if "{" not in server["url"][:8] else server["url"]
    return Provider(
        name=system,
        title=_text(info.get("title")),
        version=_text(info.get("version")),
        description=_text(info.get("description"))[:4000],
        docs=_text(external.get("url")) if type(external) is dict else "",
        servers=found,
        auth=_schemes(document, swagger),
        security=security(document.get("security")) or [],
    )


def servers(holder: Json) -> list[Json]:
    """The addresses that a document, a path or an operation declares."""
    declared = holder.get("servers")
    found = []
    for server in declared if type(declared) is list else ():
        if type(server) is dict and type(server.get("url")) is str:
            kept: Json = {"url": server["url"]}
            if type(server.get("description")) is str:
                kept["description"] = server["description"][:400]
            variables = _variables(server.get("variables"))
            if variables:
                kept["variables"] = variables
            found.append(kept)
    return found[:100]


def _variables(raw: Any) -> Json:
    if type(raw) is not dict:
        return {}
    return {
        name: {key: value for key in ("default", "enum", "description") if (value := variable.get(key)) is not None}
        for name, variable in list(raw.items())[:50]
        if type(variable) is dict
    }


def _swagger_servers(document: Json) -> list[Json]:
    host = _text(document.get("host"))
    if not host:
        return [{"url": _text(document.get("basePath")) or "/"}]
    schemes = document.get("schemes")
    offered = [scheme for scheme in schemes if scheme in ("https", "http")] if type(schemes) is list else []
    path = _text(document.get("basePath"))
    path = f"/{path.strip('/')}" if path.strip("/") else ""
    secure = ["https"] if "https" in offered or not offered else offered
    return [{"url": f"{scheme}://{host}{path}"} for scheme in secure]


def security(raw: Any) -> list[dict[str, list[str]]] | None:
    """The alternatives of a `security` list; None where there is none."""
    if type(raw) is not list:
        return None
    return [
        {
            name: [scope for scope in scopes if type(scope) is str] if type(scopes) is list else []
            for name, scopes in alternative.items()
        }
        for alternative in raw
        if type(alternative) is dict
    ]


def _schemes(document: Json, swagger: bool) -> dict[str, Json]:
    components = document.get("components")
    declared = document.get("securityDefinitions") if swagger else None
    if type(components) is dict:
        declared = components.get("securitySchemes")
    found: dict[str, Json] = {}
    for name, raw in declared.items() if type(declared) is dict else ():
        if type(raw) is not dict:
            continue
        scheme: Json = {key: raw[key] for key in _AUTH_KEYS if type(raw.get(key)) in (str, bool)}
        if scheme.get("type") == "basic":
            scheme.update(type="http", scheme="basic")
        flows = _swagger_flow(raw) if swagger else raw.get("flows")
        if type(flows) is dict:
            scheme["flows"] = {
                flow: {
                    key: value
                    for key in ("authorizationUrl", "tokenUrl", "refreshUrl", "deviceAuthorizationUrl", "scopes")
                    if (value := held.get(key))
                }
                for flow, held in flows.items()
                if type(held) is dict
            }
        found[name] = scheme
    return found


def _swagger_flow(raw: Json) -> Json | None:
    flow = raw.get("flow")
    if type(flow) is not str:
        return None
    return {_FLOWS.get(flow, flow): raw}


def _text(value: Any) -> str:
    return value.strip() if type(value) is str else str(value) if type(value) in (int, float) else ""
