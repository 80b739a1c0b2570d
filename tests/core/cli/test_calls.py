"""Single actions from the command line."""

from __future__ import annotations

from tests.core.cli.shop import Desk, Shop


def test_a_read_prints_its_output(desk: Desk) -> None:
    done = desk.run("call", "notes.get", "--with", "id=1", "--json")
    assert (done.code, done.json["output"]) == (0, {"id": 1, "text": "milk", "author": "ann"})
    assert done.json["connection"] == "notes:acme"
    shown = desk.run("call", "notes.list").out
    assert "2 records" in shown
    assert 'text:   "milk"' in shown
    assert desk.run("runs", "list", "--json").json == {"runs": []}


def test_a_write_is_previewed_approved_and_recorded(desk: Desk, shop: Shop) -> None:
    given = ("call", "notes.update", "--with", "id=1", "--with", "text=7")
    previewed = desk.run(*given, "--preview", "--json").json
    assert previewed["preview"]["items"][0]["after"]["text"] == "7"
    assert desk.run(*given).code == 3
    assert shop.writes() == []
    assert desk.run(*given, "--yes").code == 0
    assert shop.notes[1]["text"] == "7"
    assert desk.run("runs", "list", "--json").json["runs"][0]["name"] == "call"


def test_arguments_may_be_one_json_object(desk: Desk) -> None:
    assert desk.run("call", "notes.get", "--json-args", '{"id": 2}', "--json").json["output"]["text"] == "eggs"
    assert desk.run("call", "notes.get", "--json-args", "[2]").code == 2
    assert desk.run("call", "notes.get", "--json-args", "{").code == 2
    assert desk.run("call", "notes.get", "--json-args", "{}", "--with", "id=2").code == 2


def test_references_in_arguments_are_just_text(desk: Desk, shop: Shop) -> None:
    done = desk.run("call", "notes.create", "--with", "text=${inputs.secret}", "--yes")
    assert done.code == 0, done.out + done.err
    assert shop.texts()[-1] == "${inputs.secret}"


def test_mistakes_are_named(desk: Desk) -> None:
    wrong = desk.run("call", "notes.get", "--with", "id=abc", "--json").error
    assert (wrong["kind"], wrong["exit"]) == ("ArgumentError", 2)
    assert "id: " in wrong["problems"][0]
    assert "did you mean" in desk.run("call", "notes.gte", "--json").error["error"]
    assert desk.run("call", "nowhere.get").code == 2
    desk.configure(spare="test")
    several = desk.run("call", "notes.list", "--json").error
    assert several["error"] == "say --on CONNECTION: there are notes:acme, notes:spare"
    assert desk.run("call", "notes.list", "--on", "notes:spare").code == 0


def test_a_refusal_and_a_missing_record_fail_and_a_closed_door_is_told_apart(desk: Desk) -> None:
    missing = desk.run("call", "notes.get", "--with", "id=77", "--json")
    assert (missing.code, missing.error["kind"]) == (5, "NotFound")
    closed = desk.run("call", "notes.list", "--json", TOYSHOP_TOKEN="wrong-token")
    assert (closed.code, closed.error["kind"], closed.out) == (8, "AuthFailed", "")
