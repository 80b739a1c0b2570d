"""Locks die with their process, and with nothing else."""

from __future__ import annotations

import os

import psycopg
import pytest

from banksman.errors import StorageError
from banksman.runtime import FileLocks, locks_for
from banksman.runtime._locks import held, take_slot

from .processes import child


@pytest.fixture
def where(tmp_path, database):
    return database or tmp_path / "ledger.db"


@pytest.fixture
def locks(where):
    locks = locks_for(where)
    yield locks
    locks.close()


def test_a_lock_is_had_once(locks, where):
    other = locks_for(where)
    assert locks.take("run-a")
    assert not locks.take("run-a")
    assert not other.take("run-a")
    assert other.take("run-b")
    locks.release("run-a")
    assert other.take("run-a")
    other.close()


def test_closing_lets_go_of_all(locks, where):
    other = locks_for(where)
    assert other.take("run-a")
    other.close()
    assert locks.take("run-a")


def test_a_lock_of_a_process_that_was_killed_is_free(locks, where):
    with child("lock", where, "run-a") as process:
        assert process.line() == "held"
        assert not locks.take("run-a")
        process.kill()
        for _ in range(100):
            if taken := locks.take("run-a"):
                break
        assert taken


def test_each_living_process_has_a_slot_of_its_own_and_a_new_one_gets_that_of_a_dead_one(locks, where):
    assert take_slot(locks) == "executor-0"
    with child("slot", where) as first, child("slot", where) as second:
        assert {first.line(), second.line()} == {"executor-1", "executor-2"}
        first.kill()
        second_again = take_slot(locks, most=1024)
        assert second_again in ("executor-1", "executor-2")


def test_when_all_slots_are_taken_it_says_so(locks):
    take_slot(locks, most=1)
    with pytest.raises(StorageError, match="all 1 executor slots are taken"):
        take_slot(locks, most=1)


def test_a_block_holds_its_lock_until_its_end(locks, where):
    other = locks_for(where)
    with held(locks, "x") as mine, held(other, "x") as theirs:
        assert (mine, theirs) == (True, False)
    assert other.take("x")
    other.close()


def test_lock_files_do_not_pile_up(tmp_path):
    locks = FileLocks(tmp_path / "locks")
    for number in range(5):
        locks.take(f"run-{number}")
        locks.release(f"run-{number}")
    assert list((tmp_path / "locks").iterdir()) == []


def test_a_lock_whose_file_somebody_deleted_does_not_take_the_next_one_with_it(tmp_path):
    first, second = FileLocks(tmp_path / "locks"), FileLocks(tmp_path / "locks")
    assert first.take("a")
    (tmp_path / "locks" / "a.lock").unlink()
    assert second.take("a")
    first.release("a")
    assert not FileLocks(tmp_path / "locks").take("a")


def test_a_fork_does_not_hold_on_to_a_lock(tmp_path):
    locks = FileLocks(tmp_path / "locks")
    assert locks.take("a")
    hold, held_open = os.pipe()
    up, say = os.pipe()
    if (child := os.fork()) == 0:
        os.close(held_open)
        os.write(say, b"x")
        os.read(hold, 1)
        os._exit(0)
    try:
        os.read(up, 1)
        # As its end would, without deleting the file.
        os.close(locks._held.pop("a"))
        assert FileLocks(tmp_path / "locks").take("a")
    finally:
        for end in (held_open, hold, up, say):
            os.close(end)
        os.waitpid(child, 0)


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "locks").write_text("")
    with pytest.raises(StorageError, match="locks"):
        FileLocks(tmp_path / "locks")


@pytest.mark.peer
def test_a_session_that_is_lost_is_noticed(postgres):
    locks = locks_for(postgres.url)
    assert locks.take("run-a")
    locks.check()
    with psycopg.connect(postgres.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(StorageError, match="is lost"):
        locks.check()
    with pytest.raises(StorageError, match="is lost"):
        locks.take("run-b")
    locks.close()
