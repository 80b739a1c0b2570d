"""GraphQL introspection becomes entries with documents that are ready to send."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.catalog.described import compiled

from banksman.catalog.reading import DescriptionError


def named(name: str, kind: str = "SCALAR") -> dict[str, Any]:
    return {"kind": kind, "name": name, "ofType": None}


def must(inner: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "NON_NULL", "name": None, "ofType": inner}


def field(name: str, kind: dict[str, Any], *args: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "args": list(args), **more}


def introspection() -> dict[str, Any]:
    pet = named("Pet", "OBJECT")
    types = [
        {"kind": "OBJECT", "name": "Query", "fields": [
            field("pet", pet, {"name": "id", "type": must(named("ID"))}),
            field("broken", named("Missing", "OBJECT")),
        ]},
        {"kind": "OBJECT", "name": "Mutation", "fields": [
            field("deletePet", pet, {"name": "id", "type": must(named("ID"))}, description="Deletes a pet."),
            field("addPet", must(pet), {"name": "input", "type": must(named("PetInput", "INPUT_OBJECT"))}),
        ]},
        {"kind": "OBJECT", "name": "Pet", "fields": [
            field("id", must(named("ID"))), field("mood", named("Mood", "ENUM")), field("friend", pet),
            field("picture", named("String"), {"name": "size", "type": must(named("Int"))}),
        ]},
        {"kind": "INPUT_OBJECT", "name": "PetInput", "inputFields": [
            {"name": "name", "type": must(named("String"))}, {"name": "mood", "type": named("Mood", "ENUM")},
            {"name": "tags", "type": {"kind": "LIST", "name": None, "ofType": named("String")}},
        ]},
        {"kind": "ENUM", "name": "Mood", "enumValues": [{"name": "CALM"}, {"name": "WILD"}]},
        *({"kind": "SCALAR", "name": name} for name in ("ID", "String", "Int")),
    ]  # fmt: skip
    return {"data": {"__schema": {"queryType": named("Query"), "mutationType": named("Mutation"), "types": types}}}


def test_queries_read_and_mutations_have_the_effect_of_their_verb():
    entries, definitions, compiler = compiled(introspection())
    assert {name: entry.effect.value for name, entry in entries.items()} == {
        "pet": "read", "delete_pet": "destroy", "add_pet": "write",
    }  # fmt: skip
    assert [refusal.place for refusal in compiler.report.refused] == ["QUERY broken"]
    assert entries["add_pet"].input["properties"]["input"] == {"$ref": "#/$defs/PetInput"}
    assert definitions["PetInput"]["required"] == ["name"]
    assert definitions["PetInput"]["properties"]["tags"] == {"type": "array", "items": {"type": "string"}}
    assert definitions["Mood"] == {"type": "string", "enum": ["CALM", "WILD"]}


def test_the_document_passes_variables_and_asks_for_what_needs_no_argument():
    entries, _, _ = compiled(introspection())
    assert entries["pet"].facts["document"] == ("query($id: ID!) { pet(id: $id) { id mood friend { id mood } } }")


def test_a_document_without_types_is_refused():
    with pytest.raises(DescriptionError, match="__schema"):
        compiled({"__schema": {}})
