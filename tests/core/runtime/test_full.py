"""A disk without space: what cannot be recorded is not sent."""

from __future__ import annotations

import pytest

from banksman.errors import StorageError

from .toy import plan

LONG = "x" * 20_000


def fill(hub):
    """Let the ledger not grow any more."""
    with hub.ledger._writing:
        writer = hub.ledger.store._writer
        pages = writer.execute("PRAGMA page_count").fetchone()[0]
        writer.execute(f"PRAGMA max_page_count={pages}")


def free(hub):
    with hub.ledger._writing:
        hub.ledger.store._writer.execute("PRAGMA max_page_count=1000000")


@pytest.mark.parametrize("durable", [False, True], ids=["local", "dbos"])
@pytest.mark.parametrize("full_at", ["call.intended", "call.confirmed"])
async def test_nothing_is_sent_that_is_not_on_record_and_the_run_goes_on_once_there_is_space(desk, full_at, durable):
    many = plan(
        **{
            f"s{n}": {
                "action": "create",
                "with": {"text": f"{n} {LONG}"},
                "after": [f"s{n - 1}"] if n else [],
            }
            for n in range(4)
        }
    )
    async with desk.hub(durable=durable) as hub:
        run = await hub.create(many)

        def watch(state, entry):
            if (entry.kind, entry.call) == (full_at, "s1"):
                fill(hub)

        desk.watch = watch
        with pytest.raises(StorageError, match="full") as error:
            await hub.carry_out(run)
        assert "resume the run" in error.value.hint
        # What had been intended was sent, though its outcome could not be recorded any more; nothing else was.
        sent = [f"s{one[2].split()[0]}" for one in desk.board.done]
        assert sent == [entry.call for entry in hub.ledger.entries(run) if entry.kind == "call.intended"]
        assert "s1" in sent
        assert "s3" not in sent

        free(hub)
        state = await hub.resume(run)
        assert state.status == "done", state.why
    assert [one[2].split()[0] for one in desk.board.done] == ["0", "1", "2", "3"]
