"""A goal in words: a model plans, a person approves, and the run is one like any other."""

from __future__ import annotations

import pytest
from tests.core.cli.shop import Desk, Shop, Terminal, eventually
from tests.core.planner.chat_server import ChatServer

pytestmark = pytest.mark.slow

PLAN = """```yaml
name: welcome
steps:
  new: {action: notes.create, on: "notes:acme", with: {text: welcome}}
```"""
MENDED = PLAN.replace("text: welcome", "text: welcome back")
WRONG = PLAN.replace("text: welcome", "txt: welcome")


def model_of(server: ChatServer) -> str:
    return f"openai-compatible:scripted@{server.url}/v1"


@pytest.fixture
def server() -> ChatServer:
    return ChatServer(WRONG, PLAN)


def test_a_goal_is_planned_mended_approved_and_run(desk: Desk, shop: Shop, server: ChatServer) -> None:
    with server:
        terminal = Terminal(desk, "run", "Welcome everybody", "--model", model_of(server))
        terminal.until("Approve? [y/N/d=details]")
        assert "planned: new: notes.create" in terminal.text
        assert "txt" in terminal.text
        terminal.type("y\n")
        assert terminal.end() == 0, terminal.text
    assert len(server.asked) == 2
    assert shop.texts()[-1] == "welcome"
    shown = desk.run("runs", "show", desk.latest(), "--json").json
    assert (shown["goal"], shown["status"]) == ("Welcome everybody", "done")


def test_away_from_a_terminal_it_is_left_waiting_and_goes_on_without_the_model(
    desk: Desk, shop: Shop, server: ChatServer
) -> None:
    with server:
        done = desk.run("run", "Welcome everybody", "--model", model_of(server), "--json")
    assert done.code == 3, done.err
    assert next(line["event"] for line in done.lines if line["event"].startswith("agent.")) == "agent.begun"
    assert done.lines[-1]["event"] == "result"
    waiting = desk.run("approvals", "list", "--json").json["approvals"][0]
    assert waiting["goal"] == "Welcome everybody"
    assert desk.run("approvals", "approve", waiting["id"], waiting["digest"]).code == 0
    assert shop.texts()[-1] == "welcome"


def test_an_interruption_does_not_wait_for_the_model(desk: Desk, shop: Shop, server: ChatServer) -> None:
    with server:
        server.fail(path="/chat/completions", delay=20.0, honest=True)
        terminal = Terminal(desk, "run", "Welcome everybody", "--model", model_of(server))
        terminal.until("asking:")
        eventually(lambda: bool(server.calls))
        terminal.interrupt()
        assert terminal.end(15) == 130, terminal.text
    assert "runs resume" in terminal.text
    assert shop.writes() == []


def test_what_failed_is_planned_anew_when_a_model_is_at_hand(desk: Desk, shop: Shop) -> None:
    text = PLAN.strip("`").removeprefix("yaml").replace("text: welcome", "text: refused")
    refused = text.replace("notes.create", "notes.update").replace("{text:", "{id: 1, text:")
    assert desk.run("run", desk.runbook(refused), "--yes").code == 5
    with ChatServer(MENDED) as server:
        done = desk.run("runs", "resume", desk.latest(), "--model", model_of(server), "--yes")
    assert done.code == 0, done.out + done.err
    assert shop.texts()[-1] == "welcome back"


def test_a_model_that_has_no_plan_hands_over_to_a_person(desk: Desk, shop: Shop) -> None:
    with ChatServer("cannot: nobody knows how") as server:
        done = desk.run("run", "Square the circle", "--model", model_of(server))
    assert done.code == 5, done.out
    assert "nobody knows how" in done.out
    assert shop.writes() == []
