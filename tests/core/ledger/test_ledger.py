"""Appending: durable, in one chain whoever writes, and nobody's fault is another's."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

import banksman
from banksman.errors import StorageError
from banksman.ledger import Draft, Ledger, broken_links
from banksman.ledger._sqlite import SqliteStore

CORE = Path(banksman.__file__).parents[1]


def draft(run="r", call="", **body):
    return Draft(run, "call.read", call, body)


class Counting:
    """A store that counts its commits, and can be slow."""

    quick = False

    def __init__(self, store):
        self._store = store
        self.commits = []
        self.go = threading.Event()
        self.go.set()

    def write(self, drafts):
        self.go.wait()
        entries = self._store.write(drafts)
        self.commits.append(len(entries))
        return entries

    def __getattr__(self, name):
        return getattr(self._store, name)


class TestAppend:
    async def test_entries_are_numbered_and_chained_by_run(self, ledger):
        first = await ledger.append(draft("r", a=1), draft("s", a=2), draft("r", a=3))
        second = await ledger.append(draft("r", a=4))
        assert [(entry.run, entry.number) for entry in [*first, *second]] == [("r", 1), ("s", 1), ("r", 2), ("r", 3)]
        assert ledger.entries("r") == [first[0], first[2], second[0]]
        assert ledger.entries("r", after=2) == second
        assert ledger.entries("x") == []
        for run in ("r", "s"):
            assert broken_links(run, ledger.entries(run)) == []

    async def test_they_are_there_for_whoever_opens_it_next(self, ledger, where):
        await ledger.append(draft(a=1))
        other = Ledger.open(where)
        assert [entry.body for entry in other.entries("r")] == [{"a": 1}]
        await other.append(draft(a=2))
        await ledger.append(draft(a=3))
        assert [entry.body["a"] for entry in ledger.entries("r")] == [1, 2, 3]
        assert broken_links("r", ledger.entries("r")) == []
        other.close()

    async def test_they_are_found_by_kind_oldest_first(self, ledger):
        for run in ("b", "a", "c"):
            await ledger.append(Draft(run, "run.created", "", {}), draft(run))
        assert [entry.run for entry in ledger.of_kind("run.created")] == ["b", "a", "c"]
        assert len(ledger.of_kind("run.created", "call.read")) == 6

    async def test_a_run_that_goes_on_after_its_end_keeps_its_chain(self, ledger):
        await ledger.append(draft(), Draft("r", "run.ended", "", {}))
        await ledger.append(Draft("r", "run.undone", "", {}))
        assert [entry.number for entry in ledger.entries("r")] == [1, 2, 3]
        assert broken_links("r", ledger.entries("r")) == []

    async def test_many_at_once_keep_one_chain(self, ledger):
        await asyncio.gather(*[ledger.append(draft("r" if n % 2 else "s", n=n)) for n in range(200)])
        for run in ("r", "s"):
            assert len(ledger.entries(run)) == 100
            assert broken_links(run, ledger.entries(run)) == []

    def test_threads_without_a_loop_append_as_well(self, ledger):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: ledger.append_now(draft(n=n)), range(40)))
        assert broken_links("r", ledger.entries("r")) == []

    def test_two_processes_that_append_to_one_run_keep_one_chain(self, ledger, where):
        command = [sys.executable, str(Path(__file__).with_name("writer.py")), str(where), "r", "150"]
        env = {**os.environ, "PYTHONPATH": str(CORE)}
        processes = [subprocess.Popen(command, env=env) for _ in range(2)]
        assert [process.wait(60) for process in processes] == [0, 0]
        entries = ledger.entries("r")
        assert [entry.number for entry in entries] == list(range(1, 301))
        assert broken_links("r", entries) == []


class TestTogether:
    """What waits for the same commit."""

    @pytest.fixture
    def slow(self, tmp_path):
        ledger = Ledger(Counting(SqliteStore(tmp_path / "slow.db")))
        yield ledger
        ledger.store.go.set()
        ledger.close()

    async def gathered(self, ledger, *drafts):
        """Appends that all came while an earlier commit was under way."""
        ledger.store.go.clear()
        first = asyncio.ensure_future(ledger.append(draft("first")))
        await asyncio.sleep(0.05)
        waiting = [asyncio.ensure_future(ledger.append(one)) for one in drafts]
        await asyncio.sleep(0.05)
        return first, waiting

    async def test_what_gathers_during_a_commit_shares_the_next(self, slow):
        first, waiting = await self.gathered(slow, *[draft(n=n) for n in range(20)])
        slow.store.go.set()
        await asyncio.gather(first, *waiting)
        assert slow.store.commits == [1, 20]

    async def test_a_draft_that_cannot_be_encoded_fails_alone(self, slow):
        drafts = [draft(n=1), draft(n=float("nan")), draft(n="\ud800"), draft(n=object()), draft(n=2)]
        first, waiting = await self.gathered(slow, *drafts)
        slow.store.go.set()
        results = await asyncio.gather(first, *waiting, return_exceptions=True)
        assert [type(one) for one in results] == [list, list, ValueError, UnicodeEncodeError, TypeError, list]
        assert [entry.body["n"] for entry in slow.entries("r")] == [1, 2]
        assert broken_links("r", slow.entries("r")) == []

    async def test_who_stops_waiting_in_time_gets_nothing_recorded_and_harms_nobody(self, slow):
        first, waiting = await self.gathered(slow, draft(n=1), draft(n=2))
        waiting[0].cancel()
        slow.store.go.set()
        await asyncio.gather(first, waiting[1])
        await slow.append(draft(n=3))
        assert [entry.body["n"] for entry in slow.entries("r")] == [2, 3]

    async def test_who_stops_waiting_too_late_has_it_recorded_and_harms_nobody(self, slow):
        first, _ = await self.gathered(slow)
        first.cancel()
        slow.store.go.set()
        await slow.append(draft(n=1))
        assert len(slow.entries("first")) == 1


class TestClosed:
    async def test_what_was_handed_in_before_is_recorded(self, where):
        ledger = Ledger.open(where)
        last = [asyncio.ensure_future(ledger.append(draft(n=n))) for n in range(20)]
        await asyncio.sleep(0)
        await asyncio.to_thread(ledger.close)
        await asyncio.gather(*last)
        again = Ledger.open(where)
        assert len(again.entries("r")) == 20
        again.close()

    async def test_afterwards_it_says_so(self, where):
        ledger = Ledger.open(where)
        ledger.close()
        ledger.close()
        with pytest.raises(StorageError, match="closed"):
            await ledger.append(draft())
        with pytest.raises(StorageError, match="closed"):
            ledger.append_now(draft())


class TestNews:
    async def test_it_tells_when_another_one_has_written(self, ledger, where):
        other = Ledger.open(where)
        changes = ledger.changes(0.01)
        await anext(changes)
        news = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0.1)
        assert not news.done()
        await other.append(draft())
        await asyncio.wait_for(news, 5)
        other.close()


class TestSqlite:
    def test_a_commit_survives_a_power_cut(self, tmp_path):
        store = SqliteStore(tmp_path / "ledger.db")
        assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)
        assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        store.close()

    async def test_a_full_disk_records_nothing_says_what_to_do_and_goes_on_when_there_is_space(self, tmp_path):
        ledger = Ledger.open(tmp_path / "ledger.db")
        await ledger.append(draft(n=1))
        pages = ledger.store._writer.execute("PRAGMA page_count").fetchone()[0]
        ledger.store._writer.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StorageError, match="full") as error:
            await ledger.append(draft(n="x" * 100_000))
        assert "Free some disk space" in error.value.hint
        ledger.store._writer.execute("PRAGMA max_page_count=100000")
        await ledger.append(draft(n=2))
        assert [entry.body["n"] for entry in ledger.entries("r")] == [1, 2]
        assert broken_links("r", ledger.entries("r")) == []
        ledger.close()

    def test_a_file_that_is_no_ledger_is_not_touched(self, tmp_path):
        (tmp_path / "ledger.db").write_text("precious " * 1000)
        with pytest.raises(StorageError, match=r"ledger\.db cannot be used"):
            Ledger.open(tmp_path / "ledger.db")
        assert (tmp_path / "ledger.db").read_text().startswith("precious")

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(StorageError):
            Ledger.open(tmp_path / "file" / "ledger.db")


@pytest.mark.peer
class TestPostgres:
    @pytest.fixture(params=["postgres"])
    def where(self, request, tmp_path):
        return request.getfixturevalue("postgres").url

    async def test_a_lost_connection_is_opened_anew(self, ledger, where):
        await ledger.append(draft("lost", n=1))
        with psycopg.connect(where, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        await ledger.append(draft("lost", n=2))
        assert [entry.body["n"] for entry in ledger.entries("lost")] == [1, 2]

    async def test_a_connection_that_breaks_after_the_commit_does_not_make_it_twice(self, ledger):
        store = ledger.store
        insert, broke = store._insert, []

        def breaking(connection, entries):
            insert(connection, entries)
            if not broke:
                broke.append(connection.commit)
                # The commit arrives; its answer does not.
                connection.execute("COMMIT")
                connection.close()
                raise psycopg.OperationalError("the connection was lost")

        store._insert = breaking
        entries = await ledger.append(draft("twice", n=1), draft("twice", n=2))
        assert broke
        assert ledger.entries("twice") == entries
        assert len(entries) == 2

    def test_an_address_that_does_not_answer_is_named_without_its_password(self):
        with pytest.raises(StorageError) as error:
            Ledger.open("postgresql://me:geheim@127.0.0.1:1/none")
        assert "geheim" not in str(error.value)
