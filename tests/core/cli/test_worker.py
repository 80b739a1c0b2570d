"""A worker carries out what others have left, and ends when it is told to."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest
from tests.core.cli.plans import MEND, TIDY
from tests.core.cli.shop import Desk, Shop, eventually
from tests.peers.servers import Postgres

pytestmark = pytest.mark.slow


def test_a_worker_carries_out_what_was_approved_and_left(desk: Desk, shop: Shop) -> None:
    left = desk.run("run", desk.runbook(MEND), "--yes", "--no-wait", "--json")
    assert left.code == 0
    assert shop.writes() == []
    worker = desk.start("worker", "--json", stdout=subprocess.PIPE)
    try:
        eventually(lambda: shop.notes[1]["text"] == "MILK")
        run = left.lines[-1]["id"]
        eventually(lambda: desk.run("runs", "show", run, "--json").json["status"] == "done")
    finally:
        worker.send_signal(signal.SIGTERM)
        out, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[0] == {"event": "worker.started"}
    assert {line["run"] for line in lines if "run" in line} == {run}
    assert lines[-1] == {"event": "worker.stopping"}


def test_a_worker_waits_for_approvals_and_lets_calls_end_when_it_is_stopped(desk: Desk, shop: Shop) -> None:
    desk.run("run", desk.runbook(TIDY))
    waiting = desk.run("approvals", "list", "--json").json["approvals"][0]
    worker = desk.start("worker", stdout=subprocess.PIPE)
    try:
        shop.fail(method="PUT", delay=1.5, honest=True, times=2)
        assert desk.run("approvals", "approve", waiting["id"], waiting["digest"], "--no-wait").code == 0
        eventually(lambda: any(call.method == "PUT" for call in shop.calls))
    finally:
        worker.send_signal(signal.SIGINT)
        out, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert f"{waiting['id']}  mend[1] done" in out.decode()
    calls = desk.run("runs", "show", waiting["id"], "--json").json["calls"]
    assert not [call for call in calls if call["status"] in ("intended", "unknown")]
    assert desk.run("runs", "resume", waiting["id"]).code == 0
    assert shop.texts() == ["milk (seen)", "bread"]
    assert len(shop.writes()) == 5


@pytest.mark.peer
def test_runs_may_be_kept_in_postgresql(desk: Desk, shop: Shop, postgres: Postgres) -> None:
    database = ("--database", postgres.url)
    left = desk.run("run", desk.runbook(MEND), "--json", *database)
    assert left.code == 3, left.err
    result = left.lines[-1]
    worker = desk.start("worker", *database, stdout=subprocess.DEVNULL)
    try:
        approved = desk.run("approvals", "approve", result["id"], result["digest"], "--no-wait", *database)
        assert approved.code == 0, approved.err
        eventually(lambda: shop.notes[1]["text"] == "MILK")
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(timeout=60)
    assert desk.run("runs", "list", "--json").json == {"runs": []}
    assert desk.run("audit", "export", result["id"], "-", *database).code == 0
