"""Running, approving and denying away from a terminal: what is printed and recorded, and what the command ends with."""

from __future__ import annotations

import subprocess

import pytest
from tests.core.cli.plans import MEND, PRODUCTION, READ, REFUSED, STAGES, TELL, TIDY
from tests.core.cli.shop import Desk, Shop


def test_without_a_terminal_a_run_is_left_waiting_and_the_way_to_approve_it_is_said(desk: Desk, shop: Shop) -> None:
    done = desk.run("run", desk.runbook(MEND))
    assert done.code == 3
    assert shop.writes() == []
    run = desk.latest()
    waiting = desk.run("approvals", "list", "--json").json["approvals"]
    assert [one["id"] for one in waiting] == [run]
    assert f"banksman approvals approve {run} {waiting[0]['digest'][:16]}" in done.out
    assert waiting[0]["summary"]["change"] == 1


def test_an_approval_lets_the_run_go_on(desk: Desk, shop: Shop) -> None:
    desk.run("run", desk.runbook(MEND))
    waiting = desk.run("approvals", "list", "--json").json["approvals"][0]
    done = desk.run("approvals", "approve", waiting["id"][:18], waiting["digest"][:12])
    assert done.code == 0, done.err
    assert "mend  done  Note 1" in done.out
    assert shop.notes[1]["text"] == "MILK"
    again = desk.run("approvals", "approve", waiting["id"], waiting["digest"][:12])
    assert again.code == 4
    assert "does not wait for an approval" in again.err


def test_a_run_that_waits_is_asked_about_again_when_it_is_resumed(desk: Desk, shop: Shop) -> None:
    desk.run("run", desk.runbook(MEND))
    run = desk.latest()
    asked = desk.run("runs", "resume", run)
    assert asked.code == 3
    assert "Preview of mend" in asked.out
    assert desk.run("runs", "resume", run, "--yes").code == 0
    assert shop.notes[1]["text"] == "MILK"
    assert desk.run("runs", "resume", run).code == 2


def test_only_the_digest_of_that_preview_approves_it(desk: Desk, shop: Shop) -> None:
    desk.run("run", desk.runbook(MEND))
    run = desk.latest()
    assert desk.run("approvals", "approve", run, "0" * 16).code == 4
    assert desk.run("approvals", "approve", run).code == 2
    assert shop.writes() == []


def test_a_no_ends_the_run(desk: Desk, shop: Shop) -> None:
    desk.run("run", desk.runbook(MEND))
    run = desk.latest()
    denied = desk.run("approvals", "deny", run, "--why", "not today", "--json")
    assert (denied.code, denied.json["status"]) == (0, "cancelled")
    assert "not today" in desk.run("runs", "show", run).out
    assert desk.run("approvals", "list", "--json").json == {"approvals": []}
    assert desk.run("approvals", "deny", run).code == 4
    assert shop.writes() == []


def test_a_flag_approves_where_the_rules_let_it(desk: Desk, shop: Shop) -> None:
    done = desk.run("run", desk.runbook(TIDY), "--yes", "--input", "who=dora")
    assert done.code == 0, done.out + done.err
    assert "approved by olga (flag)" in done.out
    assert "Outputs\n  new: 3" in done.out
    assert f"Next: banksman runs undo {desk.latest()}" in done.out
    assert shop.texts() == ["milk (seen)", "bread"]
    assert shop.notes[3]["author"] == "dora"


def test_in_production_a_flag_approves_nothing(desk: Desk, shop: Shop) -> None:
    desk.configure(live="production")
    done = desk.run("run", desk.runbook(PRODUCTION), "--yes")
    assert done.code == 4
    assert "unattended-only-where-the-connection-says-so" in done.err
    assert shop.writes() == []
    assert desk.run("approvals", "list", "--json").json["approvals"][0]["id"] == desk.latest()


def test_with_json_each_thing_that_happens_is_one_line(desk: Desk) -> None:
    lines = desk.run("run", desk.runbook(TIDY), "--yes", "--json").lines
    events = [line["event"] for line in lines]
    assert events[0] == "run.previewed"
    assert events[-2:] == ["run.ended", "result"]
    assert events.count("call.confirmed") == 5
    assert {line["run"] for line in lines[:-1]} == {lines[-1]["id"]}
    result = lines[-1]
    assert (result["status"], result["exit"], result["outputs"]) == ("done", 0, {"new": 3})
    assert [call["status"] for call in result["calls"]].count("confirmed") == 5


