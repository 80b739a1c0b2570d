"""Small descriptions for the tests, written by us, with the traps that real ones hold."""

from __future__ import annotations

import json
from typing import Any

from banksman.catalog.compile import compiler_for
from banksman.catalog.entry import Entry
from banksman.catalog.reading import Bounds

Json = dict[str, Any]


def openapi(paths: Json, *, version: str = "3.0.3", **rest: Any) -> Json:
    """An OpenAPI description with these paths."""
    return {"openapi": version, "info": {"title": "Pets", "version": "1"}, "paths": paths, **rest}


def compiled(document: Any, system: str = "pets", **context: Any) -> tuple[dict[str, Entry], dict[str, Json], Any]:
    """The entries of a description by operation name, its shared schemas, and the compiler."""
    compiler = compiler_for(json.dumps(document).encode(), system, "pets.json", **context)
    entries = {entry.name.removeprefix(f"{system}."): entry for entry in compiler.entries()}
    return entries, dict(compiler.definitions()), compiler


def one(operation: Json, *, path: str = "/pets", method: str = "post", version: str = "3.0.3", **rest: Any) -> Entry:
    """The entry of a description with one operation."""
    entries, _, compiler = compiled(openapi({path: {method: operation}}, version=version, **rest))
    assert not compiler.report.refused, compiler.report.refused
    (entry,) = entries.values()
    return entry


def json_body(schema: Json, **rest: Any) -> Json:
    """An operation that takes a JSON body."""
    return {"requestBody": {"content": {"application/json": {"schema": schema}}, **rest}}


SMALL = Bounds(size=100_000, yaml_size=100_000, nodes=20_000, written=200_000, operations=100)
