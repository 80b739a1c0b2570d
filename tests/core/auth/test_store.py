from __future__ import annotations

from banksman.auth import MemoryTokenStore, TokenStore, Vault


def test_memory_keeps_copies_and_shows_nothing() -> None:
    store = MemoryTokenStore()
    assert store.get("erp:prod") is None
    record = {"access_token": "hunter22"}
    store.put("erp:prod", record)
    record["access_token"] = "changed"
    assert store.get("erp:prod") == {"access_token": "hunter22"}
    assert "hunter22" not in repr(store)


def test_both_stores_fit_the_protocol() -> None:
    assert isinstance(MemoryTokenStore(), TokenStore)
    assert issubclass(Vault, TokenStore)
