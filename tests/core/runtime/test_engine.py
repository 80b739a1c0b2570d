"""Runs outlive their process: killed, stopped, started twice, or left by one that is dead."""

from __future__ import annotations

import asyncio
import json
import sqlite3

import pytest

from banksman.errors import StorageError, UsageError
from banksman.ledger import Draft, broken_links
from banksman.runtime import APPLICATION_VERSION, DbosEngine, FileLocks, LocalEngine, Stopping
from banksman.runtime._engine import sqlite_engine
from banksman.runtime._runner import Runner

from .processes import child
from .toy import Desk, kinds, plan, until

ONE = plan(a={"action": "create", "with": {"text": "hello"}})
THREE = plan(
    a={"action": "create", "with": {"text": "a"}},
    b={"action": "create", "with": {"text": "b"}, "after": ["a"]},
    c={"action": "create", "with": {"text": "c"}, "after": ["b"]},
)


def done(home):
    path = home / "board"
    return [json.loads(line)[2] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
async def office(tmp_path, database):
    """A hub that creates and approves, and leaves the work to other processes."""
    desk = Desk(tmp_path, database, settle=0.6)
    async with desk.hub() as hub:
        yield hub


async def approved(hub, run):
    state = await until(hub, run, lambda state: state.waits or state.is_over)
    await hub.approve(run, state.preview.digest)


class TestKilled:
    async def test_in_the_middle_of_a_write_the_next_process_goes_on(self, office, tmp_path, database):
        run = await office.create(THREE)
        with child("work", tmp_path, database or "") as first:
            await approved(office, run)
            await until(office, run, lambda state: state.calls.get("b") and state.calls["b"].status == "intended")
            first.kill()
        with child("work", tmp_path, database or ""):
            state = await until(office, run, lambda state: state.is_over)
            assert state.status == "done", state.why
        assert done(tmp_path) == ["a", "b", "c"]
        assert "call.unknown" in kinds(office, run, "b")
        assert not broken_links(run, office.ledger.entries(run))

    async def test_while_it_waits_for_an_approval(self, office, tmp_path, database):
        run = await office.create(ONE)
        with child("work", tmp_path, database or "") as first:
            state = await until(office, run, lambda state: state.waits)
            first.kill()
        await office.approve(run, state.preview.digest)
        with child("work", tmp_path, database or ""):
            state = await until(office, run, lambda state: state.is_over)
            assert state.status == "done", state.why
        assert done(tmp_path) == ["hello"]

    async def test_what_it_left_is_taken_over_by_a_process_that_lives(self, office, tmp_path, database):
        run = await office.create(THREE)
        with child("work", tmp_path, database or "") as first:
            assert first.line() == "ready"
            await approved(office, run)
            await until(office, run, lambda state: state.calls.get("a") and state.calls["a"].status == "intended")
            with child("work", tmp_path, database or "") as second:
                assert second.line() == "ready"
                first.kill()
                state = await until(office, run, lambda state: state.is_over)
                assert state.status == "done", state.why
        assert done(tmp_path) == ["a", "b", "c"]


class TestTwoAtOnce:
    async def test_a_run_that_another_process_carries_out_is_left_to_it(self, office, tmp_path, database):
        run = await office.create(ONE)
        with child("work", tmp_path, database or "") as first:
            await until(office, run, lambda state: state.waits)
            with child("carry", tmp_path, database or "", run) as second:
                assert second.line() == f"UsageError: run {run} is being carried out by another process"
                # It stands by: what the first one leaves, it goes on with.
                first.kill()
                await approved(office, run)
                state = await until(office, run, lambda state: state.is_over)
                assert state.status == "done", state.why
        assert done(tmp_path) == ["hello"]

    async def test_whoever_does_not_know_that_it_lost_a_run_sends_nothing_more(self, desk):
        # Its lock is gone (a session that ended unnoticed, a folder that is not shared), and another one has begun.
        desk.board.notes[7] = "old"
        change = plan(a={"action": "update", "with": {"id": 7, "text": "new"}})
        async with desk.hub() as hub:
            run = await hub.create(change)
            append = hub.ledger.append

            async def slower(*drafts):
                if drafts[0].kind == "call.intended":
                    body = {**drafts[0].body, "runner": "another"}
                    await append(Draft(run, "call.intended", "a", body))
                return await append(*drafts)

            hub.ledger.append = slower
            state = await hub.carry_out(run)
            assert state.status == "running"
        assert desk.board.done == []


class TestEngine:
    async def test_a_started_run_survives_a_power_cut(self, tmp_path):
        engine = sqlite_engine(tmp_path / "engine.db")
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        engine.dispose()

    async def test_a_newer_release_goes_on_with_older_runs(self, tmp_path):
        desk = Desk(tmp_path)
        async with desk.hub(durable=True) as hub:
            run = await hub.create(ONE)
            assert (await hub.carry_out(run)).status == "done"
        with sqlite3.connect(tmp_path / "engine.db") as connection:
            versions = connection.execute("SELECT DISTINCT application_version FROM workflow_status").fetchall()
        assert versions == [(APPLICATION_VERSION,)] == [("banksman-ledger-1",)]

    async def test_a_stopped_run_goes_on_when_the_next_process_starts(self, tmp_path):
        desk = Desk(tmp_path)
        desk.approves = False
        async with desk.hub(durable=True) as hub:
            run = await hub.create(ONE)
            await hub.start(run)
            state = await until(hub, run, lambda state: state.waits)
        desk.approves = True
        async with desk.hub(durable=True) as hub:
            await hub.approve(run, state.preview.digest)
            await hub.engine()
            assert (await hub.wait(run)).status == "done"
        assert len(desk.board.done) == 1

    async def test_threads_of_the_program_around_it_work_afterwards(self, tmp_path):
        desk = Desk(tmp_path)
        async with desk.hub(durable=True) as hub:
            assert (await hub.carry_out(await hub.create(ONE))).status == "done"
            assert await asyncio.to_thread(len, "abc") == 3
        assert await asyncio.to_thread(len, "abc") == 3

    async def test_a_database_that_cannot_be_used_is_named_and_the_slot_is_free_again(self, tmp_path):
        (tmp_path / "engine.db").write_text("this is no database, however long it may be " * 50)
        locks = FileLocks(tmp_path / "locks")
        with pytest.raises(StorageError, match="run database cannot be used"):
            await DbosEngine(tmp_path / "engine.db", locks, None).open()
        assert locks.take("executor-0")
        # And the next one is opened where it should be.
        desk = Desk(tmp_path / "other")
        async with desk.hub(durable=True) as hub:
            assert (await hub.carry_out(await hub.create(ONE))).status == "done"


class TestRunner:
    """Who carries what, without an engine."""

    async def test_a_run_that_is_started_twice_is_carried_once(self, tmp_path):
        carried = []

        async def carry(run):
            carried.append(run)
            await asyncio.sleep(0.1)

        engine = LocalEngine(FileLocks(tmp_path), carry)
        await engine.start("r")
        await asyncio.sleep(0.05)
        await engine.start("r")
        await engine.wait("r")
        # Once more, since it may have been started for something that came too late for the first look.
        assert carried == ["r", "r"]
        await engine.close()

    async def test_a_resume_that_comes_while_a_run_is_let_go_of_is_not_lost(self, tmp_path):
        looks = []

        async def carry(run):
            looks.append(run)
            if len(looks) == 1:
                await engine.start(run)

        engine = LocalEngine(FileLocks(tmp_path), carry)
        await engine.start("r")
        await engine.wait("r")
        assert looks == ["r", "r"]
        await engine.close()

    async def test_dispatched_twice_it_does_not_end_before_it_has(self, tmp_path):
        going, over = asyncio.Event(), asyncio.Event()

        async def carry(run):
            going.set()
            await over.wait()

        runner = Runner(FileLocks(tmp_path), carry)
        first = asyncio.create_task(runner.run("r"))
        await going.wait()
        second = asyncio.create_task(runner.run("r"))
        await asyncio.sleep(0.1)
        assert not second.done()
        over.set()
        await asyncio.gather(first, second)

    async def test_it_stands_by_and_takes_over(self, tmp_path):
        other = FileLocks(tmp_path)
        assert other.take("run-r")
        carried = []

        async def carry(run):
            carried.append(run)

        runner = Runner(FileLocks(tmp_path), carry)
        task = asyncio.create_task(runner.run("r"))
        with pytest.raises(UsageError, match="by another process"):
            await runner.wait("r")
        assert carried == []
        other.release("run-r")
        await asyncio.wait_for(task, 5)
        assert carried == ["r"]

    async def test_when_the_locks_are_lost_everything_stops(self, tmp_path):
        locks = FileLocks(tmp_path)
        going = asyncio.Event()

        async def carry(run):
            going.set()
            await asyncio.sleep(60)

        runner = Runner(locks, carry)
        watching = asyncio.create_task(runner.watch(0.01))
        task = asyncio.create_task(runner.run("r"))
        await going.wait()

        def lost():
            raise StorageError("the session that holds the locks is lost")

        locks.check = lost
        with pytest.raises(StorageError, match="is lost"):
            await asyncio.wait_for(task, 5)
        with pytest.raises(StorageError, match="is lost"):
            await runner.wait("r")
        await watching

    async def test_closing_lets_what_is_under_way_end_but_not_for_ever(self, tmp_path, monkeypatch):
        monkeypatch.setattr("banksman.runtime._runner.GRACE", 0.2)
        ended = []

        async def carry(run):
            await asyncio.sleep(0.1 if run == "quick" else 60)
            ended.append(run)

        engine = LocalEngine(FileLocks(tmp_path), carry)
        await engine.start("quick")
        await engine.start("slow")
        await asyncio.sleep(0.05)
        await engine.close()
        assert ended == ["quick"]
        with pytest.raises(Stopping):
            await engine.wait("slow")
