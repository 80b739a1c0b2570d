"""One approved write: in which order things are recorded, and what becomes of one without an answer."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from banksman.errors import StorageError, Unavailable, UnknownName, UsageError
from banksman.ledger import Draft
from banksman.runtime import _clock, _writing

from .toy import Desk, carry_out, kinds, plan, until

ONE = plan(a={"action": "create", "with": {"text": "hello"}})


def with_alternative(action="create"):
    other = {"action": "create", "with": {"text": "the other way"}}
    return plan(a={"action": action, "with": {"text": "hello"}, "else_try": [other]})


class TestOrder:
    async def test_the_intent_is_on_record_before_the_request_leaves_and_the_outcome_after(self, any_desk):
        async with any_desk.hub() as hub:

            def look(pin):
                entries = hub.ledger.entries(run)
                assert (entries[-1].kind, entries[-1].call) == ("call.intended", "a")
                assert entries[-1].body["requests"] == [pin.canonical()]

            run = await hub.create(ONE)
            any_desk.board.before_send = look
            state = await hub.carry_out(run)
            assert state.status == "done", state.why
            assert kinds(hub, run, "a") == ["call.intended", "call.confirmed"]
        assert any_desk.board.notes == {1: "hello"}

    async def test_a_stage_uses_its_approval_up_before_anything_is_sent(self, desk):
        async with desk.hub() as hub:
            state = await carry_out(hub, ONE)
            assert kinds(hub, state.id)[:5] == [
                "run.created",
                "run.previewed",
                "approval.given",
                "stage.begun",
                "call.intended",
            ]
            assert state.used == {state.preview.digest}

    async def test_what_came_out_is_held_against_what_was_predicted(self, desk):
        desk.board.before_send = lambda pin: setattr(pin, "text", "HELLO")
        async with desk.hub() as hub:
            state = await carry_out(hub, ONE)
            assert state.calls["a"].differs == [["text", "hello", "HELLO"]]


class TestCommits:
    @staticmethod
    def commits(hub):
        """The kinds of the entries of each commit from now on."""
        found, write = [], hub.ledger.store.write

        def counted(drafts):
            found.append([draft.kind for draft in drafts])
            return write(drafts)

        hub.ledger.store.write = counted
        return found

    async def test_an_outcome_shares_the_commit_of_the_next_intent(self, desk):
        chain = plan(
            a={"action": "create", "with": {"text": "a"}},
            b={"action": "create", "with": {"text": "b"}, "after": ["a"]},
        )
        async with desk.hub() as hub:
            found = self.commits(hub)
            await carry_out(hub, chain)
        begun = found.index(["stage.begun"])
        assert found[begun + 1 :] == [
            ["call.intended"],
            ["call.confirmed", "call.intended"],
            ["call.confirmed", "run.ended"],
        ]

    async def test_an_outcome_that_nothing_follows_is_recorded_soon(self, desk):
        slow = plan(
            a={"action": "create", "with": {"text": "a"}},
            b={"action": "create", "with": {"text": "b"}},
        )
        desk.board.script, desk.board.delay = {"b": "slow"}, 0.5
        async with desk.hub() as hub:
            run = await hub.create(slow)
            await hub.start(run)
            state = await until(hub, run, lambda state: state.of_status("confirmed"))
            assert state.calls["b"].status == "intended"
            await hub.wait(run)

    async def test_an_outcome_that_could_not_be_found_again_is_recorded_at_once(self, desk):
        chain = plan(
            a={"action": "shout", "with": {"text": "a"}},
            b={"action": "create", "with": {"text": "b"}, "after": ["a"]},
        )
        async with desk.hub() as hub:
            found = self.commits(hub)
            await carry_out(hub, chain)
        assert ["call.confirmed"] in found

    async def test_an_outcome_that_a_crash_took_away_is_found_again(self, desk):
        async with desk.hub() as hub:
            run = await hub.create(ONE)

            async def crash(*drafts):
                if any(draft.kind == "call.confirmed" for draft in drafts):
                    raise StorageError("the process is gone")
                return await append(*drafts)

            append, hub.ledger.append = hub.ledger.append, crash
            with pytest.raises(StorageError):
                await hub.carry_out(run)
            hub.ledger.append = append
            assert kinds(hub, run, "a") == ["call.intended"]
            assert (await hub.resume(run)).status == "done"
            assert kinds(hub, run, "a") == ["call.intended", "call.unknown", "call.confirmed"]
        assert len(desk.board.done) == 1


class TestWithoutAnAnswer:
    async def test_a_write_that_arrived_is_found_and_not_sent_again(self, desk):
        desk.board.script = ["unheard"]
        async with desk.hub() as hub:
            state = await carry_out(hub, ONE)
            assert state.status == "done"
            assert kinds(hub, state.id, "a") == ["call.intended", "call.unknown", "call.confirmed"]
        assert desk.board.done == [("create", 1, "hello", f"{state.id}.a")]

    async def test_a_write_that_did_not_arrive_is_sent_again_once_that_is_certain(self, desk):
        desk.board.script = ["lost"]
        async with desk.hub() as hub:
            started = time.monotonic()
            state = await carry_out(hub, ONE)
            assert time.monotonic() - started >= desk.settle
            assert state.status == "done"
            assert kinds(hub, state.id, "a") == [
                "call.intended",
                "call.unknown",
                "call.absent",
                "call.intended",
                "call.confirmed",
            ]
        assert len(desk.board.done) == 1

    async def test_not_found_is_not_believed_before_the_system_has_had_its_time(self, tmp_path):
        desk = Desk(tmp_path, settle=0.6)
        desk.board.script, desk.board.delay = ["late"], 0.4
        async with desk.hub() as hub:
            state = await carry_out(hub, ONE)
            assert kinds(hub, state.id, "a") == ["call.intended", "call.unknown", "call.confirmed"]
        assert len(desk.board.done) == 1

    async def test_believed_at_once_it_would_be_done_twice(self, tmp_path):
        desk = Desk(tmp_path, settle=0.0)
        desk.board.script, desk.board.delay = ["late"], 0.2
        async with desk.hub() as hub:
            await carry_out(hub, ONE)
            await asyncio.sleep(0.3)
        assert len(desk.board.done) == 2

    async def test_the_time_counts_from_when_nothing_more_leaves_not_from_the_intent(self, tmp_path):
        # A request can wait for its turn (rate limit, full connection pool) long after its intent was recorded.
        desk = Desk(tmp_path, settle=0.3)
        desk.board.delay = 0.25

        async def waits_its_turn(pin):
            await asyncio.sleep(0.5)
            desk.board.send = plain_send
            desk.board.script = ["late"]
            return await plain_send(pin)

        plain_send, desk.board.send = desk.board.send, waits_its_turn
        async with desk.hub() as hub:
            state = await carry_out(hub, ONE)
            assert state.status == "done"
        assert len(desk.board.done) == 1

    async def test_a_system_that_never_answers_fails_after_some_attempts(self, tmp_path):
        desk = Desk(tmp_path, settle=0.0)
        desk.board.script = ["lost"] * 9
        async with desk.hub() as hub:
            state = await carry_out(hub, ONE)
            assert state.status == "failed"
            assert "each time it is known that nothing happened" in state.why
            assert kinds(hub, state.id, "a").count("call.intended") == 4

    async def test_code_that_breaks_after_the_request_left_does_not_count_as_a_failure(self, desk):
        desk.board.script = ["broken"]
        async with desk.hub() as hub:
            state = await carry_out(hub, with_alternative())
            assert state.status == "done"
            assert kinds(hub, state.id, "a") == ["call.intended", "call.unknown", "call.confirmed"]
        assert [one[2] for one in desk.board.done] == ["hello"]

    async def test_a_reconcile_that_breaks_leaves_the_call_open_and_tries_no_other_way(self, desk):
        desk.board.script, desk.board.deaf = ["unheard"], RuntimeError("a fault in reconcile")
        async with desk.hub() as hub:
            state = await carry_out(hub, with_alternative())
            assert state.status == "paused"
            assert state.calls["a"].status == "unknown"
            desk.board.deaf = None
            state = await hub.resume(state.id)
            assert state.status == "done"
        assert [one[2] for one in desk.board.done] == ["hello"]

    async def test_a_system_that_is_down_is_asked_until_it_answers(self, desk):
        desk.board.script, desk.board.deaf = ["unheard"], Unavailable("down")
        asyncio.get_running_loop().call_later(0.5, setattr, desk.board, "deaf", None)
        async with desk.hub() as hub:
            state = await carry_out(hub, ONE)
            assert state.status == "done"
        assert len(desk.board.done) == 1

    async def test_a_system_that_stays_down_is_handed_to_a_person(self, desk, monkeypatch):
        monkeypatch.setattr("banksman.runtime._writing.PATIENCE", 0.2)
        desk.board.script, desk.board.deaf = ["unheard"], Unavailable("down")
        async with desk.hub() as hub:
            state = await carry_out(hub, ONE)
            assert state.status == "paused"
            assert state.calls["a"].status == "handed_over"
            assert "does not say what became of it" in state.calls["a"].error

    async def test_an_output_that_cannot_be_recorded_is_handed_to_a_person_and_not_called_a_failure(self, desk):
        desk.board.before_send = lambda pin: setattr(pin, "text", "\ud800")
        async with desk.hub() as hub:
            state = await carry_out(hub, with_alternative())
            assert state.status == "paused"
            assert state.calls["a"].status == "handed_over"
        assert len(desk.board.done) == 1


class TestClock:
    """How long ago a write fell quiet, when another process noted that."""

    async def waited(self, desk, monkeypatch, **noted):
        async with desk.hub() as hub:
            run = await hub.create(ONE)
            with monkeypatch.context() as patch:
                patch.setattr("banksman.runtime._writing.reading", lambda: {**_clock.reading(), **noted})
                desk.board.script, desk.board.deaf = ["lost"], Unavailable("down")
                await hub.start(run)
                await until(hub, run, lambda state: state.of_status("unknown"))
        desk.board.deaf = None
        async with desk.hub() as hub:
            started = time.monotonic()
            assert (await hub.resume(run)).status == "done"
            return time.monotonic() - started

    async def test_time_that_has_passed_is_not_waited_for_again(self, tmp_path, monkeypatch):
        desk = Desk(tmp_path, settle=2.0)
        assert await self.waited(desk, monkeypatch, up=time.monotonic() - 10) < 1.5

    async def test_the_clock_of_another_machine_is_worth_nothing(self, tmp_path, monkeypatch):
        desk = Desk(tmp_path, settle=1.0)
        assert await self.waited(desk, monkeypatch, up=time.monotonic() - 10, clock="elsewhere") >= 1.0


class TestFailing:
    async def test_a_refused_write_fails_and_nothing_happened(self, desk):
        desk.board.script = ["refused"]
        async with desk.hub() as hub:
            state = await carry_out(hub, ONE)
            assert (state.status, state.calls["a"].status) == ("failed", "failed")
            assert "does not like it" in state.why

    async def test_an_answer_to_come_back_later_is_followed(self, desk):
        desk.board.script = ["busy"]
        async with desk.hub() as hub:
            state = await carry_out(hub, ONE)
            assert state.status == "done"
            assert kinds(hub, state.id, "a") == ["call.intended", "call.failed", "call.intended", "call.confirmed"]

    async def test_the_other_way_is_tried_after_a_definite_failure(self, desk):
        desk.board.script = ["refused"]
        async with desk.hub() as hub:
            state = await carry_out(hub, with_alternative())
            assert state.status == "done"
            assert kinds(hub, state.id, "a") == ["call.intended", "call.failed"]
            assert kinds(hub, state.id, "a~1") == ["call.intended", "call.confirmed"]

    async def test_the_other_way_is_not_tried_while_nobody_knows(self, desk):
        desk.board.script = ["lost"]
        async with desk.hub() as hub:
            state = await carry_out(hub, with_alternative("shout"))
            assert state.status == "paused"
            assert "a~1" not in state.calls
        assert desk.board.done == []

    async def test_a_way_that_failed_is_not_tried_again_on_resume_where_another_was_gone(self, desk):
        two = plan(
            a={
                "action": "create",
                "with": {"text": "hello"},
                "else_try": [{"action": "create", "with": {"text": "the other way"}}],
            },
            b={"action": "create", "with": {"text": "next"}, "after": ["a"]},
        )
        desk.board.script = ["refused", "ok", "refused"]
        async with desk.hub() as hub:
            state = await carry_out(hub, two)
            assert state.status == "failed"
            state = await hub.resume(state.id)
            assert state.status == "done"
        assert [one[2] for one in desk.board.done] == ["the other way", "next"]


class TestNativeKey:
    KEYED = plan(
        a={"action": "keyed", "with": {"text": "hello"}, "else_try": [{"action": "create", "with": {"text": "other"}}]}
    )

    @pytest.mark.parametrize("how", ["unheard", "lost"])
    async def test_an_unanswered_write_is_sent_again_under_its_key(self, desk, how):
        desk.board.script = [how]
        async with desk.hub() as hub:
            state = await carry_out(hub, self.KEYED)
            assert state.status == "done"
            assert kinds(hub, state.id, "a") == ["call.intended", "call.unknown", "call.intended", "call.confirmed"]
        assert len(desk.board.done) == 1

    async def test_a_refused_repetition_says_nothing_of_the_first_attempt(self, desk):
        desk.board.script = ["unheard", "conflict"]
        async with desk.hub() as hub:
            state = await carry_out(hub, self.KEYED)
            assert state.status == "paused"
            assert state.calls["a"].status == "handed_over"
        assert [one[2] for one in desk.board.done] == ["keyed hello"]

    async def test_a_repetition_that_has_to_wait_is_made_later(self, desk):
        desk.board.script = ["unheard", "busy"]
        async with desk.hub() as hub:
            assert (await carry_out(hub, self.KEYED)).status == "done"
        assert len(desk.board.done) == 1

    async def test_a_key_that_the_system_may_have_forgotten_is_not_used(self, desk, monkeypatch):
        desk.board.script = ["unheard"]
        async with desk.hub() as hub:
            # The time of the first attempt counts, however often it was repeated since.
            now = _writing._now
            monkeypatch.setattr(_writing, "_now", lambda: now() + timedelta(seconds=61))
            state = await carry_out(hub, self.KEYED)
            assert state.calls["a"].status == "handed_over"
            assert "forgets idempotency keys" in state.calls["a"].error


class TestAPersonSettles:
    SHOUT = plan(
        a={"action": "shout", "with": {"text": "fire"}},
        b={"action": "create", "with": {"text": "after ${a.text}"}, "after": ["a"]},
    )

    async def test_what_cannot_be_known_waits_for_a_person(self, any_desk):
        any_desk.board.script = ["unheard"]
        async with any_desk.hub() as hub:
            state = await carry_out(hub, self.SHOUT)
            assert state.status == "paused"
            assert "nobody writes down what was shouted" in state.why
            with pytest.raises(UsageError, match="nobody has said whether a happened"):
                await hub.resume(state.id)

    async def test_what_happened_is_not_sent_again(self, desk):
        desk.board.script = ["unheard"]
        async with desk.hub() as hub:
            state = await carry_out(hub, self.SHOUT)
            await hub.settle(state.id, "a", happened=True, output={"id": 1, "text": "fire"})
            state = await hub.resume(state.id)
            assert state.status == "done"
        assert [one[2] for one in desk.board.done] == ["fire", "after fire"]

    async def test_what_did_not_happen_is_previewed_and_sent_again(self, desk):
        desk.board.script = ["lost"]
        async with desk.hub() as hub:
            state = await carry_out(hub, self.SHOUT)
            await hub.settle(state.id, "a", happened=False)
            state = await hub.resume(state.id)
            assert state.status == "done"
        assert [one[2] for one in desk.board.done] == ["fire", "after fire"]

    async def test_the_first_to_say_it_is_right(self, desk):
        desk.board.script = ["unheard"]
        async with desk.hub() as hub:
            state = await carry_out(hub, self.SHOUT)
            await hub.settle(state.id, "a", happened=True, output={"id": 1, "text": "fire"})
            with pytest.raises(UnknownName):
                await hub.settle(state.id, "a", happened=False)
            # Two people at once: both looked before either had said it.
            await hub.ledger.append(Draft(state.id, "call.settled", "a", {"happened": False, "by": "b", "note": ""}))
            assert hub.state(state.id).calls["a"].status == "confirmed"
