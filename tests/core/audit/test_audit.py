"""A run's file verifies by itself, and any change to it is found and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banksman._canonical import digest
from banksman.audit import export, line, verify, verify_text
from banksman.errors import UnknownName, UsageError
from banksman.ledger import Draft, Entry, chained, origin

RUN = "20261125-101500-abcdef"
ITEM = {"call": "mend", "action": "notes.update", "connection": "notes:acme"}
PREVIEW: dict[str, Any] = {"run": RUN, "items": [ITEM], "alternatives": []}
DIGEST = digest(PREVIEW, purpose="banksman.approval.v1")
EVENTS: list[tuple[str, str, dict[str, Any]]] = [
    ("run.created", "", {"name": "mend"}),
    ("run.previewed", "", {"preview": PREVIEW, "digest": DIGEST}),
    ("approval.given", "", {"digest": DIGEST, "by": "olga", "how": "prompt"}),
    ("stage.begun", "", {"digest": DIGEST}),
    ("call.intended", "mend", {"action": "notes.update", "connection": "notes:acme", "after": {"text": "MILK \u2028"}}),
    ("call.confirmed", "mend", {"output": {"text": "MILK"}}),
    ("run.ended", "", {"status": "done"}),
]


def entries(events: list[tuple[str, str, dict[str, Any]]] = EVENTS, run: str = RUN) -> list[Entry]:
    made: list[Entry] = []
    previous = origin(run)
    for number, (kind, call, body) in enumerate(events, start=1):
        made.append(chained(Draft(run, kind, call, body), number, previous))
        previous = made[-1].hash
    return made


def text(made: list[Entry] | None = None) -> str:
    return "".join(f"{one}\n" for one in export(RUN, entries() if made is None else made))


def changed(change: Callable[[list[str]], Any]) -> tuple[str, ...]:
    lines = text().splitlines()
    change(lines)
    return verify_text("".join(f"{one}\n" for one in lines)).problems


def test_a_whole_file_holds_and_says_what_is_in_it() -> None:
    report = verify_text(text())
    assert (report.holds, report.finished, report.run, report.count, report.writes) == (True, True, RUN, 7, 1)
    assert report.head == entries()[-1].hash or len(report.head) == 64
    assert report.problems == ()


def test_the_header_says_what_follows_and_entries_are_as_they_were_hashed() -> None:
    made = entries()
    first, *rest = text(made).splitlines()
    assert json.loads(first) == {
        "format": "banksman.audit", "version": 1, "run": RUN, "count": 7, "head": made[-1].hash, "finished": True,
    }  # fmt: skip
    assert [json.loads(one)["text"] for one in rest] == [entry.text for entry in made]
    assert all(one.isascii() for one in rest)


def test_a_changed_body_is_found() -> None:
    def change(lines: list[str]) -> None:
        lines[5] = lines[5].replace("MILK", "SILK")

    assert changed(change) == ("entry 5 (call.intended): its content does not match its hash",)


@pytest.mark.parametrize("name", ["run", "number", "at", "kind", "call", "text", "previous", "hash"])
def test_a_change_of_any_field_is_found(name: str) -> None:
    def change(lines: list[str]) -> None:
        entry = json.loads(lines[3])
        entry[name] = entry[name] + 1 if name == "number" else entry[name] + "x"
        lines[3] = json.dumps(entry, separators=(",", ":"))

    assert changed(change)


def test_a_missing_entry_is_found() -> None:
    problems = changed(lambda lines: lines.pop(4))
    assert any("missing or out of order" in problem for problem in problems)
    assert "1 of 7 entries are missing" in problems


def test_entries_in_another_order_are_found() -> None:
    def change(lines: list[str]) -> None:
        lines[3], lines[4] = lines[4], lines[3]

    assert any("out of order" in problem for problem in changed(change))


def test_an_entry_given_twice_is_found() -> None:
    assert any("1 entries more" in problem for problem in changed(lambda lines: lines.insert(3, lines[3])))


def test_a_file_that_was_cut_off_is_found() -> None:
    problems = changed(lambda lines: lines.pop())
    assert "1 of 7 entries are missing" in problems
    assert verify_text(text()[:-20]).problems
    assert "the last line is cut off: it has no end" in verify_text(text()[:-1]).problems


def test_an_end_that_was_cut_off_with_its_header_mended_says_unfinished() -> None:
    made = entries()[:5]
    report = verify_text(text(made))
    assert (report.holds, report.finished) == (True, False)


@pytest.mark.parametrize(("kind", "finished"), [("run.paused", True), ("run.undone", True), ("call.settled", False)])
def test_a_run_is_finished_while_nothing_goes_on(kind: str, finished: bool) -> None:
    assert verify_text(text(entries([*EVENTS, (kind, "", {"by": "x", "why": ""})]))).finished is finished


def test_a_header_that_claims_an_end_is_not_believed() -> None:
    def change(lines: list[str]) -> None:
        head = json.loads(lines[0])
        lines[0] = json.dumps({**head, "count": 5, "head": json.loads(lines[5])["hash"]})
        del lines[6:]

    assert changed(change) == ("the header says that the run is finished; its last entry says otherwise",)


def test_entries_of_another_run_do_not_pass() -> None:
    other = entries(run="20261125-101500-others")
    assert any("belongs to run" in problem for problem in verify_text(text(other)).problems)


def test_a_line_that_shows_a_reader_something_else_does_not_pass() -> None:
    def twice(lines: list[str]) -> None:
        lines[5] = lines[5].replace('"kind":', '"kind":"call.read","kind":', 1)

    def spaced(lines: list[str]) -> None:
        lines[5] = json.dumps(json.loads(lines[5]))

    for change in (twice, spaced):
        assert changed(change) == ("line 6: not written as an export writes it",)


@pytest.mark.parametrize("junk", ["", "not json", "[]", '{"a": 1}', "[" * 100_000])
def test_a_line_that_is_no_entry_is_named(junk: str) -> None:
    assert any(problem.startswith("line 4: not a") for problem in changed(lambda lines: lines.insert(3, junk)))


def test_a_write_that_nobody_approved_is_found() -> None:
    without = [event for event in EVENTS if event[0] != "approval.given"]
    problems = verify_text(text(entries(without))).problems
    assert "entry 3 (stage.begun): nobody approved that preview" in problems
    assert "entry 4 (call.intended mend): no approved preview shows that write" in problems


def test_a_write_that_the_approved_preview_does_not_show_is_found() -> None:
    other = [*EVENTS[:4], ("call.intended", "other", EVENTS[4][2]), *EVENTS[5:]]
    assert verify_text(text(entries(other))).problems == (
        "entry 5 (call.intended other): no approved preview shows that write",
    )
    elsewhere = [*EVENTS[:4], ("call.intended", "mend", {**EVENTS[4][2], "connection": "notes:live"}), *EVENTS[5:]]
    assert not verify_text(text(entries(elsewhere))).holds


def test_a_preview_under_a_wrong_digest_is_found() -> None:
    forged = {**PREVIEW, "items": [{**ITEM, "action": "notes.delete"}]}
    events = [EVENTS[0], ("run.previewed", "", {"preview": forged, "digest": DIGEST}), *EVENTS[2:]]
    assert (
        "entry 2 (run.previewed): the digest is not that of the preview" in verify_text(text(entries(events))).problems
    )


def test_a_body_that_cannot_be_read_is_a_problem_and_no_crash() -> None:
    events = [*EVENTS[:3], ("stage.begun", "", {}), ("run.previewed", "", {"preview": 1}), *EVENTS[6:]]
    problems = verify_text(text(entries(events))).problems
    assert "entry 4 (stage.begun): its body cannot be read" in problems
    assert "entry 5 (run.previewed): its body cannot be read" in problems


def test_what_is_no_audit_file_is_refused(tmp_path: Path) -> None:
    for content in ("", "hello\n", '{"format": "other"}\n'):
        with pytest.raises(UsageError, match="is no audit file"):
            verify_text(content)
    with pytest.raises(UsageError, match="version 2 of the format; 1 is known here"):
        verify_text('{"format": "banksman.audit", "version": 2}\n')
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        verify(tmp_path / "nowhere")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        verify(tmp_path / "binary")
    with pytest.raises(UnknownName):
        list(export(RUN, []))


@given(st.data())
def test_no_single_change_of_the_file_passes(data: st.DataObject) -> None:
    whole = text()
    place = data.draw(st.integers(0, len(whole) - 1))
    letter = data.draw(st.characters(codec="utf-8"))
    if whole[place] == letter:
        return
    try:
        report = verify_text(whole[:place] + letter + whole[place + 1 :])
    except UsageError:
        return
    # The header's own spacing carries nothing; all else does.
    assert not report.holds or json.loads(whole.splitlines()[0]) == json.loads(
        (whole[:place] + letter + whole[place + 1 :]).splitlines()[0]
    )


def test_entries_are_written_with_all_their_fields() -> None:
    assert list(json.loads(line(entries()[0]))) == ["run", "number", "at", "kind", "call", "text", "previous", "hash"]
