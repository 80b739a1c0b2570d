"""Taking a run back: once, latest first, and saying beforehand what stays."""

from __future__ import annotations

import asyncio

import pytest

from banksman.errors import UsageError

from .toy import carry_out, plan, until

MIXED = plan(
    a={"action": "create", "with": {"text": "one"}},
    b={"action": "update", "with": {"id": "${a.id}", "text": "two"}},
    c={"action": "charge", "with": {"text": "ten"}, "after": ["b"]},
    d={"action": "shout", "with": {"text": "fire"}, "after": ["c"]},
)


async def undo(hub, run):
    taken = await hub.plan_undo(run)
    return await hub.carry_out(await hub.create(taken.plan, undoes=run))


class TestUndo:
    async def test_it_goes_backwards_and_says_what_stays(self, any_desk):
        async with any_desk.hub() as hub:
            state = await carry_out(hub, MIXED)
            assert state.status == "done", state.why
            taken = await hub.plan_undo(state.id)
            assert taken.stays == {"d": "it was heard"}
            assert taken.leaves == {"c": "both entries"}
            assert [step.description for step in taken.plan.steps.values()] == [
                "takes back c",
                "takes back b",
                "takes back a",
            ]
            undone = await hub.carry_out(await hub.create(taken.plan, undoes=state.id))
            assert undone.status == "done", undone.why
        assert [one[0:3] for one in any_desk.board.done[4:]] == [
            ("create", 4, "refund of ten"),
            ("update", 1, "one"),
            ("delete", 1, "one"),
        ]

    async def test_a_run_that_failed_half_way_is_undone_as_far_as_it_went(self, desk):
        desk.board.script = ["ok", "refused"]
        async with desk.hub() as hub:
            state = await carry_out(hub, MIXED)
            assert state.status == "failed"
            assert (await undo(hub, state.id)).status == "done"
        assert desk.board.notes == {}

    async def test_a_record_that_changed_since_stops_the_undo(self, desk):
        async with desk.hub() as hub:
            state = await carry_out(hub, plan(a={"action": "create", "with": {"text": "one"}}))

            def change(state, entry):
                if entry.kind == "stage.begun":
                    desk.board.notes[1] = "somebody else's"

            desk.watch = change
            undone = await undo(hub, state.id)
            assert undone.status == "paused"
            assert "somebody else's" in undone.why
        assert desk.board.notes == {1: "somebody else's"}

    async def test_an_undo_can_be_undone(self, desk):
        async with desk.hub() as hub:
            desk.board.notes[7] = "old"
            state = await carry_out(hub, plan(a={"action": "update", "with": {"id": 7, "text": "new"}}))
            first = await undo(hub, state.id)
            assert desk.board.notes[7] == "old"
            assert (await undo(hub, first.id)).status == "done"
            assert desk.board.notes[7] == "new"


class TestOnce:
    CHARGE = plan(a={"action": "charge", "with": {"text": "ten"}})

    async def test_a_second_undo_is_refused(self, any_desk):
        async with any_desk.hub() as hub:
            state = await carry_out(hub, self.CHARGE)
            first = await undo(hub, state.id)
            assert hub.state(state.id).undone == first.id
            with pytest.raises(UsageError, match="was undone by run"):
                await hub.plan_undo(state.id)

    async def test_of_two_undos_at_once_one_is_carried_out(self, any_desk):
        async with any_desk.hub() as hub, any_desk.hub() as other:
            state = await carry_out(hub, self.CHARGE)
            taken = await hub.plan_undo(state.id)
            runs = [await hub.create(taken.plan, undoes=state.id) for _ in range(2)]
            ended = await asyncio.gather(hub.carry_out(runs[0]), other.carry_out(runs[1]))
            assert sorted(one.status for one in ended) == ["cancelled", "done"]
            assert any("is undone by run" in one.why for one in ended)
        assert [one[2] for one in any_desk.board.done] == ["ten", "refund of ten"]

    async def test_it_counts_from_when_the_undo_begins_also_if_it_does_not_come_to_its_end(self, desk):
        async with desk.hub() as hub:
            state = await carry_out(hub, self.CHARGE)
            desk.board.script = ["refused"]
            first = await undo(hub, state.id)
            assert first.status == "failed"
            with pytest.raises(UsageError):
                await hub.plan_undo(state.id)
            assert (await hub.resume(first.id)).status == "done"
        assert [one[2] for one in desk.board.done] == ["ten", "refund of ten"]

    async def test_an_undo_that_was_not_approved_leaves_the_run_as_it_was(self, desk):
        async with desk.hub() as hub:
            state = await carry_out(hub, self.CHARGE)
            desk.approves = False
            taken = await hub.plan_undo(state.id)
            run = await hub.create(taken.plan, undoes=state.id)
            await hub.start(run)
            waiting = await until(hub, run, lambda state: state.waits)
            await hub.deny(run, waiting.preview.digest)
            assert (await hub.wait(run)).status == "cancelled"
            assert hub.state(state.id).undone is None

    async def test_what_nobody_knows_has_to_be_known_first(self, desk):
        desk.board.script = ["ok", "unheard"]
        both = plan(
            a={"action": "create", "with": {"text": "a"}},
            d={"action": "shout", "with": {"text": "fire"}, "after": ["a"]},
        )
        async with desk.hub() as hub:
            state = await carry_out(hub, both)
            with pytest.raises(UsageError, match="whether d happened"):
                await hub.plan_undo(state.id)
            await hub.settle(state.id, "d", happened=False)
            assert (await hub.plan_undo(state.id)).plan is not None
