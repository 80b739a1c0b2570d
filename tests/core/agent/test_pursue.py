"""A goal becomes a plan, the plan is approved and run; what cannot be used goes back to the model."""

from __future__ import annotations

import pytest

from banksman.agent import pursue
from banksman.auth import register
from banksman.errors import UsageError
from banksman.plan import build

from .ticket_desk import Desk, DeskSandbox, Script, fenced

CLOSE = """
name: close-open
goal: Delete everything
connections: {desk: "desk:main"}
steps:
  open:
    action: desk.tickets.list
    on: desk
    with: {status: open}
  close:
    action: desk.tickets.set_status
    on: desk
    for_each: "${open}"
    with: {id: "${each.id}", status: closed}
ensures:
  - "${length(close) == length(open)}"
"""
GOAL = "Close all open tickets"


async def test_a_good_plan_is_previewed_approved_and_run(desk: Desk, sandbox: DeskSandbox):
    script = Script(fenced(CLOSE))
    state = await pursue(desk.hub, GOAL, model=script.model, approve=desk.approve, show=desk.show)
    assert state.status == "done"
    assert {one["status"] for one in sandbox.tickets.values()} == {"closed"}
    assert len(script.asked) == 1
    assert [item.key for item in desk.previews[0].preview.items.values()] == [1, 2]
    kinds = desk.kinds(state.id)
    assert kinds[:6] == [
        "run.created",
        "model.asked",
        "model.answered",
        "run.planned",
        "run.previewed",
        "approval.given",
    ]


async def test_the_goal_on_record_is_the_persons_and_not_what_the_model_makes_of_it(desk: Desk):
    state = await pursue(desk.hub, GOAL, model=Script(fenced(CLOSE)).model, approve=desk.approve, show=desk.show)
    assert desk.bodies(state.id, "run.created")[0]["goal"] == GOAL
    assert build(state.plan).goal == GOAL
    assert state.goal == GOAL


async def test_an_auditor_sees_each_exchange_and_no_secret(desk: Desk):
    register("sk-very-secret-indeed")
    goal = f"{GOAL}, the key is sk-very-secret-indeed"
    script = Script(fenced(CLOSE))
    state = await pursue(desk.hub, goal, model=script.model, approve=desk.approve, show=desk.show)
    (asked,) = desk.bodies(state.id, "model.asked")
    (answered,) = desk.bodies(state.id, "model.answered")
    assert (asked["purpose"], asked["model"], asked["prompt"]) == ("plan", "function:script", "banksman.prompt.v1")
    assert len(asked["digest"]) == 64
    assert answered["input_tokens"] > 0
    assert answered["output_tokens"] > 0
    assert "sk-very-secret" not in script.shown(0)
    assert "sk-very-secret" not in "".join(entry.text for entry in desk.hub.ledger.entries(state.id))


async def test_inputs_are_bound_to_the_plan_and_the_model_sees_only_their_types(desk: Desk, sandbox: DeskSandbox):
    plan = CLOSE.replace("connections:", "inputs: {wanted: {type: string}}\nconnections:")
    plan = plan.replace("status: open}", 'status: "${inputs.wanted}"}')
    script = Script(fenced(CLOSE), fenced(plan))
    given = {"wanted": "open"}
    state = await pursue(desk.hub, GOAL, model=script.model, approve=desk.approve, show=desk.show, inputs=given)
    assert state.status == "done"
    assert state.inputs == {"wanted": "open"}
    assert "- wanted: string" in script.shown(0)
    assert "inputs.wanted: no such input" in script.shown(1), "the first plan does not declare it"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (CLOSE.replace("name: close-open", "name: [close-open"), "line "),
        (CLOSE.replace("desk.tickets.set_status", "desk.tickets.close"), "desk.tickets.set_status, "),
        (CLOSE.replace("desk:main", "desk:prod"), "no connection 'desk:prod'"),
        (CLOSE.replace('id: "${each.id}"', "id: first"), "with.id: input should be a valid integer"),
        (CLOSE.replace(", status: closed}", "}"), "with.status: missing"),
        (CLOSE.replace("${each.id}", "${each.id"), "the closing brace is missing"),
        (CLOSE.replace('"${open}"', '"${opened}"'), "no step or input 'opened'"),
        ("I am sorry, I cannot help with that.", "it holds no runbook"),
    ],
)
async def test_what_is_wrong_with_a_plan_goes_back_to_the_model(desk: Desk, sandbox: DeskSandbox, wrong, told):
    script = Script(fenced(wrong) if "steps" in wrong else wrong, fenced(CLOSE))
    state = await pursue(desk.hub, GOAL, model=script.model, approve=desk.approve, show=desk.show)
    assert state.status == "done"
    assert len(script.asked) == 2
    assert told in script.shown(1)
    assert len(desk.previews) == 1, "a plan with problems is not shown to anybody"
    assert [body["purpose"] for body in desk.bodies(state.id, "model.asked")] == ["plan", "repair"]


