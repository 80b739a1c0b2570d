"""A run from its preview to its end: approvals, drift, stages, stops, resumes and replans."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest

from banksman.errors import Denied, NotApproved, PlanError, UsageError
from banksman.ledger import Draft
from banksman.plan import build
from banksman.runtime import _execution
from banksman.runtime._stage import Stage

from .toy import Desk, carry_out, kinds, plan, until

ONE = plan(a={"action": "create", "with": {"text": "hello"}})
CHANGE = plan(a={"action": "update", "with": {"id": 7, "text": "new"}})


def waits(state):
    return state.waits


@pytest.fixture
def waiting(any_desk):
    """A desk whose runs wait for a person."""
    any_desk.approves = False
    return any_desk


class TestApproval:
    async def test_nothing_is_sent_before_somebody_says_yes(self, waiting):
        async with waiting.hub() as hub:
            run = await hub.create(ONE)
            await hub.start(run)
            state = await until(hub, run, waits)
            await asyncio.sleep(0.1)
            assert waiting.board.done == []
            await hub.approve(run, state.preview.digest)
            assert (await hub.wait(run)).status == "done"
        assert len(waiting.board.done) == 1

    async def test_a_yes_may_come_from_another_process(self, waiting):
        async with waiting.hub() as hub, waiting.hub() as other:
            run = await hub.create(ONE)
            await hub.start(run)
            state = await until(other, run, waits)
            await other.approve(run, state.preview.digest[:12])
            assert (await hub.wait(run)).status == "done"

    async def test_a_no_ends_the_run(self, waiting):
        async with waiting.hub() as hub:
            run = await hub.create(ONE)
            await hub.start(run)
            state = await until(hub, run, waits)
            await hub.deny(run, state.preview.digest, "not today")
            state = await hub.wait(run)
            assert (state.status, state.why) == ("cancelled", "not approved: not today")
        assert waiting.board.done == []

    async def test_another_digest_is_refused_and_one_slipped_into_the_ledger_is_worth_nothing(self, waiting):
        async with waiting.hub() as hub:
            run = await hub.create(ONE)
            await hub.start(run)
            await until(hub, run, waits)
            with pytest.raises(NotApproved, match="waits for an approval of"):
                await hub.approve(run, "0" * 64)
            with pytest.raises(NotApproved, match="not of nothing"):
                await hub.approve(run, "")
            body = {"digest": "0" * 64, "by": "x", "how": "command"}
            await hub.ledger.append(Draft(run, "approval.given", "", body))
            await asyncio.sleep(0.1)
            assert hub.state(run).status == "previewed"
        assert waiting.board.done == []

    async def test_the_digest_is_computed_from_what_is_recorded_and_not_taken_from_it(self, waiting):
        async with waiting.hub() as hub:
            run = await hub.create(ONE)
            preview = await hub.preview(ONE)
            document = {**preview.document(), "run": run}
            await hub.ledger.append(Draft(run, "run.previewed", "", {"preview": document, "digest": "f" * 64}))
            await hub.ledger.append(Draft(run, "approval.given", "", {"digest": "f" * 64, "by": "x", "how": "prompt"}))
            await hub.start(run)
            await asyncio.sleep(0.2)
        assert waiting.board.done == []

    async def test_an_approval_is_used_once(self, waiting):
        async with waiting.hub() as hub:
            waiting.board.notes[7] = "old"
            run = await hub.create(CHANGE)
            await hub.start(run)
            state = await until(hub, run, waits)
            waiting.board.before_send = lambda pin: waiting.board.script.append("refused")
            await hub.approve(run, state.preview.digest)
            assert (await hub.wait(run)).status == "failed"
            # The same world looks the same again, but the yes was for the first time.
            resumed = asyncio.ensure_future(hub.resume(run))
            again = await until(hub, run, waits)
            assert again.preview.digest != state.preview.digest
            with pytest.raises(NotApproved):
                await hub.approve(run, state.preview.digest)
            await hub.deny(run, again.preview.digest)
            await resumed
        assert waiting.board.done == []

    async def test_an_expired_preview_cannot_be_carried_out(self, waiting, monkeypatch):
        monkeypatch.setattr(_execution, "expiry", lambda: "2001-01-01T00:00:00Z")
        async with waiting.hub() as hub:
            state = await carry_out(hub, ONE)
            assert state.status == "paused"
            assert "approv" in state.why
        assert waiting.board.done == []

    async def test_a_flag_does_not_approve_where_a_rule_wants_a_person(self, waiting):
        waiting.config.connections["board:a"]["environment"] = "production"
        del waiting.config.connections["board:a"]["unattended"]
        async with waiting.hub() as hub:
            run = await hub.create(ONE)
            await hub.start(run)
            state = await until(hub, run, waits)
            with pytest.raises(Denied):
                await hub.approve(run, state.preview.digest, how="flag")

    async def test_nothing_to_change_needs_no_approval(self, waiting):
        waiting.board.notes[7] = "old"
        async with waiting.hub() as hub:
            state = await carry_out(hub, plan(a={"action": "get", "with": {"id": 7}}))
            assert state.status == "done"


class TestDrift:
    async def test_a_record_that_changed_stops_the_run_with_the_difference(self, desk):
        desk.board.notes[7] = "old"

        def change(state, entry):
            if entry.kind == "stage.begun":
                desk.board.notes[7] = "somebody else's"

        desk.watch = change
        async with desk.hub() as hub:
            state = await carry_out(hub, CHANGE)
            assert state.status == "paused"
            assert state.why.startswith("drifted")
            assert "old" in state.why
            assert "somebody else's" in state.why
            assert kinds(hub, state.id, "a") == []
        assert desk.board.done == []

    async def test_after_a_drift_the_run_asks_again_and_does_what_is_true_now(self, desk):
        desk.board.notes[7] = "old"
        desk.watch = lambda state, entry: entry.kind == "stage.begun" and desk.board.notes.update({7: "other"})
        async with desk.hub() as hub:
            state = await carry_out(hub, CHANGE)
            desk.watch = None
            state = await hub.resume(state.id)
            assert state.status == "done"
            assert state.preview.items["a"].before == {"id": 7, "text": "other"}

    async def test_an_old_preview_is_looked_at_again_before_the_first_call(self, desk, monkeypatch):
        monkeypatch.setattr(_execution, "STALE_AFTER", -1.0)
        desk.board.notes.update({7: "old", 8: "old"})
        desk.watch = lambda state, entry: entry.kind == "run.previewed" and desk.board.notes.update({8: "other"})
        both = plan(
            a={"action": "update", "with": {"id": 7, "text": "new"}},
            b={"action": "update", "with": {"id": 8, "text": "new"}, "after": ["a"]},
        )
        async with desk.hub() as hub:
            state = await carry_out(hub, both)
            assert state.status == "paused"
            assert "stage.begun" not in kinds(hub, state.id)
        # Not even the first one, which had not changed.
        assert desk.board.done == []

    async def test_a_drift_in_one_place_lets_what_is_under_way_elsewhere_end(self, desk):
        desk.board.notes[7] = "old"
        desk.board.delay, desk.board.script = 0.3, {"slow": "slow"}

        def change(state, entry):
            if entry.kind == "call.intended":
                desk.board.notes[7] = "other"

        desk.watch = change
        both = plan(
            slow={"action": "create", "with": {"text": "slow"}},
            a={"action": "create", "with": {"text": "first"}},
            c={"action": "update", "with": {"id": 7, "text": "no ${a.id}"}},
        )
        async with desk.hub() as hub:
            state = await carry_out(hub, both)
            assert state.status == "paused"
            assert [call.id for call in state.of_status("confirmed")] == ["a", "slow"]


class TestStages:
    TWO = plan(
        a={"action": "create", "with": {"text": "one"}},
        all={"action": "list", "after": ["a"], "with": {}},
        b={"action": "update", "for_each": "${all}", "with": {"id": "${each.id}", "text": "seen ${each.text}"}},
    )

    async def test_what_only_a_write_tells_is_previewed_and_asked_for_again(self, waiting):
        async with waiting.hub() as hub:
            run = await hub.create(self.TWO)
            await hub.start(run)
            first = await until(hub, run, waits)
            assert list(first.preview.items) == ["a"]
            assert "b" in first.preview.deferred
            await hub.approve(run, first.preview.digest)
            second = await until(hub, run, lambda state: state.stage == 2)
            assert list(second.preview.items) == ["b[1]"]
            assert waiting.board.notes == {1: "one"}
            await hub.approve(run, second.preview.digest)
            assert (await hub.wait(run)).status == "done"
        assert waiting.board.notes == {1: "seen one"}

    async def test_a_round_that_was_not_previewed_is_refused(self, desk):
        desk.approves = False
        desk.board.notes[7] = "seven"
        each = plan(
            all={"action": "list", "with": {}},
            b={"action": "update", "for_each": "${all}", "with": {"id": "${each.id}", "text": "x ${each.text}"}},
        )
        async with desk.hub() as hub:
            run = await hub.create(each)
            execution = _execution.Execution(hub.around, run)
            await execution._preview()
            # The list was read again after a crash, and it is longer now than what was approved.
            await execution._begin()
            desk.board.notes[8] = "eight"
            stage = Stage(execution, execution.state.preview, {})
            await stage.run()
            assert stage.pause.startswith("drifted: b[8]")
        assert [one[:2] for one in desk.board.done] in ([], [("update", 7)])

    async def test_writes_to_one_record_keep_their_order(self, desk):
        desk.board.script, desk.board.delay = ["ok", "slow"], 0.1
        chain = plan(
            a={"action": "create", "with": {"text": "0"}},
            b={"action": "update", "with": {"id": "${a.id}", "text": "1"}},
            c={"action": "update", "with": {"id": "${a.id}", "text": "2"}},
            d={"action": "update", "with": {"id": "${a.id}", "text": "3"}},
        )
        async with desk.hub() as hub:
            state = await carry_out(hub, chain)
            assert state.status == "done", state.why
        assert [one[2] for one in desk.board.done] == ["0", "1", "2", "3"]
        assert desk.board.most == 1

    async def test_a_wide_run_keeps_to_its_width(self, desk):
        wide = plan(a={"action": "create", "for_each": list(range(20)), "with": {"text": "n ${each}"}})
        desk.board.script, desk.board.delay = ["slow"] * 20, 0.05
        async with desk.hub() as hub:
            hub.around.width = 4
            state = await carry_out(hub, wide)
            assert state.status == "done"
        assert desk.board.most == 4
        assert len(desk.board.done) == 20

    async def test_an_outcome_that_comes_while_reads_are_recorded_is_not_lost(self, desk):
        desk.board.notes[7] = "seven"
        mixed = plan(
            w={"action": "create", "with": {"text": "w"}},
            r={"action": "get", "with": {"id": 7}},
            s={"action": "get", "with": {"id": "${r.id}"}},
            x={"action": "create", "with": {"text": "after ${w.text}"}, "after": ["w"]},
        )
        async with desk.hub() as hub:
            append = hub.ledger.append

            async def slow(*drafts):
                entries = await append(*drafts)
                if any(draft.kind == "call.read" for draft in drafts):
                    await asyncio.sleep(0.1)
                return entries

            hub.ledger.append = slow
            state = await carry_out(hub, mixed)
            assert state.status == "done", state.why
        assert [one[2] for one in desk.board.done] == ["w", "after w"]

    async def test_what_is_promised_is_checked_at_the_end(self, desk):
        promising = build({**ONE.document(), "ensures": ["${a.text == 'other'}"], "outputs": {"id": "${a.id}"}})
        async with desk.hub() as hub:
            state = await carry_out(hub, promising)
            assert state.status == "failed"
            assert state.outputs == {"id": 1}
            assert "not as ensured" in state.why


class TestStop:
    async def test_a_stop_lets_calls_under_way_end_and_starts_no_new_one(self, desk):
        desk.board.script, desk.board.delay = ["slow"], 0.3
        two = plan(
            a={"action": "create", "with": {"text": "a"}},
            b={"action": "create", "with": {"text": "b"}, "after": ["a"]},
        )
        async with desk.hub() as hub:
            run = await hub.create(two)
            await hub.start(run)
            await until(hub, run, lambda state: desk.board.under_way)
        async with desk.hub() as hub:
            assert kinds(hub, run, "a") == ["call.intended", "call.confirmed"]
            assert kinds(hub, run, "b") == []
            state = await hub.resume(run)
            assert state.status == "done"
        assert [one[2] for one in desk.board.done] == ["a", "b"]

    async def test_a_stop_does_not_wait_for_what_may_become_certain_later(self, tmp_path):
        desk = Desk(tmp_path, settle=60)
        desk.board.script = ["lost"]
        async with desk.hub() as hub:
            run = await hub.create(ONE)
            await hub.start(run)
            await until(hub, run, lambda state: state.of_status("unknown"))
            started = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - started < 5
        async with desk.hub() as hub:
            assert hub.state(run).calls["a"].status == "unknown"

    async def test_a_run_that_waits_for_approval_waits_on_in_the_next_process(self, waiting):
        async with waiting.hub() as hub:
            run = await hub.create(ONE)
            await hub.start(run)
            state = await until(hub, run, waits)
        async with waiting.hub() as hub:
            await hub.approve(run, state.preview.digest)
            state = await hub.resume(run)
            assert state.status == "done"


A = {"action": "create", "with": {"text": "a"}}


class TestReplan:
    async def test_steps_that_have_run_stay_done(self, desk):
        desk.board.script = ["ok", "refused"]
        async with desk.hub() as hub:
            state = await carry_out(hub, plan(a=A, b={"action": "create", "with": {"text": "bad ${a.id}"}}))
            assert state.status == "failed"
            await hub.replan(state.id, plan(a=A, b={"action": "create", "with": {"text": "good ${a.id}"}}))
            state = await hub.resume(state.id)
            assert state.status == "done"
        assert [one[2] for one in desk.board.done] == ["a", "good 1"]

    async def test_a_step_that_has_run_cannot_be_changed(self, desk):
        desk.board.script = ["ok", "refused"]
        async with desk.hub() as hub:
            state = await carry_out(hub, plan(a=A, b={"action": "create", "with": {"text": "${a.id}"}}))
            with pytest.raises(PlanError, match="it has run"):
                await hub.replan(state.id, plan(a={"action": "create", "with": {"text": "other"}}))

    async def test_a_plan_does_not_change_under_a_stage_that_is_under_way(self, desk):
        desk.board.script, desk.board.delay = ["slow"], 0.3
        other = plan(z={"action": "create", "with": {"text": "z"}})
        async with desk.hub() as hub:
            run = await hub.create(ONE)
            await hub.start(run)
            await until(hub, run, lambda state: desk.board.under_way)
            with pytest.raises(UsageError, match=r"another plan cannot|nobody knows yet"):
                await hub.replan(run, other)
            # Nor where somebody looked just before the stage began.
            await hub.ledger.append(Draft(run, "run.replanned", "", {"plan": other.document()}))
            state = await hub.wait(run)
            assert state.status == "done"
            assert "a" in state.plan["steps"]
        assert [one[2] for one in desk.board.done] == ["hello"]

    async def test_a_new_plan_for_a_run_that_waits_is_what_is_asked_for(self, waiting):
        async with waiting.hub() as hub:
            run = await hub.create(ONE)
            await hub.start(run)
            first = await until(hub, run, waits)
            await hub.replan(run, plan(z={"action": "create", "with": {"text": "z"}}))
            state = await until(hub, run, lambda state: state.waits and state.preview.digest != first.preview.digest)
            assert list(state.preview.items) == ["z"]
            await hub.approve(run, state.preview.digest)
            assert (await hub.wait(run)).status == "done"
        assert [one[2] for one in waiting.board.done] == ["z"]


class TestFaults:
    async def test_a_plan_that_does_not_fit_any_more_pauses_the_run(self, desk):
        async with desk.hub() as hub:
            run = await hub.create(ONE)
        del desk.config.connections["board:a"]
        async with desk.hub() as hub:
            state = await hub.carry_out(run)
            assert state.status == "paused"
            assert "board:a" in state.why

    async def test_a_fault_of_our_own_is_said_and_the_run_can_be_resumed(self, desk, monkeypatch):
        async with desk.hub() as hub:
            run = await hub.create(ONE)
            with monkeypatch.context() as patch:
                patch.setattr(_execution.Execution, "_preview", lambda self: 1 / 0)
                state = await hub.carry_out(run)
                assert state.status == "paused"
                assert "ZeroDivisionError" in state.why
            assert (await hub.resume(run)).status == "done"

    async def test_whoever_looks_on_does_not_change_what_happens(self, desk):
        desk.watch = lambda state, entry: 1 / 0
        desk.approves = False
        async with desk.hub() as hub:
            run = await hub.create(ONE)
            await hub.start(run)
            state = await until(hub, run, waits)
            await hub.approve(run, state.preview.digest)
            assert (await hub.wait(run)).status == "done"

    async def test_a_second_resume_changes_nothing_for_a_run_that_goes_on(self, waiting):
        async with waiting.hub() as hub:
            run = await hub.create(ONE)
            await hub.start(run)
            state = await until(hub, run, waits)
            await hub.ledger.append(Draft(run, "run.resumed", "", {"by": "late"}))
            await hub.approve(run, state.preview.digest)
            assert (await hub.wait(run)).status == "done"


def test_a_preview_can_be_approved_for_a_day():
    from banksman.guard import expiry, moment

    assert moment(expiry()) - datetime.now(timezone.utc) > timedelta(hours=23)
