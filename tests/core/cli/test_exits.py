"""Every error ends in one documented exit code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.core.cli.shop import ROOT

from banksman import errors
from banksman.cli.exits import Exit, of_error, of_kinds, of_state
from banksman.runtime import CallState, RunState


def _tree(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _tree(below)


def test_each_error_has_its_code() -> None:
    codes = {kind.__name__: of_error(kind).value for kind in _tree(errors.BanksmanError)}
    assert codes == {
        "BanksmanError": 1,
        "UsageError": 2, "ConnectorGaps": 2, "ConfigError": 2, "PlanError": 2, "ArgumentError": 2, "UnknownName": 2,
        "CallError": 5, "AuthFailed": 8, "AccessDenied": 8, "NotFound": 5, "Conflict": 5, "Rejected": 5,
        "RateLimited": 8, "Unavailable": 8, "MalformedAnswer": 5, "OutcomeUnknown": 7,
        "Stopped": 4, "Denied": 4, "WriteRefused": 4, "NotApproved": 4, "Drifted": 6,
        "RunFailed": 5, "StorageError": 9,
    }  # fmt: skip
    assert of_error(ZeroDivisionError) is Exit.FAULT
    assert of_error(KeyboardInterrupt) is Exit.INTERRUPTED


def test_each_status_of_a_run_has_its_code() -> None:
    def code(status: str, why: str = "", *calls: CallState) -> int:
        return of_state(RunState("r", status=status, why=why, calls={call.id: call for call in calls})).value

    assert [code(status) for status in ("done", "previewed", "cancelled", "failed", "running")] == [0, 3, 4, 5, 130]
    assert code("paused", "drifted: Note 1 changed") == 6
    assert code("paused", "unknown: tell") == 7
    assert code("paused", "anything", CallState("tell", status="handed_over")) == 7
    assert code("paused", "run r: the approval expired at 2026-01-01") == 4
    assert code("paused", "something else") == 5


def test_a_door_that_is_closed_outweighs_what_is_not_there() -> None:
    assert of_kinds(["NotFound", "Unavailable"]) is Exit.UNAVAILABLE
    assert of_kinds(["NotFound", "BadReference"]) is Exit.FAILED


def test_the_docs_have_each_code() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert {int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} == {
        code.value for code in Exit
    } | {141}


def test_the_docs_have_each_command() -> None:
    from banksman.cli.app import app

    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name in app:
        if name.startswith("-"):
            continue
        below = [inner for inner in app[name] if not inner.startswith("-")]
        for words in [f"{name} {inner}" for inner in below] or [name]:
            assert f"banksman {words}" in text, words
