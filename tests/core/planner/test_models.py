"""A model is named by provider and name; its key comes from the environment and shows nowhere."""

from __future__ import annotations

import subprocess
import sys

import pytest

from banksman.auth import redact
from banksman.errors import AuthFailed, CallError, ConfigError, PlanError, Rejected, Unavailable, UsageError
from banksman.planner import Answer, Catalogue, Planner, Question, model_of
from banksman.testing.sandbox import Answer as Reply

from .chat_server import ChatServer

PLAN = 'name: p\nsteps:\n  look: {action: desk.tickets.list, on: "desk:main"}\n'
KEY = "sk-key-of-this-test-1234"


@pytest.mark.parametrize("name", ["", "gpt-5", "openai:", "mistral:large", "openai-compatible"])
def test_a_name_of_no_known_form_is_answered_with_the_forms(name):
    with pytest.raises(UsageError) as raised:
        model_of(name, {})
    for form in ("openai:NAME", "anthropic:NAME", "zhipu:NAME", "openai-compatible:NAME@URL"):
        assert form in str(raised.value)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("openai:gpt-5", "OPENAI_API_KEY"),
        ("anthropic:claude-x", "ANTHROPIC_API_KEY"),
        ("zhipu:glm-4.6", "ZHIPU_API_KEY"),
    ],
)
def test_a_missing_key_is_named(name, variable):
    with pytest.raises(ConfigError, match=variable):
        model_of(name, {variable: " "})


@pytest.mark.parametrize(
    ("name", "environ", "base_url"),
    [
        ("openai:gpt-5", {"OPENAI_API_KEY": KEY}, "https://api.openai.com/v1/"),
        ("anthropic:claude-x", {"ANTHROPIC_API_KEY": KEY}, "https://api.anthropic.com"),
        ("zhipu:glm-4.6", {"ZHIPU_API_KEY": KEY}, "https://open.bigmodel.cn/api/paas/v4/"),
        ("zhipu:glm-4.6", {"ZAI_API_KEY": KEY}, "https://api.z.ai/api/paas/v4/"),
        ("openai-compatible:org/model:7b@https://models.example/v1", {}, "https://models.example/v1/"),
    ],
)
def test_each_provider_has_its_address(name, environ, base_url):
    model = model_of(name, environ)
    assert str(model.base_url) == base_url
    assert model.model_name == name.partition(":")[2].partition("@")[0]
    if environ:
        assert redact(f"the key {KEY} is") == "the key [secret] is"


@pytest.mark.parametrize(
    "name",
    [
        "openai-compatible:qwen3",
        "openai-compatible:@http://127.0.0.1/v1",
        "openai-compatible:qwen3@ftp://127.0.0.1/v1",
        "openai-compatible:qwen3@http://ann:pw@127.0.0.1/v1",
        "openai-compatible:qwen3@http://127.0.0.1/v1?key=abc",
    ],
)
def test_a_compatible_server_needs_a_plain_address(name):
    with pytest.raises(UsageError) as raised:
        model_of(name, {})
    assert "pw" not in str(raised.value)
    assert "abc" not in str(raised.value)


def test_a_key_does_not_travel_in_the_clear():
    environ = {"OPENAI_COMPATIBLE_API_KEY": KEY}
    with pytest.raises(ConfigError, match="in the clear"):
        model_of("openai-compatible:qwen3@http://models.example/v1", environ)
    model_of("openai-compatible:qwen3@http://127.0.0.1:1/v1", environ)
    model_of("openai-compatible:qwen3@https://models.example/v1", environ)


def test_the_planner_is_imported_without_a_model_library():
    code = "import sys, banksman.planner, banksman.agent; print(sorted({'pydantic_ai', 'openai'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# The same path over real HTTP


def compatible(server: ChatServer, key: str | None = None) -> Planner:
    environ = {"OPENAI_COMPATIBLE_API_KEY": key} if key else {}
    return Planner(model_of(f"openai-compatible:small@{server.url}/v1", environ))


async def test_a_compatible_server_is_asked_and_answers():
    with ChatServer("no idea", f"Sure!\n```yaml\n{PLAN}```", key=KEY) as server:
        planner = compatible(server, KEY)
        questions: list[Question] = []
        answers: list[Answer] = []

        async def asked(question: Question) -> None:
            questions.append(question)

        async def answered(answer: Answer) -> None:
            answers.append(answer)

        planner.listen(asked, answered)
        url = server.url
        async with planner.model:
            with pytest.raises(PlanError) as raised:
                await planner.plan("Look at the tickets", Catalogue(()))
            plan = await planner.repair(raised.value.problems)
    assert plan.steps["look"].action == "desk.tickets.list"
    first, second = server.asked
    assert first["model"] == "small"
    assert [message["role"] for message in first["messages"]] == ["system", "user"]
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "user"]
    assert second["messages"][2]["content"] == "no idea"
    assert not {"tools", "response_format", "max_tokens", "max_completion_tokens"} & first.keys()
    assert [question.purpose for question in questions] == ["plan", "repair"]
    assert questions[0].server == f"{url}/v1/"
    assert [(answer.input_tokens, answer.output_tokens) for answer in answers] == [(100, 20)] * 2
    assert answers[0].problems
    assert not answers[1].problems


async def test_an_openai_key_is_not_sent_to_another_server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ChatServer(f"```yaml\n{PLAN}```") as server:
        planner = compatible(server)
        async with planner.model:
            await planner.plan("Look", Catalogue(()))
        assert all(KEY not in str(call.headers) for call in server.calls)


async def test_a_refused_key_is_an_error_of_ours_that_does_not_repeat_it():
    with ChatServer("x", key="another-key-altogether") as server:
        planner = compatible(server, KEY)
        async with planner.model:
            with pytest.raises(AuthFailed) as raised:
                await planner.plan("Look", Catalogue(()))
    assert KEY[-4:] not in str(raised.value)
    assert "refuses the key (HTTP 401)" in str(raised.value)
    assert raised.value.__cause__ is None


async def test_an_unknown_model_is_an_error_of_ours():
    with ChatServer("x") as server:
        server.fail(answer=Reply(404, {"error": {"message": "model small is not loaded"}}))
        planner = compatible(server)
        async with planner.model:
            with pytest.raises(Rejected, match=r"no such model .*HTTP 404.*model small is not loaded"):
                await planner.plan("Look", Catalogue(()))


async def test_a_server_that_is_not_there_is_unavailable():
    with ChatServer("x") as server:
        planner = compatible(server)
    planner.model.client.max_retries = 0  # type: ignore[attr-defined]
    async with planner.model:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await planner.plan("Look", Catalogue(()))


async def test_an_answer_that_was_cut_off_is_not_taken_for_a_plan():
    with ChatServer(f"```yaml\n{PLAN}", finish="length") as server:
        planner = compatible(server)
        async with planner.model:
            with pytest.raises(PlanError, match="cut off"):
                await planner.plan("Look", Catalogue(()))


@pytest.mark.parametrize(
    "reply", [Reply(200, b"<html>"), Reply(200, {"choices": []}), Reply(200, {"error": {"message": "out of memory"}})]
)
async def test_an_answer_that_is_none_is_an_error_of_ours(reply):
    with ChatServer("x") as server:
        server.fail(answer=reply)
        planner = compatible(server)
        async with planner.model:
            with pytest.raises(CallError):
                await planner.plan("Look", Catalogue(()))
