"""The field-level difference: aligned, by line where texts are long, honest about what it leaves out."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from banksman.cli.render.fields import ALL, BRIEF, Limits, fields_of, show_fields
from banksman.cli.render.page import Page


def drawn(before: Any, after: Any, *, limits: Limits = BRIEF, width: int = 60) -> list[str]:
    page = Page(Console(file=io.StringIO(), width=width, highlight=False))
    show_fields(page, fields_of(before, after), "", indent=0, limits=limits)
    return [line.plain for line in page.lines]


def test_changed_fields_are_aligned_and_others_left_out() -> None:
    before = {"id": 7, "due": "2026-03-01", "quantity": 10}
    after = {"id": 7, "due": "2026-03-15", "quantity": 12}
    assert drawn(before, after) == ['~ due:      "2026-03-01" -> "2026-03-15"', "~ quantity: 10 -> 12"]


def test_a_new_record_shows_all_fields_and_so_does_one_that_goes() -> None:
    assert drawn(None, {"a": 1, "b": None}) == ["+ a: 1", "+ b: null"]
    assert drawn({"a": 1}, None) == ["- a: 1"]


def test_a_field_that_comes_or_goes_says_so() -> None:
    assert drawn({"a": 1, "c": 2}, {"b": 3, "c": 2}) == ["- a: 1", "+ b: 3"]


def test_a_change_of_type_alone_is_seen() -> None:
    assert drawn({"a": "1", "b": True}, {"a": 1, "b": 1}) == ['~ a: "1" -> 1', "~ b: true -> 1"]


def test_numbers_that_mean_the_same_are_no_change() -> None:
    assert drawn({"a": 10}, {"a": 10.0}) == []


def test_a_long_text_is_compared_line_by_line() -> None:
    before = "\n".join(["Dear all,", "", "the ship", "is late.", "", "", "", "", "Ann"])
    after = before.replace("late", "on time")
    assert drawn({"text": before}, {"text": after}) == [
        "~ text:",
        "    |   Dear all,",
        "    |   ",
        "    |   the ship",
        "    | - is late.",
        "    | + is on time.",
        "    |   ",
        "    |   ",
        "    : 3 lines unchanged",
    ]


def test_an_end_of_line_that_changes_is_seen() -> None:
    assert drawn({"text": "a\nb"}, {"text": "a\r\nb\n"}) == [
        "~ text:",
        "    | - a",
        "    | + a\\r",
        "    |   b",
        "    | + ",
    ]


def test_every_line_of_a_text_stands_behind_a_bar_however_long_it_is() -> None:
    attack = "fine\n" + " " * 40 + "Plan: nothing to change"
    for line in drawn(None, {"text": attack}, width=40)[1:]:
        assert line.startswith("    | + ")


def test_a_value_that_does_not_fit_on_the_line_is_put_below() -> None:
    lines = drawn({"text": "x" * 70}, {"text": "y" * 70}, width=60)
    assert lines[0] == "~ text:"
    assert [line[:9] for line in lines[1:]] == ['    | - "', "    | - x", '    | + "', "    | + y"]


def test_rows_are_shown_under_their_keys_and_the_rest_is_counted() -> None:
    before = {"rows": {f"id={n:04}": {"state": "late", "id": n} for n in range(1, 1205)}}
    after = {"rows": {key: {**row, "state": "moved"} for key, row in before["rows"].items()}}
    lines = drawn(before, after)
    assert lines[:2] == ["rows.id=0001:", '  ~ state: "late" -> "moved"']
    assert len(lines) == 11
    assert lines[-1] == "... and 1,199 more records with 1,199 fields"
    assert len(drawn(before, after, limits=ALL)) == 2 * 1204 + 1


def test_many_fields_and_many_lines_are_counted_too() -> None:
    assert drawn(None, {f"f{n:02}": n for n in range(50)})[-1] == "... and 20 more fields"
    text = "\n".join(str(n) for n in range(100))
    assert drawn(None, {"text": text})[-1] == "    : ... and 76 more lines"
    assert drawn(None, {"text": text}, limits=ALL)[-1] == "    | + 99"


def test_a_list_of_objects_is_shown_by_place_and_one_of_values_as_a_whole() -> None:
    before = {"items": [{"sku": "a"}, {"sku": "b"}], "tags": ["x"]}
    after = {"items": [{"sku": "a"}, {"sku": "c"}], "tags": ["x", "y"]}
    assert drawn(before, after) == ["items[1]:", '  ~ sku: "b" -> "c"', '~ tags: ["x"] -> ["x", "y"]']


def test_comparing_hostile_texts_takes_no_longer_than_reading_them() -> None:
    many = "\n".join("ab"[n % 2] for n in range(60_000))
    lines = drawn({"text": many}, {"text": many[2:]})
    assert lines[-1].startswith("    : ... and ")
