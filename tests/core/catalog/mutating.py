"""Descriptions to mutate, and how."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from tests.core.catalog.test_aws import model
from tests.core.catalog.test_discovery import document
from tests.core.catalog.test_graphql import introspection
from tests.core.catalog.test_store import pets

_RICH = {
    "parameters": [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "nullable": True}},
        {"name": "q", "in": "query", "style": "form", "explode": False, "schema": {"$ref": "#/components/schemas/Pet"}},
        {"$ref": "#/components/parameters/Page"},
    ],
    "put": {
        "operationId": "pets.put", "deprecated": True, "tags": ["a"], "security": [{"key": ["x"]}],
        "requestBody": {"content": {
            "multipart/form-data": {"schema": {"properties": {"f": {"type": "string", "format": "binary"}}},
                                    "encoding": {"f": {"contentType": "image/png"}}},
            "text/plain": {"schema": {"type": "string"}}}},
        "responses": {"2XX": {"headers": {"Link": {}}, "content": {"application/json": {"schema": {
            "oneOf": [{"$ref": "#/components/schemas/Pet"}, {"type": "null"}],
            "discriminator": {"propertyName": "k"}}}}}},
    },
}  # fmt: skip


def _openapi() -> dict[str, Any]:
    base = pets(servers=[{"url": "https://{r}.example", "variables": {"r": {"default": "eu"}}}])
    base["paths"]["/pets/{id}"] = _RICH
    base["components"]["parameters"] = {"Page": {"name": "page", "in": "query", "schema": {"type": "integer"}}}
    base["components"]["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "X"}}
    return base


def _swagger() -> dict[str, Any]:
    parameters = [
        {"name": "id", "in": "path", "required": True, "type": "array", "items": {"type": "string"}},
        {"name": "body", "in": "body", "schema": {"$ref": "#/definitions/Pet"}},
        {"name": "file", "in": "formData", "type": "file"},
    ]
    answers = {"200": {"schema": {"$ref": "#/definitions/Pet"}}}
    operation = {"operationId": "put", "parameters": parameters, "responses": answers, "consumes": ["application/json"]}
    pet = {"allOf": [{"$ref": "#/definitions/Pet"}, {"properties": {"a": {"enum": ["x", "x"]}}}], "required": ["a"]}
    return {
        "swagger": "2.0", "host": "pets.example", "basePath": "/v1", "schemes": ["https"],
        "paths": {"/pets/{id}": {"put": operation, "parameters": parameters[:1]}}, "definitions": {"Pet": pet},
        "securityDefinitions": {"o": {"type": "oauth2", "flow": "accessCode", "scopes": {"a": "b"}}},
    }  # fmt: skip


BASES: dict[str, Any] = {
    "openapi": _openapi(),
    "swagger": _swagger(),
    "discovery": document(),
    "graphql": introspection(),
    "aws": {**model("rest-json"), "version": "2.0"},
}

_VALUES: list[Any] = [
    None, True, False, 0, -1, 1e308, 2**70, "", "x", "\u0000", "é" * 300, "../..", "#", "#/", "#/paths", "#/components",
    "https://elsewhere.example/x.json", [], {}, [[]], [None], ["string", "null"], {"$ref": "#"}, {"$ref": 5},
    {"$ref": "#/components/schemas/Pet"}, {"type": ["object", None]}, {"type": "null"}, {"allOf": [{"$ref": "#"}]},
    {"properties": {"": {}, "a b": {"required": True}}, "required": ["", "", "z"]}, {"enum": [None, None, [], {}]},
    {"nullable": True, "$ref": "#/definitions/Pet"}, {"additionalProperties": {"$ref": "#/components/schemas/Pet"}},
]  # fmt: skip


def mutate(document: Any, steps: Sequence[tuple[int, str, int]]) -> Any:
    """The document with each step done to a place in it that the step's seed chooses."""
    for seed, kind, number in steps:
        chooser = random.Random(seed)
        places = list(_places(document))
        if not places:
            return document
        holder, key = chooser.choice(places)
        value = _bounded(_VALUES[number % len(_VALUES)])
        if kind == "drop":
            del holder[key]
        elif kind == "copy":
            other, second = chooser.choice(places)
            if second in other if isinstance(other, dict) else second < len(other):
                holder[key] = _bounded(other[second])
        elif kind == "rename" and isinstance(holder, dict):
            holder[str(value)[:50]] = holder.pop(key)
        elif kind == "nest":
            held = holder[key]
            for _ in range(number):
                held = {"items": held}
            holder[key] = held
        else:
            holder[key] = value
    return document


def _places(value: Any) -> Any:
    waiting = [value]
    while waiting:
        held = waiting.pop()
        keys = list(held) if isinstance(held, dict) else range(len(held))
        for key in keys:
            yield held, key
            if isinstance(held[key], dict | list):
                waiting.append(held[key])


def _bounded(value: Any) -> Any:
    """A copy of the value, so that no document holds itself."""
    if isinstance(value, dict):
        return {key: _bounded(inner) for key, inner in value.items()}
    return [_bounded(inner) for inner in value] if isinstance(value, list) else value