def test_with_json_nobody_is_asked(desk: Desk) -> None:
    done = desk.run("run", desk.runbook(MEND), "--json")
    assert done.code == 3
    assert done.lines[-1]["status"] == "previewed"
    assert done.lines[-1]["digest"] == done.lines[0]["digest"]


def test_what_only_reads_needs_no_approval(desk: Desk) -> None:
    done = desk.run("run", desk.runbook(READ))
    assert done.code == 0
    assert "Outputs\n  count: 2" in done.out


def test_each_stage_is_approved_by_itself(desk: Desk, shop: Shop) -> None:
    desk.run("run", desk.runbook(STAGES))
    first = desk.run("approvals", "list", "--json").json["approvals"][0]
    second = desk.run("approvals", "approve", first["id"], first["digest"])
    assert second.code == 3
    assert "stage 2" in second.out
    assert shop.texts() == ["milk", "eggs", "bread"]
    waiting = desk.run("approvals", "list", "--json").json["approvals"][0]
    assert waiting["digest"] != first["digest"]
    assert desk.run("approvals", "approve", waiting["id"], waiting["digest"]).code == 0
    assert shop.texts() == ["milk!", "eggs!", "bread!"]


def test_what_a_system_refuses_fails_the_run(desk: Desk) -> None:
    done = desk.run("run", desk.runbook(REFUSED), "--yes")
    assert done.code == 5
    assert "this text is not allowed" in done.out
    assert f"banksman runs resume {desk.latest()}" in done.out


def test_a_record_that_changed_since_the_preview_pauses_the_run(desk: Desk, shop: Shop) -> None:
    desk.run("run", desk.runbook(MEND))
    waiting = desk.run("approvals", "list", "--json").json["approvals"][0]
    shop.notes[1]["text"] = "changed meanwhile"
    done = desk.run("approvals", "approve", waiting["id"], waiting["digest"])
    assert done.code == 6
    assert "changed meanwhile" in done.out
    assert shop.writes() == []
    resumed = desk.run("runs", "resume", waiting["id"], "--yes")
    assert resumed.code == 0, resumed.out + resumed.err
    assert shop.notes[1]["text"] == "MILK"


def test_a_write_without_an_answer_is_looked_for_and_not_repeated(desk: Desk, shop: Shop) -> None:
    shop.fail(method="PUT", after_commit=True)
    done = desk.run("run", desk.runbook(MEND), "--yes")
    assert done.code == 0, done.out
    assert "it may have happened" in done.out
    assert "done (it had happened)" in done.out
    assert len(shop.writes()) == 1


@pytest.mark.parametrize(("verdict", "posts"), [("--happened", 1), ("--did-not-happen", 2)])
def test_what_nobody_can_find_out_is_settled_by_a_person(desk: Desk, shop: Shop, verdict: str, posts: int) -> None:
    shop.fail(method="POST", path="/messages")
    done = desk.run("run", desk.runbook(TELL), "--yes")
    assert done.code == 7
    run = desk.latest()
    assert f"banksman runs settle {run} 'tell' --happened" in done.out
    assert desk.run("runs", "resume", run).code == 2
    output = ["--output", '{"id": 9}'] if verdict == "--happened" else []
    settled = desk.run("runs", "settle", run, "tell", verdict, *output, "--note", "asked in the channel", "--json")
    assert (settled.code, settled.json["happened"]) == (0, verdict == "--happened")
    assert desk.run("runs", "resume", run, "--yes").code == 0
    assert len([call for call in shop.writes() if call.path == "/messages"]) == posts
    assert shop.texts()[-1] == "told"


def test_a_verdict_has_to_be_one_of_two(desk: Desk) -> None:
    assert desk.run("runs", "settle", "r", "c").code == 2
    assert desk.run("runs", "settle", "r", "c", "--happened", "--did-not-happen").code == 2
    assert desk.run("runs", "settle", "r", "c", "--happened", "--output", "{").code == 2


def test_a_system_that_does_not_let_us_in_is_told_apart(desk: Desk) -> None:
    done = desk.run("run", desk.runbook(MEND), "--yes", TOYSHOP_TOKEN="wrong-token")
    assert done.code == 8
    assert "cannot be previewed" in done.out


