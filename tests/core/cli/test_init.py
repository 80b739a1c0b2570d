"""A configuration to begin with, and an example that runs as it stands."""

from __future__ import annotations

import sqlite3

from tests.core.cli.shop import Desk


def test_a_commented_configuration_is_written_and_never_over_another(desk: Desk) -> None:
    (desk.folder / "banksman.yaml").unlink()
    done = desk.run("init", "--json")
    assert (done.code, done.json["written"]) == (0, ["banksman.yaml"])
    text = (desk.folder / "banksman.yaml").read_text(encoding="utf-8")
    assert "env:SAP_PASSWORD" in text
    assert desk.run("connections", "list", "--json").json["connections"] == []
    again = desk.run("init")
    assert again.code == 2
    assert "nothing was written" in again.err
    assert (desk.folder / "banksman.yaml").read_text(encoding="utf-8") == text


def test_the_example_is_previewed_run_and_undone_as_it_stands(desk: Desk) -> None:
    (desk.folder / "banksman.yaml").unlink()
    assert desk.run("init", "--example").code == 0
    previewed = desk.run("run", "example.yaml", "--preview", "--json")
    assert (previewed.code, previewed.json["summary"]["change"], previewed.json["summary"]["create"]) == (0, 2, 2)
    assert desk.run("run", "example.yaml", "--yes").code == 0
    assert _late(desk) == []
    undone = desk.run("runs", "undo", desk.latest(), "--yes", "--json")
    assert {one["how"] for one in undone.lines[-1]["calls"]} == {"restored"}
    assert _late(desk) == ["A-1002", "A-1003"]


def test_an_example_is_written_whole_or_not_at_all(desk: Desk) -> None:
    (desk.folder / "banksman.yaml").unlink()
    (desk.folder / "example.db").write_bytes(b"mine")
    assert desk.run("init", "--example").code == 2
    assert not (desk.folder / "banksman.yaml").exists()
    assert (desk.folder / "example.db").read_bytes() == b"mine"


def _late(desk: Desk) -> list[str]:
    with sqlite3.connect(desk.folder / "example.db") as database:
        return [row[0] for row in database.execute("SELECT id FROM orders WHERE late >= 2 ORDER BY id")]
