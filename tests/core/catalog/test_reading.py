"""Descriptions are read within bounds, and a hostile one ends in a clear error."""

from __future__ import annotations

import json

import pytest
from tests.core.catalog.described import SMALL, json_body, openapi

from banksman.catalog.compile import compiler_for
from banksman.catalog.reading import Bounds, DescriptionError, read


def test_yaml_is_read_as_json_is():
    text = b'a: [1, 2.5, "3", no, 2024-01-01, ~, true]\n"b": {200: x}\nc: &n {d: 1}\ne: {<<: *n, f: 2}\n'
    assert read(text, "x.yaml") == {
        "a": [1, 2.5, "3", "no", "2024-01-01", None, True],
        "b": {"200": "x"},
        "c": {"d": 1},
        "e": {"d": 1, "f": 2},
    }


def bomb() -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": ' + b"[" * 5000, "nested deeper"),
        (b"a: " + b"[" * 5000, "nesting depth"),
        (b"a: " + b"[" * 200 + b"]" * 200, "nested deeper"),
        (bomb(), "aliases counted"),
        (b"a: &a [*a]", "no finished anchor"),
        (b'{"a": NaN}', "no JSON"),
        (b'{"a": ', "no JSON"),
        (b"a: b: c", "neither JSON nor YAML"),
        (b"\x00\xff\xfe", "neither JSON nor YAML"),
        (b"a: !!python/object/apply:os.system [x]\n" + b"b: *none", "no finished anchor"),
        (b"[" + b" " * 200_000 + b"]", "at most 100,000 are read"),
    ],
)
def test_what_cannot_be_read_says_why(content: bytes, said: str):
    with pytest.raises(DescriptionError, match=said):
        read(content, "x", SMALL)


def test_aliases_that_nest_are_counted_in_depth():
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [[[[[[[[*a{n - 1}]]]]]]]]" for n in range(1, 30)]
    with pytest.raises(DescriptionError, match="nested deeper"):
        read("\n".join(lines).encode(), "x", SMALL)


def test_tags_of_yaml_make_no_objects():
    assert read(b"a: !!python/object/apply:os.system [x]\n", "x") == {"a": ["x"]}


def test_a_description_that_repeats_itself_beyond_measure_is_refused():
    shared = [{"name": f"p{n}", "in": "query", "schema": {"enum": ["a"]}} for n in range(100)]
    body = json_body({"properties": {f"b{n}": {"properties": {f"c{m}": {} for m in range(20)}} for n in range(60)}})
    item = {"parameters": shared, "post": {"requestBody": {"$ref": "#/components/requestBodies/B"}}}
    bodies = {"requestBodies": {"B": body["requestBody"]}}
    document = openapi({f"/{n}": item for n in range(99)}, components=bodies)
    bounds = Bounds(written=50_000)
    with pytest.raises(DescriptionError, match="repeats itself"):
        list(compiler_for(json.dumps(document).encode(), "x", "x", bounds=bounds).entries())


def test_more_operations_than_the_bounds_allow_are_refused():
    document = openapi({f"/{n}": {"get": {}} for n in range(200)})
    with pytest.raises(DescriptionError, match="more than 100 operations"):
        list(compiler_for(json.dumps(document).encode(), "x", "x", bounds=SMALL).entries())


def test_what_is_no_description_names_the_known_ones():
    with pytest.raises(DescriptionError, match=r"Swagger 2.*GraphQL"):
        compiler_for(b'{"hello": 1}', "x", "x.json")