def test_mistakes_are_listed_with_their_places_before_anything_runs(desk: Desk, shop: Shop) -> None:
    text = MEND.replace("notes.update", "notes.updte").replace("id: 1", 'id: "${inputs.nr}"')
    done = desk.run("run", desk.runbook(text), "--yes", "--json")
    assert done.code == 2
    assert done.out == ""
    assert done.error["kind"] == "PlanError"
    assert any("did you mean" in problem for problem in done.error["problems"])
    assert shop.calls == []
    assert desk.run("run", "not-there.yaml").code == 2
    assert desk.run("run", desk.runbook(TIDY), "--input", "whom=x").code == 2
    assert desk.run("run", desk.runbook(TIDY), "--input", "who").code == 2
    assert desk.run("run", desk.runbook(TIDY), "--bogus").code == 2


def test_a_goal_needs_a_model(desk: Desk) -> None:
    done = desk.run("run", "Tidy the notes up", "--json")
    assert done.code == 2
    assert "--model" in done.error["hint"]
    assert desk.run("run", "Tidy the notes up", "--model", "nobody:x").code == 2
    assert desk.run("run", desk.runbook(MEND), "--model", "openai:x").code == 2


def test_a_missing_extra_is_named(desk: Desk) -> None:
    site = desk.folder.parent / "site"
    (site / "pydantic_ai.py").write_text("raise ImportError('not here', name='pydantic_ai')\n", encoding="utf-8")
    done = desk.run("run", "Tidy the notes up", "--model", "openai:gpt-5", "--json", OPENAI_API_KEY="sk-not-a-real-one")
    assert done.code == 2
    assert "banksman[models]" in done.error["hint"]


def test_a_ledger_that_cannot_be_written_is_told_apart(desk: Desk, shop: Shop) -> None:
    (desk.folder / ".banksman").write_text("a file where the folder should be", encoding="utf-8")
    done = desk.run("run", desk.runbook(MEND), "--yes", "--json")
    assert (done.code, done.error["kind"], done.error["exit"]) == (9, "StorageError", 9)
    assert shop.writes() == []


def test_a_fault_in_a_connector_is_no_usage_error(desk: Desk) -> None:
    path = desk.folder.parent / "site" / "toyshop" / "__init__.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n1 / 0\n", encoding="utf-8")
    done = desk.run("call", "notes.list")
    assert done.code == 1
    assert "unforeseen fault: ZeroDivisionError" in done.err
    assert "Traceback" not in done.err
    assert "Traceback" in desk.run("call", "notes.list", "--verbose").err


def test_no_secret_is_printed(desk: Desk, shop: Shop) -> None:
    shop.notes[1]["text"] = f"the token is {shop.token}"
    outputs = [
        desk.run("run", desk.runbook(TIDY), "--yes", "--verbose"),
        desk.run("run", desk.runbook(MEND), "--preview", "--json"),
        desk.run("call", "notes.list", "--json"),
        desk.run("connections", "test", "--verbose"),
    ]
    for done in outputs:
        assert shop.token not in done.out + done.err


def test_runs_are_listed_shown_and_saved(desk: Desk) -> None:
    desk.run("run", desk.runbook(TIDY), "--yes")
    desk.run("run", desk.runbook(MEND))
    listed = desk.run("runs", "list", "--json").json["runs"]
    assert [(one["name"], one["status"]) for one in listed] == [("mend", "previewed"), ("tidy", "done")]
    assert len(desk.run("runs", "list", "--status", "done", "--json").json["runs"]) == 1
    assert len(desk.run("runs", "list", "--limit", "1", "--json").json["runs"]) == 1
    assert desk.run("runs", "list", "--status", "lost").code == 2
    assert "previewed  mend" in desk.run("runs", "list").out
    shown = desk.run("runs", "show", listed[0]["id"], "--json").json
    assert shown["waiting"]["digest"] == listed[0]["digest"]
    assert "Preview of mend" in desk.run("runs", "show", listed[0]["id"]).out
    assert desk.run("runs", "show", "nowhere").code == 2
    for name in ("saved.yaml", "saved.json"):
        assert desk.run("runs", "save", listed[1]["id"], name).code == 0
        assert desk.run("run", name, "--preview").code == 5  # note 2 is gone by now
    assert desk.run("runs", "save", listed[1]["id"], "saved.yaml").code == 2


def test_the_reader_of_the_output_may_leave(desk: Desk, shop: Shop) -> None:
    process = desk.start("run", desk.runbook(TIDY), "--yes", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 141
    assert b"Traceback" not in err
