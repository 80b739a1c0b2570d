"""The catalog file is replaced as a whole and read one entry at a time."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.core.catalog.described import json_body, openapi

from banksman._effect import Effect
from banksman.catalog import build
from banksman.catalog.build import migrate, replacing
from banksman.catalog.compile import compiler_for
from banksman.catalog.reading import Bounds, DescriptionError
from banksman.catalog.store import FORMAT, Catalog
from banksman.errors import ConfigError, UnknownName

PET = {
    "type": "object", "required": ["name"],
    "properties": {
        "id": {"type": "string", "readOnly": True}, "name": {"type": "string"},
        "parent": {"$ref": "#/components/schemas/Pet"}, "home": {"$ref": "#/components/schemas/Home"},
    },
}  # fmt: skip
HOME = {"type": "object", "properties": {"street": {"type": "string"}, "stamp": {"type": "string", "readOnly": True}}}


def pets(**rest: Any) -> dict[str, Any]:
    answer = {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}}
    add = {"operationId": "pets/add", "summary": "Add a pet", "responses": answer}
    add |= json_body({"$ref": "#/components/schemas/Pet"}, required=True)
    broken = {"parameters": [{"in": "query"}]}
    paths = {"/pets": {"post": add, "get": {"operationId": "pets/list", "deprecated": True}, "put": broken}}
    return openapi(paths, components={"schemas": {"Pet": PET, "Home": HOME}}, **rest)


def put(path: Path, system: str, document: Any, **how: Any) -> None:
    content = json.dumps(document).encode()
    with replacing(path, **how) as builder:
        builder.add(compiler_for(content, system, "pets.json"), "pets.json", "5ba3")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    put(tmp_path / "catalog.sqlite", "shop", pets())
    return tmp_path / "catalog.sqlite"


def test_an_entry_comes_back_as_it_was_compiled(path: Path):
    compiler = compiler_for(json.dumps(pets()).encode(), "shop", "pets.json")
    expected = {entry.name: entry for entry in compiler.entries()}["shop.pets.add"]
    with Catalog(path) as catalog:
        found = catalog.entry("shop.pets.add")
        assert found == expected
        assert found.effect is Effect.WRITE
        assert not found.reviewed
        assert found.summary == "Add a pet"
        assert catalog.entry("shop.pets.list").deprecated


def test_schemas_are_handed_out_self_contained_and_inputs_without_what_the_system_sets(path: Path):
    with Catalog(path) as catalog:
        entry = catalog.entry("shop.pets.add")
        schema = catalog.input_schema(entry)
        assert list(schema["properties"]) == ["name", "parent", "home"]
        assert set(schema["$defs"]) == {"Pet", "Home"}
        assert list(schema["$defs"]["Home"]["properties"]) == ["street"]
        output = catalog.output_schema(entry)
        assert output is not None
        assert "stamp" in output["$defs"]["Home"]["properties"]


def test_no_operation_of_a_large_description_is_lost(path: Path):
    put(path, "large", openapi({f"/{n}": {"get": {"operationId": f"op{n}"}} for n in range(200)}))
    with Catalog(path) as catalog:
        assert len(list(catalog.names("large"))) == catalog.report("large").operations == 200
        assert [entry.operation for entry in catalog.entries("large")] == [f"op{n}" for n in range(200)]


def test_a_schema_too_large_for_a_call_is_cut_and_says_so(path: Path):
    with Catalog(path) as catalog:
        schema = catalog.input_schema(catalog.entry("shop.pets.add"), most=1)
    assert [text for held in schema["$defs"].values() if "too large" in (text := held.get("description", ""))]


def test_systems_provider_facts_and_reports_can_be_asked_for(path: Path):
    with Catalog(path) as catalog:
        assert catalog.systems() == ["shop"]
        assert catalog.count() == 2
        assert list(catalog.names()) == ["shop.pets.add", "shop.pets.list"]
        assert catalog.provider("shop").title == "Pets"
        assert [refusal.place for refusal in catalog.report("shop").refused] == ["PUT /pets"]
        assert catalog.origin("shop")["source"] == "pets.json"
        assert catalog.origin("shop")["digest"] == "5ba3"


def test_a_name_that_is_not_there_lists_near_ones(path: Path):
    with Catalog(path) as catalog:
        with pytest.raises(UnknownName, match=r"did you mean shop\.pets\.add"):
            catalog.entry("shop.pets.ad")
        with pytest.raises(UnknownName, match=r"mean shop\?"):
            catalog.entry("shopp.pets.add")


def test_a_reader_keeps_what_it_opened_while_the_file_is_replaced(path: Path):
    with Catalog(path) as before:
        assert not before.replaced
        put(path, "zoo", pets(), keep=False)
        assert before.replaced
        assert before.entry("shop.pets.add").system == "shop"
        with Catalog(path) as after:
            assert after.systems() == ["zoo"]


def test_adding_keeps_other_systems_and_replaces_the_same_one(path: Path):
    put(path, "zoo", pets())
    small = pets()
    del small["paths"]["/pets"]["post"]
    put(path, "shop", small)
    with Catalog(path) as catalog:
        assert list(catalog.names()) == ["shop.pets.list", "zoo.pets.add", "zoo.pets.list"]
        assert catalog.definition("shop", "Pet") is None
        assert catalog.definition("zoo", "Pet") is not None


def test_what_fails_half_way_leaves_the_catalog_as_it_was(path: Path):
    before = path.read_bytes()

    def fail() -> None:
        with replacing(path) as builder:
            builder.remove("shop")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert path.read_bytes() == before
    assert sorted(found.name for found in path.parent.iterdir()) == [".catalog.sqlite.lock", "catalog.sqlite"]


def test_a_description_that_is_given_up_half_way_leaves_nothing_behind(path: Path):
    content = json.dumps(openapi({f"/{n}": {"get": {}} for n in range(200)})).encode()
    with replacing(path) as builder, pytest.raises(DescriptionError):
        builder.add(compiler_for(content, "big", "big.json", bounds=Bounds(operations=150)), "big.json")
    with Catalog(path) as catalog:
        assert catalog.systems() == ["shop"]
        assert list(catalog.names()) == ["shop.pets.add", "shop.pets.list"]


def test_only_one_process_replaces_a_catalog_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build, "PATIENCE", 0.01)
    with replacing(path), pytest.raises(ConfigError, match="another process"), replacing(path):
        pass


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\x00" + b"\x00" * 200])
def test_a_file_that_is_no_catalog_is_neither_read_nor_replaced(tmp_path: Path, content: bytes):
    other = tmp_path / "other.sqlite"
    other.write_bytes(content)
    with pytest.raises(ConfigError, match="no catalog"):
        Catalog(other)
    with pytest.raises(ConfigError, match="no catalog"), replacing(other):
        pass
    assert other.read_bytes() == content


def test_a_missing_catalog_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(ConfigError, match="banksman catalog add"):
        Catalog(tmp_path / "none.sqlite")


def set_format(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


def test_a_newer_format_is_refused_by_readers_and_writers(path: Path):
    set_format(path, FORMAT + 1)
    with pytest.raises(ConfigError, match="Upgrade Banksman"):
        Catalog(path)
    with pytest.raises(ConfigError, match="Upgrade Banksman"), replacing(path):
        pass


def test_an_older_format_is_migrated_into_a_copy_step_by_step(path: Path, monkeypatch: pytest.MonkeyPatch):
    set_format(path, FORMAT - 1)
    with pytest.raises(ConfigError, match="catalog migrate"):
        Catalog(path)
    with pytest.raises(ConfigError, match="too old"):
        migrate(path)

    def retitle(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE systems SET title = 'migrated'")

    monkeypatch.setitem(build.MIGRATIONS, FORMAT - 1, retitle)
    assert migrate(path) == FORMAT - 1
    with Catalog(path) as catalog:
        assert catalog.connection.execute("SELECT title FROM systems").fetchone()[0] == "migrated"
        assert catalog.entry("shop.pets.add").system == "shop"


def test_the_catalog_cannot_be_written_through_a_reader(path: Path):
    with Catalog(path) as catalog, pytest.raises(sqlite3.OperationalError, match="readonly"):
        catalog.connection.execute("DELETE FROM entries")
