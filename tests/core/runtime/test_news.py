"""Who waits for a run hears of it at once from its own process, and soon from any other."""

from __future__ import annotations

import asyncio

import pytest

from banksman.ledger import Draft, Ledger
from banksman.runtime import News


@pytest.fixture
async def ledger(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.db")
    yield ledger
    ledger.close()


async def test_what_this_process_writes_is_told_at_once_to_those_who_wait_for_that_run(ledger):
    news = News(ledger, interval=60)
    first = news.next("a")
    await asyncio.wait_for(first, 5)  # the first look finds that there is a ledger
    mine, others, anyone = news.next("a"), news.next("b"), news.next()
    news.tell("a")
    assert (mine.done(), others.done(), anyone.done()) == (True, False, True)
    await news.close()


async def test_what_another_process_writes_is_found_soon(ledger, tmp_path):
    news = News(ledger, interval=0.01)
    await asyncio.wait_for(news.next("a"), 5)
    waiting = news.next("a")
    await asyncio.sleep(0.1)
    assert not waiting.done()
    other = Ledger.open(tmp_path / "ledger.db")
    await other.append(Draft("a", "approval.given", "", {}))
    await asyncio.wait_for(waiting, 5)
    other.close()
    await news.close()


async def test_who_stopped_waiting_is_forgotten(ledger):
    news = News(ledger)
    for _ in range(5):
        news.next("a").cancel()
    await asyncio.sleep(0.05)
    assert not news._waiters
    await news.close()
