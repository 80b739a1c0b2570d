"""Whatever a description says, compiling ends: with good entries, or with a clear error."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.catalog.mutating import BASES, mutate

from banksman.catalog.build import replacing
from banksman.catalog.compile import compiler_for
from banksman.catalog.reading import Bounds, DescriptionError
from banksman.catalog.store import Catalog, references, subschemas

#: How many mutations of each base are tried; `FUZZ=3000` tries more.
EXAMPLES = int(os.environ.get("FUZZ", "60"))
BOUNDS = Bounds(size=2**20, yaml_size=2**18, nodes=100_000, written=100_000, operations=1000)
QUICK = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES < 100
)

changes = st.lists(
    st.tuples(
        st.integers(0, 2**32), st.sampled_from(("replace", "drop", "copy", "rename", "nest")), st.integers(0, 99)
    ),
    min_size=1,
    max_size=8,
)


def compile_all(content: bytes) -> tuple[list[Any], dict[str, Any], Any] | None:
    """All that a description yields, or None where it is refused as a whole."""
    try:
        compiler = compiler_for(content, "x", "mutated", bounds=BOUNDS)
        return list(compiler.entries()), dict(compiler.definitions()), compiler
    except DescriptionError:
        return None


def check(entries: list[Any], definitions: dict[str, Any]) -> None:
    """What holds for whatever comes out."""
    assert len({entry.name for entry in entries}) == len(entries)
    for entry in entries:
        assert entry.name.startswith("x.")
        assert len(entry.name) < 200
        properties = entry.input["properties"]
        assert [argument.name for argument in entry.arguments] == list(properties)
        required = entry.input.get("required", [])
        assert len(set(required)) == len(required)
        assert set(required) <= set(properties)
        for schema in (entry.input, entry.output or {}):
            assert set(references(schema)) <= definitions.keys()
    for schema in definitions.values():
        assert set(references(schema)) <= definitions.keys()
        for held in subschemas(schema):
            listed = held.get("required", [])
            assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("base", BASES)
@QUICK
@given(steps=changes)
def test_a_mutated_description_yields_sound_entries_or_a_clear_error(base: str, steps: list[tuple[int, str, int]]):
    document = mutate(copy.deepcopy(BASES[base]), steps)
    found = compile_all(json.dumps(document).encode())
    if found is not None:
        check(found[0], found[1])


@pytest.mark.parametrize("base", BASES)
@QUICK
@given(cuts=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6)), min_size=1, max_size=6))
def test_damaged_bytes_yield_sound_entries_or_a_clear_error(base: str, cuts: list[tuple[float, bytes]]):
    content = json.dumps(BASES[base]).encode()
    for where, put in cuts:
        place = int(where * len(content))
        content = content[:place] + put + content[place + len(put) :]
    found = compile_all(content)
    if found is not None:
        check(found[0], found[1])


@QUICK
@given(text=st.text(alphabet="abc:-&*[]{}#|>!?%@`'\" \n\t~<", max_size=200))
def test_any_yaml_is_read_or_refused(text: str):
    compile_all(b"openapi: 3.0.0\npaths: " + text.encode())


@settings(QUICK, max_examples=max(10, EXAMPLES // 10))
@given(base=st.sampled_from(sorted(BASES)), steps=changes)
def test_what_was_compiled_comes_back_out_of_a_catalog(
    tmp_path_factory: pytest.TempPathFactory, base: str, steps: list[tuple[int, str, int]]
):
    content = json.dumps(mutate(copy.deepcopy(BASES[base]), steps)).encode()
    found = compile_all(content)
    if found is None:
        return
    path: Path = tmp_path_factory.mktemp("mutated") / "catalog.sqlite"
    with replacing(path, index=False) as builder:
        builder.add(compiler_for(content, "x", "mutated", bounds=BOUNDS), "mutated")
    with Catalog(path) as catalog:
        assert list(catalog.entries()) == found[0]
        for entry in found[0]:
            schema = catalog.input_schema(entry)
            assert set(references(schema)) <= schema.get("$defs", {}).keys()
