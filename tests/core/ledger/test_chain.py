"""The chain: what was recorded stays as it was, or it shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banksman.ledger import Draft, broken_links, chained, link, origin


def chain(*bodies, run="r"):
    entries, previous = [], origin(run)
    for number, body in enumerate(bodies, 1):
        entry = chained(Draft(run, "call.read", f"c{number}", body), number, previous, f"2026-01-01T00:00:0{number}Z")
        entries.append(entry)
        previous = entry.hash
    return entries


def test_a_chain_as_it_was_written_holds():
    assert broken_links("r", chain({"a": 1}, {"a": 2}, {"a": 3})) == []
    assert broken_links("r", []) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("text", '{"a":9}'), ("at", "2026-01-02T00:00:00Z"), ("kind", "call.failed"), ("call", "c9"), ("hash", "0" * 64)],
)
def test_a_changed_entry_shows(field, value):
    entries = chain({"a": 1}, {"a": 2}, {"a": 3})
    entries[1] = replace(entries[1], **{field: value})
    assert any("content does not match" in text for text in broken_links("r", entries))


def test_an_entry_that_was_rehashed_does_not_fit_the_next_one():
    entries = chain({"a": 1}, {"a": 2}, {"a": 3})
    forged = replace(entries[1], text='{"a":9}')
    forged = replace(
        forged, hash=link("r", forged.number, forged.at, forged.kind, forged.call, forged.text, forged.previous)
    )
    entries[1] = forged
    assert broken_links("r", entries) == ["entry 3 (call.read): does not follow the entry before it"]


def test_a_missing_entry_shows():
    entries = chain({"a": 1}, {"a": 2}, {"a": 3})
    assert any("missing" in text for text in broken_links("r", [entries[0], entries[2]]))
    assert any("missing" in text for text in broken_links("r", entries[1:]))


def test_an_entry_of_another_run_shows():
    assert any("belongs to run" in text for text in broken_links("r", chain({"a": 1}, run="s")))


def test_swapped_entries_show():
    first, second = chain({"a": 1}, {"a": 2})
    assert broken_links("r", [second, first])


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), min_size=2, max_size=2, unique=True))
def test_two_different_entries_never_have_one_hash(parts):
    # Lengths stand before the parts, or "a" + "bc" would be "ab" + "c".
    (one, other) = (link("r", 1, "t", *fields, "p") for fields in parts)
    assert one != other


def test_the_body_comes_back_as_it_went_in():
    body = {"text": "ä⟦\n", "many": [1, 2.5, None, True], "large": 2**60}
    assert chain(body)[0].body == body
