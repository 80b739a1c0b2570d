"""The fold: what entries mean, whoever wrote them and however late they come."""

from __future__ import annotations

import pytest

from banksman.ledger import Draft, chained, origin
from banksman.preview import Preview
from banksman.runtime import fold
from banksman.runtime._state import way_of

PLAN = {"name": "t", "steps": {}}


def preview(nonce="0" * 16, plan=PLAN):
    return Preview(
        run="r",
        nonce=nonce,
        stage=1,
        requester="me",
        expires="2030-01-01T00:00:00Z",
        versions={},
        plan=plan,
        inputs={},
        items={},
        alternatives={},
        reads={},
        rounds={},
        deferred={},
        failures={},
        failed=(),
    )


def state_of(*entries):
    """The state after `(kind, call, body)` entries, a plan created before them."""
    created = ("run.created", "", {"name": "t", "requester": "me", "plan": PLAN, "inputs": {}, "facts": {}})
    chain, previous = [], origin("r")
    for number, (kind, call, body) in enumerate((created, *entries), 1):
        entry = chained(Draft("r", kind, call, body), number, previous, f"2026-01-01T00:00:{number:02}Z")
        chain.append(entry)
        previous = entry.hash
    return fold("r", chain)


def shown(one):
    return ("run.previewed", "", {"preview": one.document(), "digest": one.digest})


def given(one):
    return ("approval.given", "", {"digest": one.digest, "by": "me", "how": "prompt"})


INTENDED = ("call.intended", "a", {"nonce": "0" * 16})
UNKNOWN = ("call.unknown", "a", {"error": "no answer", "clock": "here", "up": 17.5})
CONFIRMED = ("call.confirmed", "a", {"output": 1})
FAILED = ("call.failed", "a", {"error": "no"})
HANDED = ("call.handed_over", "a", {"why": "?"})
PAUSED = ("run.paused", "", {"why": "?"})
RESUMED = ("run.resumed", "", {"by": "me"})
OTHER = {"name": "t", "steps": {"z": {"action": "x.y"}}}


@pytest.mark.parametrize(
    ("entries", "status"),
    [
        ([INTENDED], "intended"),
        ([INTENDED, UNKNOWN], "unknown"),
        ([INTENDED, CONFIRMED], "confirmed"),
        ([INTENDED, FAILED], "failed"),
        ([INTENDED, ("call.failed", "a", {"error": "no", "again": True})], "absent"),
        ([INTENDED, UNKNOWN, ("call.absent", "a", {})], "absent"),
        ([INTENDED, UNKNOWN, HANDED], "handed_over"),
        ([INTENDED, UNKNOWN, HANDED, ("call.settled", "a", {"happened": True, "output": 3})], "confirmed"),
        ([INTENDED, UNKNOWN, HANDED, ("call.settled", "a", {"happened": False})], "absent"),
        ([INTENDED, UNKNOWN, ("call.settled", "a", {"happened": False})], "unknown"),
        ([INTENDED, CONFIRMED, ("call.settled", "a", {"happened": False})], "confirmed"),
    ],
)
def test_what_is_known_of_a_call(entries, status):
    assert state_of(*entries).calls["a"].status == status


def test_outputs_are_known_once_they_are_on_record():
    assert state_of(INTENDED).known == {}
    assert state_of(INTENDED, CONFIRMED, ("call.read", "b", {"output": 2})).known == {"a": 1, "b": 2}


def test_the_first_attempt_that_may_have_happened_is_remembered_over_later_ones():
    call = state_of(INTENDED, UNKNOWN, INTENDED).calls["a"]
    assert (call.first, call.since, call.quiet) == ("2026-01-01T00:00:02Z", "2026-01-01T00:00:04Z", {})
    call = state_of(INTENDED, UNKNOWN, ("call.absent", "a", {}), INTENDED, UNKNOWN).calls["a"]
    assert (call.first, call.quiet["up"]) == ("2026-01-01T00:00:05Z", 17.5)


def test_a_run_waits_then_is_approved_then_runs():
    one = preview()
    assert state_of(shown(one)).waits
    assert state_of(shown(one), given(one)).status == "approved"
    assert state_of(shown(one), given(one), ("stage.begun", "", {"digest": one.digest})).status == "running"


def test_an_approval_of_another_preview_changes_nothing():
    assert state_of(shown(preview()), given(preview("1" * 16))).waits


def test_a_preview_of_a_plan_that_was_replaced_meanwhile_is_not_what_the_run_waits_for():
    state = state_of(("run.replanned", "", {"plan": OTHER}), shown(preview()))
    assert (state.status, state.preview) == ("running", None)
    assert state_of(("run.replanned", "", {"plan": OTHER}), shown(preview(plan=OTHER))).waits


def test_a_plan_for_a_stage_that_is_under_way_comes_too_late():
    one = preview()
    begun = [shown(one), given(one), ("stage.begun", "", {"digest": one.digest})]
    assert state_of(*begun, ("run.replanned", "", {"plan": OTHER})).plan == PLAN
    assert state_of(*begun, PAUSED, ("run.replanned", "", {"plan": OTHER})).plan == OTHER


def test_a_stage_that_begins_after_the_plan_was_replaced_does_not_bring_the_old_one_back():
    one = preview()
    state = state_of(
        shown(one), given(one), ("run.replanned", "", {"plan": OTHER}), ("stage.begun", "", {"digest": one.digest})
    )
    assert (state.plan, state.preview) == (OTHER, None)


def test_a_resume_lets_what_came_to_nothing_be_tried_again_and_keeps_what_is_open_or_done():
    b, c = ("call.intended", "b", {}), [("call.intended", "c", {}), ("call.confirmed", "c", {"output": 1})]
    state = state_of(INTENDED, FAILED, b, *c, PAUSED, RESUMED)
    assert sorted(state.calls) == ["b", "c"]
    assert (state.status, state.resumes) == ("running", 1)


@pytest.mark.parametrize("kind", ["call.intended", "call.unknown", "call.handed_over", "call.confirmed"])
def test_a_failed_way_stays_failed_where_another_one_was_gone(kind):
    body = {"output": 1, "error": "?", "why": "?"}
    state = state_of(INTENDED, FAILED, ("call.intended", "a~1", {}), (kind, "a~1", body), PAUSED, RESUMED)
    assert sorted(state.calls) == ["a", "a~1"]


def test_a_second_resume_counts_no_more():
    assert state_of(PAUSED, RESUMED, RESUMED).resumes == 1


def test_the_first_undo_is_the_one():
    assert state_of(("run.undone", "", {"by": "x"}), ("run.undone", "", {"by": "y"})).undone == "x"


def test_entries_of_later_versions_are_kept_and_ignored():
    assert state_of(("run.blessed", "", {"by": "x"})).last == 2


@pytest.mark.parametrize(
    ("call", "way"),
    [("a", ("a", 0)), ("a~1", ("a", 1)), ("a[x]~12", ("a[x]", 12)), ("a[~]", ("a[~]", 0)), ("~1", ("~1", 0))],
)
def test_a_call_names_its_way(call, way):
    assert way_of(call) == way
