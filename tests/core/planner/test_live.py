"""A real model plans, for each key in the environment. In a process of its own: tests do not leave this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .chat_server import ChatServer

ASK = Path(__file__).with_name("ask_model.py")
GOAL = "Close every open ticket, then post to #desk how many you closed"
MODELS = {
    "OPENAI_API_KEY": os.environ.get("BANKSMAN_LIVE_OPENAI", "openai:gpt-5-mini"),
    "ANTHROPIC_API_KEY": os.environ.get("BANKSMAN_LIVE_ANTHROPIC", "anthropic:claude-haiku-4-5"),
    "ZHIPU_API_KEY": os.environ.get("BANKSMAN_LIVE_ZHIPU", "zhipu:glm-4.6"),
    "ZAI_API_KEY": os.environ.get("BANKSMAN_LIVE_ZHIPU", "zhipu:glm-4.6"),
}
PLAN = """
name: p
connections: {desk: "desk:main", chat: "chat:team"}
steps:
  open: {action: desk.tickets.list, on: desk, with: {status: open}}
  close: {action: desk.tickets.set_status, on: desk, for_each: "${open}", with: {id: "${each.id}", status: closed}}
  tell: {action: chat.messages.post, on: chat, with: {channel: "#desk", text: "Closed ${length(close)}"}}
"""


def asked(model: str, tmp_path: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(ASK), model, GOAL, str(tmp_path)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout


@pytest.mark.live
@pytest.mark.parametrize("variable", MODELS)
def test_a_real_model_reaches_the_goal(variable, tmp_path):
    if not os.environ.get(variable):
        pytest.skip(f"{variable} is not set")
    assert asked(MODELS[variable], tmp_path) == "done, 2 closed, 1 message\n"


def test_what_the_live_test_does_is_sound(tmp_path):
    with ChatServer(f"```yaml\n{PLAN}\n```") as server:
        assert asked(f"openai-compatible:m@{server.url}/v1", tmp_path) == "done, 2 closed, 1 message\n"
