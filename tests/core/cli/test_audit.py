"""The audit file from the command line."""

from __future__ import annotations

from tests.core.cli.plans import MEND, TIDY
from tests.core.cli.shop import Desk, Shop


def test_a_run_is_exported_and_verifies_anywhere(desk: Desk, shop: Shop) -> None:
    desk.run("run", desk.runbook(TIDY), "--yes")
    run = desk.latest()
    exported = desk.run("audit", "export", run, "run.jsonl", "--json")
    assert (exported.code, exported.json["finished"]) == (0, True)
    assert desk.run("audit", "export", run, "run.jsonl").code == 2
    assert desk.run("audit", "export", run, "-").out == (desk.folder / "run.jsonl").read_text(encoding="utf-8")
    assert desk.run("audit", "export", run).code == 0
    assert (desk.folder / f"{run}.audit.jsonl").is_file()
    (desk.folder / "banksman.yaml").write_text("broken: [", encoding="utf-8")
    verified = desk.run("audit", "verify", "run.jsonl", "--json")
    assert (verified.code, verified.json["holds"], verified.json["writes"]) == (0, True, 5)
    assert verified.json["head"] == exported.json["head"]
    assert "holds" in desk.run("audit", "verify", "run.jsonl").out


def test_a_changed_file_does_not_verify(desk: Desk) -> None:
    desk.run("run", desk.runbook(TIDY), "--yes")
    desk.run("audit", "export", desk.latest(), "run.jsonl")
    file = desk.folder / "run.jsonl"
    file.write_text(file.read_text(encoding="utf-8").replace("bread", "b\\u0072ead", 1), encoding="utf-8")
    done = desk.run("audit", "verify", "run.jsonl")
    assert done.code == 5
    assert "DOES NOT HOLD" in done.out
    assert desk.run("audit", "verify", "nowhere.jsonl").code == 2


def test_an_unfinished_run_says_so_and_passes_only_if_that_is_wanted(desk: Desk) -> None:
    desk.run("run", desk.runbook(MEND))
    exported = desk.run("audit", "export", desk.latest(), "run.jsonl")
    assert "unfinished" in exported.out
    verified = desk.run("audit", "verify", "run.jsonl", "--json")
    assert (verified.code, verified.json["holds"], verified.json["finished"]) == (5, True, False)
    assert desk.run("audit", "verify", "run.jsonl", "--unfinished").code == 0
