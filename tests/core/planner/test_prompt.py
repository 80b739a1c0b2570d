"""The prompt is short, its example is a runbook, and what stands in it is told apart from the goal."""

from __future__ import annotations

import re

from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel

from banksman.auth import register
from banksman.plan import parse
from banksman.planner import INSTRUCTIONS, Catalogue, Failure, Offer, Planner, Progress
from banksman.planner._catalogue import tokens
from banksman.planner._prompt import complaint, rest

PLAN = 'name: p\nsteps:\n  look: {action: desk.tickets.list, on: "desk:main"}\n'


def test_the_example_is_a_runbook():
    (example,) = re.findall(r"```yaml\n(.*?)```", INSTRUCTIONS, re.DOTALL)
    plan = parse(example)
    assert list(plan.steps) == ["late", "move", "announce"]
    assert plan.ensures


def test_the_instructions_are_short():
    assert tokens(INSTRUCTIONS) < 1_700


async def test_any_model_of_pydantic_ai_will_do():
    planner = Planner(TestModel(custom_output_text=f"```yaml\n{PLAN}```"))
    assert (await planner.plan("Look", Catalogue(()))).name == "p"
    assert planner.name == "test:test"


async def test_a_secret_that_this_process_knows_does_not_leave_in_a_prompt():
    seen: list[str] = []

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append(str(messages))
        return ModelResponse(parts=[TextPart(PLAN)])

    register("hunter2-of-the-prompt")
    planner = Planner(FunctionModel(answer))
    await planner.plan("Log in with hunter2-of-the-prompt", Catalogue(()))
    await planner.repair(["hunter2-of-the-prompt is no action"])
    assert len(seen) == 2
    assert "hunter2" not in "".join(seen)


async def test_kept_steps_are_put_back_and_the_name_stays():
    planner = Planner(TestModel(custom_output_text="```yaml\nname: q\nsteps:\n  more: {action: a.b, on: 'a:b'}\n```"))
    old = parse(PLAN.replace("name: p", 'name: p\ninputs: {n: {default: 1}}\nconnections: {desk: "desk:main"}'))
    progress = [Progress("look", "done", outputs=(1,))]
    plan = await planner.replan("Look", Catalogue(()), old, progress, [Failure("x", "NotFound", "")], kept=["look"])
    assert plan.name == "p"
    assert list(plan.steps) == ["look", "more"]
    assert (plan.inputs, plan.connections) == (old.inputs, old.connections)


def test_problems_are_quoted_and_cut_and_not_repeated_for_ever():
    told = complaint([f"p{n}: " + "x\n" * 400 for n in range(40)], ["old"], ["a.b() -> null"])
    lines = told.splitlines()
    assert all(len(line) < 330 for line in lines)
    assert sum(line.startswith('- "p') for line in lines) == 20
    assert '- "old"' in lines
    assert "a.b() -> null" in lines


async def test_a_prompt_stays_small_whatever_is_configured():
    offers = tuple(Offer(f"desk:account{n}", "test", {}) for n in range(5_000))
    planner = Planner(TestModel(custom_output_text=PLAN))
    seen: list[int] = []

    async def asked(question: object) -> None:
        seen.append(question.tokens)  # type: ignore[attr-defined]

    async def answered(answer: object) -> None: ...

    planner.listen(asked, answered)
    await planner.plan("Look", Catalogue(offers))
    assert seen[0] < 12_000


def test_many_steps_share_the_room_for_digests():
    old = parse(PLAN)
    progress = [Progress(f"s{n}", "done", outputs=({f"f{k}": n for k in range(40)},)) for n in range(300)]
    assert len(rest(old, progress, [], ["look"])) < 45_000