async def test_a_write_that_cannot_be_previewed_is_planned_anew_before_anything_happens(
    desk: Desk, sandbox: DeskSandbox
):
    wrong = CLOSE.replace('for_each: "${open}"', "for_each: [{id: 77}]")
    script = Script(fenced(wrong), fenced(CLOSE))
    state = await pursue(desk.hub, GOAL, model=script.model, approve=desk.approve, show=desk.show)
    assert state.status == "done"
    assert "NotFound" in script.shown(1)
    assert "no ticket 77" in script.shown(1)
    assert len(desk.previews) == 1
    assert desk.bodies(state.id, "model.asked")[1]["purpose"] == "replan"


async def test_an_expectation_that_the_preview_refutes_is_mended_before_anybody_is_asked(desk: Desk):
    wrong = CLOSE.replace("length(open)}", "length(open) && length(close) == `9`}")
    script = Script(fenced(wrong), fenced(CLOSE))
    state = await pursue(desk.hub, GOAL, model=script.model, approve=desk.approve, show=desk.show)
    assert state.status == "done"
    assert "this will not hold afterwards" in script.shown(1)
    assert len(desk.previews) == 1


async def test_a_model_that_stands_by_its_expectation_is_not_asked_twice(desk: Desk):
    doubtful = CLOSE.replace("length(open)}", "length(open) && length(close) == `9`}")
    script = Script(fenced(doubtful), fenced(doubtful), fenced(doubtful), 'cannot: "no"')
    state = await pursue(desk.hub, GOAL, model=script.model, approve=desk.approve, show=desk.show)
    assert len(desk.previews) == 1
    assert desk.previews[0].preview.warnings, "the person sees what the preview foretells"
    assert state.status == "paused"


async def test_a_no_ends_it(desk: Desk, sandbox: DeskSandbox):
    desk.answers = [False]
    script = Script(fenced(CLOSE))
    state = await pursue(desk.hub, GOAL, model=script.model, approve=desk.approve, show=desk.show)
    assert state.status == "cancelled"
    assert len(script.asked) == 1
    assert sandbox.sent("PUT") == []


async def test_another_process_may_give_the_approval(desk: Desk):
    desk.answers = [None]

    async def elsewhere(state):
        await desk.approve(state)
        async with desk.another_hub() as other:
            await other.approve(state.id, state.preview.digest)

    state = await pursue(desk.hub, GOAL, model=Script(fenced(CLOSE)).model, approve=elsewhere, show=desk.show)
    assert state.status == "done"


async def test_a_model_may_say_that_there_is_no_way(desk: Desk):
    script = Script('```yaml\ncannot: "There is no action that sends faxes."\n```')
    state = await pursue(desk.hub, "Fax the list", model=script.model, approve=desk.approve, show=desk.show)
    assert state.status == "paused"
    assert "no action that sends faxes" in state.why
    assert len(script.asked) == 1
    assert desk.events[-1].kind == "person"


async def test_after_fifty_questions_a_person_is_asked_with_what_was_tried(desk: Desk):
    script = Script(fenced(CLOSE.replace("set_status", "set_state")))
    state = await pursue(desk.hub, GOAL, model=script.model, approve=desk.approve, show=desk.show)
    assert len(script.asked) == 50
    assert state.status == "paused"
    assert "50 times" in state.why
    paused = desk.bodies(state.id, "run.paused")[-1]
    assert paused["asked"] == 50
    assert any("no action 'desk.tickets.set_state'" in problem for problem in paused["tried"])
    assert max(len(script.shown(index)) for index in range(50)) < 1.2 * len(script.shown(1)), "prompts do not grow"


async def test_a_connection_that_cannot_be_used_is_left_out_and_said_so(desk: Desk):
    desk.config.connections["ghost:one"] = {}  # type: ignore[index]
    script = Script(fenced(CLOSE))
    state = await pursue(desk.hub, GOAL, model=script.model, approve=desk.approve, show=desk.show)
    assert state.status == "done"
    assert "ghost:one" not in script.shown(0)
    assert any(event.kind == "left_out" and "ghost:one" in event.text for event in desk.events)


async def test_a_goal_has_to_say_something(desk: Desk):
    with pytest.raises(UsageError, match="no goal"):
        await pursue(desk.hub, "  ", model=Script("x").model, approve=desk.approve, show=desk.show)
    with pytest.raises(UsageError, match="no model"):
        await pursue(desk.hub, GOAL, model="gpt", approve=desk.approve, show=desk.show)


@pytest.mark.slow
async def test_the_durable_engine_carries_it_out_as_well(sandbox: DeskSandbox, tmp_path):
    desk = Desk(tmp_path, sandbox.url, durable=True)
    async with desk.hub:
        script = Script(fenced(CLOSE))
        state = await pursue(desk.hub, GOAL, model=script.model, approve=desk.approve, show=desk.show)
    assert state.status == "done"
