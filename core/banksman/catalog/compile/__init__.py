"""Compilers from descriptions of systems to catalog entries, one module for each format."""

from __future__ import annotations

from banksman.catalog.compile._model import Compiler
from banksman.catalog.reading import Bounds, DescriptionError, read
from banksman.catalog.schemas import Json

__all__ = ["Compiler", "compiler_for", "described_name"]

_FORMATS = "OpenAPI 3, Swagger 2, Google Discovery, AWS service models, OData metadata and GraphQL introspection"


def compiler_for(
    content: bytes, system: str, name: str, *, base: str = "", extra: Json | None = None, bounds: Bounds | None = None
) -> Compiler:
    """The compiler that fits a description, chosen by what the description says it is.

    Args:
        content: the description's bytes, JSON, YAML or XML.
        system: the name its entries start with.
        name: what errors call the description: its file.
        base: the address it came from, for relative server addresses.
        extra: AWS's paginators.

    Raises:
        DescriptionError: it cannot be read, is beyond the bounds, or is in no known format.
    """
    if content[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        from banksman.catalog.compile import edmx

        return edmx.Edmx(edmx.parse(content, name, bounds or Bounds()), system, bounds=bounds)
    document = read(content, name, bounds)
    if type(document) is not dict:
        raise DescriptionError(f"{name}: a description is an object; known are {_FORMATS}")
    if "openapi" in document or "swagger" in document:
        from banksman.catalog.compile.openapi import OpenApi

        return OpenApi(document, system, base=base, bounds=bounds)
    if "discoveryVersion" in document or document.get("kind") == "discovery#restDescription":
        from banksman.catalog.compile.discovery import Discovery

        return Discovery(document, system, bounds=bounds)
    if "shapes" in document and "operations" in document:
        from banksman.catalog.compile.aws import Aws

        return Aws(document, system, paginators=extra, bounds=bounds)
    if "__schema" in document or (type(document.get("data")) is dict and "__schema" in document["data"]):
        from banksman.catalog.compile.graphql import GraphQl

        return GraphQl(document, system, bounds=bounds)
    raise DescriptionError(f"{name}: no known description; known are {_FORMATS}")


def described_name(content: bytes, name: str) -> str:
    """The title that a description gives its system; the empty string where it has none."""
    document = read(content, name)
    info = document.get("info") if type(document) is dict else None
    title = info.get("title") if type(info) is dict else None
    return title if type(title) is str else ""
