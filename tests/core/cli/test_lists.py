"""What there is: connections, connectors, actions, schemas."""

from __future__ import annotations

import json
from pathlib import Path

from tests.core.cli.shop import ROOT, Desk


def test_a_third_party_connector_is_registered_and_not_imported_before_it_is_used(desk: Desk) -> None:
    imported = Path(desk.environment["TOYSHOP_IMPORTED"])
    assert desk.run("runs", "list").code == 0
    assert desk.run("schema", "runbook").code == 0
    assert desk.run("call", "sap.nothing").code == 2
    assert not imported.exists()
    assert desk.run("call", "notes.list").code == 0
    assert imported.exists()


def test_connectors_are_listed_with_where_they_come_from(desk: Desk) -> None:
    found = {one["name"]: one for one in desk.run("connectors", "list", "--json").json["connectors"]}
    assert (found["notes"]["from"], found["notes"]["actions"]) == ("toyshop 3.1", 5)
    assert found["notes"]["auth"] == ["bearer"]
    assert "toyshop_that_is_not_there is missing" in found["broken"]["error"]
    assert "Notes" in desk.run("connectors", "list").out


def test_connections_are_listed_and_tried(desk: Desk) -> None:
    desk.configure(live="production")
    listed = desk.run("connections", "list", "--json").json["connections"]
    assert [(one["name"], one["environment"], one["unattended"]) for one in listed][:2] == [
        ("notes:acme", "test", True),
        ("notes:live", "production", False),
    ]
    assert "PRODUCTION" in desk.run("connections", "list").out
    tried = desk.run("connections", "test")
    assert tried.code == 0
    assert "ok     notes:acme  test  2 notes" in tried.out
    one = desk.run("connections", "test", "notes:live", "--json").json["connections"]
    assert [(found["name"], found["ok"]) for found in one] == [("notes:live", True)]


def test_what_is_wrong_with_a_connection_is_said_with_a_hint(desk: Desk) -> None:
    refused = desk.run("connections", "test", "notes:acme", "--json", TOYSHOP_TOKEN="wrong-token")
    assert (refused.code, refused.json["connections"][0]["kind"]) == (8, "AuthFailed")
    environment = dict(desk.environment)
    del environment["TOYSHOP_TOKEN"]
    without = Desk(desk.folder, desk.shop, environment).run("connections", "test", "notes:acme")
    assert without.code == 2
    assert "TOYSHOP_TOKEN" in without.out
    assert desk.run("connections", "test", "notes:nowhere").code == 2


def test_a_configuration_with_a_mistake_is_a_usage_error(desk: Desk) -> None:
    path = desk.folder / "banksman.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "colour: red\n", encoding="utf-8")
    assert desk.run("runs", "list", "--json").error["kind"] == "ConfigError"
    assert desk.run("--config", "nowhere.yaml", "runs", "list").code == 2
    other = desk.folder / "other.yaml"
    other.write_text("connections: {}\n", encoding="utf-8")
    assert desk.run("connections", "list", "--config", "other.yaml", "--json").json["connections"] == []


def test_a_database_that_cannot_be_reached_is_a_storage_error_and_its_password_is_not_printed(desk: Desk) -> None:
    done = desk.run("runs", "list", "--database", "postgresql://olga:hunter2secret@127.0.0.1:1/x", "--verbose")
    assert done.code == 9
    assert "hunter2secret" not in done.out + done.err


def test_actions_are_listed_and_shown(desk: Desk) -> None:
    names = [one["name"] for one in desk.run("actions", "list", "--json").json["actions"]]
    assert {"notes.create", "chat.post", "slack.messages.post"} <= set(names)
    on = [one["name"] for one in desk.run("actions", "list", "--on", "notes:acme", "--json").json["actions"]]
    assert on == ["notes.create", "notes.delete", "notes.get", "notes.list", "notes.update"]
    shown = desk.run("actions", "show", "notes.delete", "--json").json
    assert shown["effect"] == "destroy"
    assert shown["undo"] == {"kind": "irreversible", "text": "a note is gone for good"}
    assert shown["input"]["required"] == ["id"]
    text = desk.run("actions", "show", "notes.create", "--on", "notes:acme").out
    assert "* text: string  What it says." in text
    assert "did you mean" in desk.run("actions", "show", "notes.creat").err


def test_the_schema_in_the_docs_is_the_one_that_is_printed(desk: Desk) -> None:
    printed = desk.run("schema", "runbook").json
    assert json.loads((ROOT / "docs" / "runbook.schema.json").read_text(encoding="utf-8")) == printed
    assert printed["properties"]["steps"]


def test_recording_refuses_production(desk: Desk) -> None:
    desk.configure(live="production")
    (desk.folder / "script.yaml").write_text("connector: notes\ncases: []\n", encoding="utf-8")
    done = desk.run("connectors", "record", "script.yaml", "--on", "notes:live", "--into", "recorded", "--json")
    assert (done.code, done.error["kind"]) == (2, "UsageError")
    assert "production" in done.error["error"]
