"""OpenAPI 3 and Swagger 2 become entries whose arguments know their places."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.catalog.described import compiled, json_body, one, openapi


def places(entry: Any) -> dict[str, tuple[str, str]]:
    return {argument.name: (argument.place, argument.wire) for argument in entry.arguments}


def test_each_argument_knows_where_it_goes():
    parameters = [
        {"name": "petId", "in": "path", "required": True, "schema": {"type": "integer"}},
        {"name": "filter[name]", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
        {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
        {"name": "session", "in": "cookie", "schema": {"type": "string"}},
        {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
    ]
    body = json_body(
        {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}, required=True
    )
    entry = one({"parameters": parameters, **body}, path="/pets/{petId}")
    assert places(entry) == {
        "petId": ("path", "petId"),
        "filter_name": ("query", "filter[name]"),
        "X-Trace": ("header", "X-Trace"),
        "session": ("cookie", "session"),
        "name": ("body", "name"),
    }
    assert entry.arguments[1].style == "deepObject"
    assert entry.input["required"] == ["petId", "name"]
    assert entry.body is not None
    assert entry.body.media == "application/json"


def test_parameters_of_the_path_hold_for_its_operations_unless_they_replace_them():
    shared = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "view", "in": "query", "schema": {"type": "string"}},
    ]
    own = [{"name": "view", "in": "query", "required": True, "schema": {"enum": ["full"]}}]
    item = {"parameters": shared, "get": {"operationId": "a"}, "put": {"operationId": "b", "parameters": own}}
    entries, _, _ = compiled(openapi({"/pets/{id}": item}))
    assert entries["a"].input["properties"]["view"] == {"type": "string"}
    assert entries["b"].input["properties"]["view"] == {"enum": ["full"]}
    assert entries["b"].input["required"] == ["view", "id"]


def test_one_name_in_two_places_becomes_two_arguments():
    body = json_body({"properties": {"id": {"type": "string"}}})
    parameters = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "id", "in": "query", "schema": {"type": "string"}},
    ]
    entry = one({"parameters": parameters, **body}, path="/pets/{id}")
    assert places(entry) == {"id": ("path", "id"), "id_in_query": ("query", "id"), "id_in_body": ("body", "id")}


def test_operations_of_one_name_are_told_apart_by_their_paths():
    entries, _, _ = compiled(
        openapi({path: {"get": {"operationId": "get"}} for path in ("/cats", "/dogs", "/dogs/{id}")})
    )
    assert list(entries) == ["get", "dogs.get", "dogs.by_id.get"]


def test_an_undeclared_path_argument_is_added_and_a_superfluous_one_dropped():
    stray = {"name": "other", "in": "path", "required": True, "schema": {"type": "string"}}
    entry = one({"parameters": [stray]}, path="/pets/{id}")
    assert places(entry) == {"id": ("path", "id")}
    assert entry.input["required"] == ["id"]


def test_a_body_behind_references_and_all_of_is_spread_into_arguments():
    schemas = {
        "Named": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        "Pet": {"allOf": [{"$ref": "#/components/schemas/Named"}, {"properties": {"tag": {"type": "string"}}}]},
    }
    entry = one(json_body({"$ref": "#/components/schemas/Pet"}, required=True), components={"schemas": schemas})
    assert places(entry) == {"name": ("body", "name"), "tag": ("body", "tag")}
    assert entry.input["required"] == ["name"]


def test_what_only_the_system_sets_is_no_argument():
    properties = {"id": {"type": "string", "readOnly": True}, "name": {"type": "string"}}
    entry = one(json_body({"properties": properties, "required": ["id", "name"]}, required=True))
    assert list(entry.input["properties"]) == ["name"]
    assert entry.input["required"] == ["name"]


def test_a_body_with_alternatives_stays_one_argument():
    choice = {"oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]}
    choice["discriminator"] = {"propertyName": "kind", "mapping": {"cat": "Cat", "dog": "Dog"}}
    schemas = {"Cat": {"properties": {"lives": {"type": "integer"}}}, "Dog": {"properties": {"bark": {}}}}
    document = openapi(
        {"/pets": {"post": {"operationId": "add", **json_body(choice)}}}, components={"schemas": schemas}
    )
    entries, definitions, _ = compiled(document)
    body = entries["add"].input["properties"]["body"]
    assert places(entries["add"]) == {"body": ("content", "body")}
    assert body["oneOf"] == [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]
    assert "cat, dog" in body["description"]
    assert set(definitions) == {"Cat", "Dog"}


def test_a_circle_of_references_is_kept_and_each_schema_stands_once():
    node = {"properties": {"next": {"$ref": "#/components/schemas/Node"}, "tag": {"$ref": "#/components/schemas/Tag"}}}
    document = openapi(
        {"/nodes": {"post": {"operationId": "add", **json_body({"$ref": "#/components/schemas/Node"})}}},
        components={"schemas": {"Node": node, "Tag": {"type": "string"}, "Unused": {"type": "string"}}},
    )
    entries, definitions, _ = compiled(document)
    assert entries["add"].input["properties"]["next"] == {"$ref": "#/$defs/Node"}
    assert set(definitions) == {"Node", "Tag"}
    assert definitions["Node"]["properties"]["next"] == {"$ref": "#/$defs/Node"}


def test_schemas_that_stand_elsewhere_are_hoisted_under_names_of_their_own():
    answer = {"200": {"content": {"application/json": {"schema": {"$ref": "#/paths/~1a/get/x-shape"}}}}}
    shapes = {"x-shape": {"type": "object", "properties": {"a~b": {"type": "string"}}}}
    document = openapi({"/a": {"get": {"operationId": "a", "responses": answer, **shapes}}})
    entries, definitions, _ = compiled(document)
    assert entries["a"].output == {"$ref": "#/$defs/x-shape"}
    assert definitions["x-shape"]["properties"] == {"a~b": {"type": "string"}}


def test_the_parts_of_a_multipart_body_keep_their_encoding():
    schema = {"properties": {"meta": {"type": "object"}, "file": {"type": "string", "format": "binary"}}}
    held = {"schema": schema, "encoding": {"meta": {"contentType": "application/json"}}}
    entry = one({"requestBody": {"content": {"multipart/form-data": held}}})
    assert places(entry) == {"meta": ("part", "meta"), "file": ("part", "file")}
    assert entry.arguments[0].media == "application/json"
    assert entry.input["properties"]["file"] == {"type": "string", "format": "binary"}


def test_a_binary_body_is_one_argument():
    entry = one({"requestBody": {"required": True, "content": {"application/zip": {"schema": {"type": "string"}}}}})
    assert places(entry) == {"body": ("content", "body")}
    assert entry.input["properties"]["body"] == {"type": "string", "format": "binary"}
    assert entry.body is not None
    assert entry.body.media == "application/zip"


def test_json_is_preferred_among_media_types_and_the_others_are_named():
    content = {"application/xml": {"schema": {}}, "application/json": {"schema": {"properties": {"a": {}}}}}
    entry = one({"requestBody": {"content": content}})
    assert entry.body is not None
    assert entry.body.media == "application/json"
    assert entry.body.others == ("application/xml",)


def test_swagger_2_is_read_into_the_same_entries():
    parameters = [
        {"name": "id", "in": "path", "required": True, "type": "integer"},
        {"name": "tags", "in": "query", "type": "array", "items": {"type": "string"}, "collectionFormat": "pipes"},
        {"name": "pet", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Pet"}},
    ]
    document = {
        "swagger": "2.0", "info": {"title": "Pets", "version": "1"}, "host": "pets.example", "basePath": "/v1/",
        "schemes": ["http", "https"], "consumes": ["application/json"],
        "paths": {"/pets/{id}": {"put": {"operationId": "putPet", "parameters": parameters, "responses": {
            "200": {"schema": {"$ref": "#/definitions/Pet"}}}}}},
        "definitions": {"Pet": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "x-nullable": True}}}},
        "securityDefinitions": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
    }  # fmt: skip
    entries, definitions, compiler = compiled(document)
    entry = entries["put_pet"]
    assert places(entry) == {"id": ("path", "id"), "tags": ("query", "tags"), "name": ("body", "name")}
    assert entry.arguments[1].style == "pipeDelimited"
    assert entry.output == {"$ref": "#/$defs/Pet"}
    assert definitions["Pet"]["properties"]["name"] == {"type": ["string", "null"]}
    assert compiler.provider.servers == [{"url": "https://pets.example/v1"}]
    assert compiler.provider.auth == {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}


def test_a_swagger_2_upload_is_a_multipart_body():
    parameters = [{"name": "photo", "in": "formData", "type": "file", "required": True}]
    document = {"swagger": "2.0", "paths": {"/photos": {"post": {"operationId": "add", "parameters": parameters}}}}
    entries, _, _ = compiled(document)
    entry = entries["add"]
    assert places(entry) == {"photo": ("part", "photo")}
    assert entry.input["properties"]["photo"] == {"type": "string", "format": "binary"}
    assert entry.body is not None
    assert entry.body.media == "multipart/form-data"


def test_provider_facts_stand_apart_from_operations():
    flows = {"clientCredentials": {"tokenUrl": "https://id.example/token", "scopes": {"read": "Read"}}}
    variables = {"region": {"default": "eu", "enum": ["eu", "us"]}}
    document = openapi(
        {"/a": {"get": {"operationId": "a"}}, "/b": {"get": {"operationId": "b", "security": []}}},
        servers=[{"url": "https://{region}.pets.example", "variables": variables}],
        security=[{"login": ["read"]}],
        components={"securitySchemes": {"login": {"type": "oauth2", "flows": flows}}},
    )
    entries, _, compiler = compiled(document)
    assert compiler.provider.servers == [{"url": "https://{region}.pets.example", "variables": variables}]
    assert compiler.provider.auth == {"login": {"type": "oauth2", "flows": flows}}
    assert compiler.provider.security == [{"login": ["read"]}]
    assert entries["a"].security is None
    assert entries["b"].security == []


def test_a_relative_server_address_is_resolved_against_where_the_description_came_from():
    document = openapi({}, servers=[{"url": "../v2"}])
    _, _, compiler = compiled(document, base="https://pets.example/docs/openapi.json")
    assert compiler.provider.servers == [{"url": "https://pets.example/v2"}]


def test_openapi_3_2_adds_a_method_and_further_ones_by_name():
    item = {"query": {"operationId": "find"}, "additionalOperations": {"COPY": {"operationId": "copy"}}}
    entries, _, _ = compiled(openapi({"/pets": item}, version="3.2.0"))
    assert {name: entry.method for name, entry in entries.items()} == {"find": "QUERY", "copy": "COPY"}


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"parameters": [{"in": "query"}]}, "a parameter has no name"),
        ({"parameters": [{"$ref": "#/components/parameters/None"}]}, "points to nothing"),
        ({"parameters": [{"$ref": "https://elsewhere.example/a.json"}]}, "points outside of the description"),
        ({"parameters": [{"$ref": "#/components/parameters/Circle"}]}, "goes in a circle"),
        ({"parameters": 5}, "is no list"),
        ("nonsense", "an operation is an object"),
    ],
)
def test_a_broken_operation_is_refused_with_its_reason_and_the_others_are_kept(broken: Any, reason: str):
    circle = {"parameters": {"Circle": {"$ref": "#/components/parameters/Circle"}}}
    document = openapi({"/a": {"get": broken}, "/b": {"get": {"operationId": "b"}}}, components=circle)
    entries, _, compiler = compiled(document)
    assert list(entries) == ["b"]
    (refusal,) = compiler.report.refused
    assert refusal.place == "GET /a"
    assert reason in refusal.reason
    assert compiler.report.operations == 1


def test_a_broken_schema_takes_anything_and_is_noted():
    body = json_body({"properties": {"a": {"$ref": "other.yaml#/A"}, "b": {"$ref": "#/components/schemas/None"}}})
    entries, _, compiler = compiled(openapi({"/a": {"post": {"operationId": "a", **body}}}))
    assert entries["a"].input["properties"] == {key: {"description": "Not described."} for key in "ab"}
    assert len(compiler.report.notes) == 2
