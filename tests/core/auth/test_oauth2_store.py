"""Refresh tokens: which one is used, and what outlives the process."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from banksman.auth import MemoryTokenStore, redact
from banksman.errors import ConfigError

from .conftest import API_URL, Clock, System, refreshing


def test_a_refresh_token_that_is_not_rotated_is_used_again(system: System, clock: Clock) -> None:
    with system.client(refreshing()) as client:
        for _ in range(3):
            assert client.get(API_URL).is_success
            clock.now += 4000
    assert [form["refresh_token"] for form in system.asked] == ["first-refresh-token"] * 3


def test_a_rotated_refresh_token_replaces_the_old_one(system: System, clock: Clock) -> None:
    system.rotating = True
    with system.client(refreshing()) as client:
        for _ in range(3):
            assert client.get(API_URL).is_success
            clock.now += 4000
    used = [form["refresh_token"] for form in system.asked]
    assert used == ["first-refresh-token", "refresh-1-token", "refresh-2-token"]


def test_a_server_that_rotates_now_and_then_gets_the_latest_one(system: System, clock: Clock) -> None:
    with system.client(refreshing()) as client:
        for rotating in (True, False, True, False):
            system.rotating = rotating
            assert client.get(API_URL).is_success
            clock.now += 4000
    used = [form["refresh_token"] for form in system.asked]
    assert used == ["first-refresh-token", "refresh-1-token", "refresh-1-token", "refresh-3-token"]


@pytest.mark.parametrize("in_loop", [False, True])
async def test_a_rotated_refresh_token_survives_the_process(system: System, clock: Clock, in_loop: bool) -> None:
    system.rotating = True
    store = MemoryTokenStore()
    for _ in range(3):
        auth = refreshing(store)
        assert (await system.get(auth, in_loop=in_loop)).is_success
        clock.now += 4000
    used = [form["refresh_token"] for form in system.asked]
    assert used == ["first-refresh-token", "refresh-1-token", "refresh-2-token"]


def test_a_stored_access_token_is_used_while_it_lasts(system: System) -> None:
    store = MemoryTokenStore()
    for _ in range(3):
        assert system.client(refreshing(store)).get(API_URL).is_success
    assert len(system.asked) == 1


def test_a_stored_access_token_that_is_refused_is_renewed(system: System) -> None:
    system.rotating = True
    store = MemoryTokenStore()
    assert system.client(refreshing(store)).get(API_URL).is_success
    system.good.clear()
    assert system.client(refreshing(store)).get(API_URL).is_success
    assert system.used == ["access-1-token", "access-1-token", "access-2-token"]


def test_two_processes_with_one_store_do_not_spend_each_others_token(system: System, clock: Clock) -> None:
    system.rotating = True
    store = MemoryTokenStore()
    one, two = system.client(refreshing(store)), system.client(refreshing(store))
    for client in (one, two, one, two):
        assert client.get(API_URL).is_success
        clock.now += 4000
    for client in (one, two):
        assert client.get(API_URL).is_success
    assert len(system.asked) == 5


def test_a_new_login_counts_more_than_what_an_old_one_left(system: System, clock: Clock) -> None:
    system.rotating = True
    store = MemoryTokenStore()
    assert system.client(refreshing(store)).get(API_URL).is_success
    system.refresh = "second-login-token"
    assert system.client(refreshing(store, "second-login-token")).get(API_URL).is_success
    assert [form["refresh_token"] for form in system.asked] == ["first-refresh-token", "second-login-token"]


class BrokenStore:
    """Fails to keep anything; the error quotes what it was given."""

    def get(self, key: str) -> Mapping[str, Any] | None:
        return None

    def put(self, key: str, record: Mapping[str, Any]) -> None:
        raise OSError(f"no space left for {dict(record)}")


def test_a_store_that_fails_costs_a_warning_and_not_the_token(
    system: System, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    system.rotating = True
    with system.client(refreshing(BrokenStore())) as client:
        for _ in range(2):
            assert client.get(API_URL).is_success
            clock.now += 4000
    assert [form["refresh_token"] for form in system.asked] == ["first-refresh-token", "refresh-1-token"]
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "erp:prod could not be saved" in warnings[0].getMessage()
    assert redact(caplog.text) == caplog.text
    assert "refresh-1-token" not in caplog.text


def test_while_the_store_lags_behind_memory_it_is_not_believed(system: System, clock: Clock) -> None:
    system.rotating = True

    class Flaky(MemoryTokenStore):
        full = False

        def put(self, key: str, record: Mapping[str, Any]) -> None:
            if self.full:
                raise OSError("no space left")
            super().put(key, record)

    store = Flaky()
    with system.client(refreshing(store)) as client:
        for full in (False, True, False, False):
            store.full = full
            assert client.get(API_URL).is_success
            clock.now += 4000
    used = [form["refresh_token"] for form in system.asked]
    assert used == ["first-refresh-token", "refresh-1-token", "refresh-2-token", "refresh-3-token"]
    assert (store.get("erp:prod") or {})["refresh_token"] == "refresh-4-token"


def test_a_store_that_cannot_be_read_stops_before_a_spent_token_is_sent(system: System) -> None:
    class Locked(MemoryTokenStore):
        def get(self, key: str) -> Mapping[str, Any] | None:
            raise ConfigError("the vault cannot be opened")

    with pytest.raises(ConfigError, match="vault"):
        system.client(refreshing(Locked())).get(API_URL)
    assert not system.asked


@pytest.mark.parametrize("record", [{}, {"access_token": 7}, {"lineage": "other"}])
def test_a_stored_record_that_makes_no_sense_is_passed_over(system: System, record: dict[str, Any]) -> None:
    store = MemoryTokenStore()
    assert system.client(refreshing(store)).get(API_URL).is_success
    lineage = (store.get("erp:prod") or {})["lineage"]
    store.put("erp:prod", {"lineage": lineage, **record})
    assert system.client(refreshing(store)).get(API_URL).is_success
    assert len(system.asked) == 2
