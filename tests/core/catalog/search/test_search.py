"""What search finds, what it leaves out, and that no text of a request can break it."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banksman.catalog.search import Hit, Search, SearchDocument, _rank, build, count_tokens, render
from banksman.errors import ConfigError

ACTIONS = [
    SearchDocument("github.issues.create", "github", "issues/create", "Create an issue.", effect="write",
                   arguments=(("title", ""), ("body", "")), capability="ticket.create"),
    SearchDocument("github.pulls.list", "github", "listPullRequests", "List pull requests.", effect="read"),
    SearchDocument("slack.messages.post", "slack", "chat.postMessage", "Post a message to a channel.", effect="send",
                   arguments=(("channel", ""), ("text", "")), capability="message.send"),
    SearchDocument("slack.channels.list", "slack", "conversations.list", "List channels.", effect="read"),
    SearchDocument("jira.issue.create", "jira", "createIssue", "Create an issue in a project.", effect="write",
                   capability="ticket.create"),
    SearchDocument("carrier.shipments.track", "carrier", "track_shipment", "Where a parcel is.", effect="read",
                   arguments=(("tracking_number", ""),)),
    SearchDocument("weather.forecast.get", "weather", "getWeatherForecast", "Weather of a city.", effect="read",
                   arguments=(("city", ""), ("date", ""))),
    SearchDocument("hr.employees.delete", "hr", "DeleteEmployee", "Delete an employee.", effect="destroy"),
    SearchDocument("hub.security.scan", "securityhub", "BatchScanFindings", "Scan findings.", effect="read"),
]  # fmt: skip


def catalog_of(folder: Path, actions: list[SearchDocument]) -> Path:
    path = folder / "catalog?.db"
    build(path, actions)
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Filler, so that words have frequencies, and words of the actions stand in enough of them to be typo targets.
    filler = [
        SearchDocument(f"filler.{verb}{noun}{number}", "filler", f"{verb}{noun}{number}", f"{verb} the {noun}")
        for number in range(4)
        for verb in ("get", "update", "forecast")
        for noun in ("Shipment", "Message", "Invoice", "Weather", "Employee")
    ]
    return catalog_of(tmp_path_factory.mktemp("search"), [*ACTIONS, *filler])


@pytest.fixture(scope="module")
def search(path: Path) -> Iterator[Search]:
    with Search(path) as search:
        yield search


def ids(hits: list[Hit]) -> list[str]:
    return [hit.id for hit in hits]


@pytest.mark.parametrize(
    ("request_text", "expected"),
    [
        ("list pull requests", "github.pulls.list"),
        ("listPullRequests", "github.pulls.list"),
        ("list_pull_requests", "github.pulls.list"),
        ("LIST PULL REQUESTS", "github.pulls.list"),
        ("security hub findings", "hub.security.scan"),
        ("SecurityHub", "hub.security.scan"),
    ],
)
def test_identifiers_and_words_find_each_other(search: Search, request_text: str, expected: str) -> None:
    assert ids(search.find(request_text))[0] == expected


@pytest.mark.parametrize(
    "typo", ["wether forecast of a city", "weathr forecast of a city", "waether forecast of a city"]
)
def test_a_typo_in_one_word_changes_nothing(search: Search, typo: str) -> None:
    assert ids(search.find(typo))[0] == "weather.forecast.get"


@pytest.mark.parametrize("typo", ["shipmnet", "shipmet", "shipmennt", "shipmemt"])
def test_a_word_that_stands_alone_is_found_with_a_typo(search: Search, typo: str) -> None:
    assert "carrier.shipments.track" in ids(search.find(typo, 30))


def test_other_words_of_the_same_meaning_find_an_action(search: Search) -> None:
    assert "carrier.shipments.track" in ids(search.find("trace my delivery", 5))
    assert "hr.employees.delete" in ids(search.find("remove a worker", 5))


def test_a_request_of_several_parts_finds_the_actions_of_each(search: Search) -> None:
    hits = search.find(
        "I'm planning my week. List the pull requests. Additionally, post a message to the channel, and get the "
        "weather forecast for the city.",
        6,
    )
    assert {"github.pulls.list", "slack.messages.post", "weather.forecast.get"} <= set(ids(hits))


def catalog_with(tmp_path: Path, *actions: SearchDocument) -> Search:
    other = SearchDocument("other", "", "getThing")
    return Search(catalog_of(tmp_path, [other, *actions]))


def test_a_name_written_as_one_word_finds_the_identifier(tmp_path: Path) -> None:
    with catalog_with(tmp_path, SearchDocument("named", "", "CodeArtifact")) as search:
        assert ids(search.find("codeartifact")) == ["named"]


def test_neighbours_are_looked_up_as_one_word_too(tmp_path: Path) -> None:
    with catalog_with(tmp_path, SearchDocument("one", "", "codeartifact")) as search:
        assert ids(search.find("code artifact")) == ["one"]


def test_what_only_a_synonym_finds_has_the_word_as_its_reason(tmp_path: Path) -> None:
    with catalog_with(tmp_path, SearchDocument("film", "", "film")) as search:
        hits = search.find("movie")
        assert (ids(hits), hits[0].why) == (["film"], ("movi",))


def test_a_system_that_serves_the_other_parts_too_is_evidence() -> None:
    def seen(action: int, system: int, parts: list[float]) -> _rank.Seen:
        return _rank.Seen(action, system, sum(parts), parts, 0.0, 1.0, 0.0)

    found = [seen(0, 7, [1.0, 0.0]), seen(1, 7, [0.0, 1.0]), seen(2, 8, [1.0, 0.0]), seen(3, -1, [0.0, 1.0])]
    company = _rank.SIGNALS.index("company")
    ranked = _rank.rank(found, [1.0, 1.0], 3.0, [2.0, 2.0])
    assert [one.signals[company] for one in ranked] == [1.0, 1.0, 0.0, 0.0]


def test_a_hit_says_which_words_speak_for_it(search: Search) -> None:
    assert {"pull", "request"} <= set(search.find("list pull requests")[0].why)


@pytest.mark.parametrize(
    ("kind", "wanted"), [("systems", ["slack", "jira"]), ("effects", ["read"]), ("capabilities", ["ticket.create"])]
)
def test_a_filter_lets_nothing_else_through(search: Search, kind: str, wanted: list[str]) -> None:
    kinds = {"systems": "system", "effects": "effect", "capabilities": "capability"}
    known = {one.id: getattr(one, kinds[kind]) for one in ACTIONS}
    found = ids(search.find("create an issue, list the channels and post a message", 20, **{kind: wanted}))
    assert found
    assert all(known[one] in wanted for one in found)


def test_filters_hold_together(search: Search) -> None:
    found = search.find("create an issue and list pull requests", systems=["github"], effects=["write"])
    assert ids(found) == ["github.issues.create"]


def test_a_filter_finds_what_many_better_actions_of_other_systems_would_hide(tmp_path: Path) -> None:
    crowd = [SearchDocument(f"crowd.{number}", "crowd", "createTicket") for number in range(2_000)]
    wanted = SearchDocument("desk.create", "desk", "makeNewThing", "", "Among much other text it can create a ticket.")
    with Search(catalog_of(tmp_path, [*crowd, wanted])) as search:
        assert ids(search.find("create a ticket", systems=["desk"])) == ["desk.create"]


def test_no_filter_value_finds_nothing(search: Search) -> None:
    assert search.find("create an issue", systems=[]) == []
    assert search.find("create an issue", systems=["unknown"]) == []
    assert search.find("create an issue", 0) == []


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_never_more_than_the_limit_and_none_twice(search: Search, limit: int) -> None:
    found = ids(search.find("get, update or delete an employee, list the channels and the weather", limit))
    assert len(found) <= limit
    assert len(found) == len(set(found))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300) | st.text(alphabet="ab \"'*()^:-{}\\%_ANDORNEAR;\n.,", max_size=300))
def test_a_request_has_no_syntax(search: Search, request_text: str) -> None:
    for hit in search.find(request_text):
        assert hit.id


@pytest.mark.parametrize(
    "hostile",
    ['" OR 1=1 --', "name:* AND (", "'; DROP TABLE search_words; --", "NEAR(a b)", "\x00", "\ud800", "%", "?" * 50],
)
def test_hostile_text_is_only_words(search: Search, hostile: str) -> None:
    assert ids(search.find(f"list pull requests {hostile}"))[0] == "github.pulls.list"


def test_an_endless_request_is_cut(search: Search) -> None:
    assert ids(search.find("list pull requests. " + "a" * 1_000_000))[0] == "github.pulls.list"
    assert search.find("list pull requests, " * 100_000)


def test_the_same_documents_give_the_same_file_and_the_same_answer(tmp_path: Path) -> None:
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    build(first, ACTIONS)
    build(second, iter(ACTIONS))
    dumps = []
    for path in (first, second):
        connection = sqlite3.connect(path)
        dumps.append(list(connection.iterdump()))
        connection.close()
    assert dumps[0] == dumps[1]


def test_the_index_lives_in_the_callers_transaction(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "catalog.db")
    connection.execute("CREATE TABLE theirs (one TEXT)")
    assert build(connection, ACTIONS) == len(ACTIONS)
    assert build(connection, ACTIONS[:2]) == 2
    connection.commit()
    connection.close()
    with Search(tmp_path / "catalog.db") as search:
        assert len(search) == 2


def test_two_actions_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"github\.issues\.create"):
        build(tmp_path / "catalog.db", [ACTIONS[0], ACTIONS[0]])


def test_an_empty_catalog_finds_nothing(tmp_path: Path) -> None:
    build(tmp_path / "catalog.db", [])
    with Search(tmp_path / "catalog.db") as search:
        assert search.find("anything") == []


def test_what_is_no_index_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="catalog add"):
        Search(tmp_path / "missing.db")
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(ConfigError):
        Search(tmp_path / "empty.db")
    build(tmp_path / "old.db", ACTIONS)
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.execute("UPDATE search_meta SET value = '0' WHERE key = 'version'")
    connection.commit()
    connection.close()
    with pytest.raises(ConfigError, match="version"):
        Search(tmp_path / "old.db")


def search_in_process(path: str) -> list[str]:
    with Search(path) as search:
        return ids(search.find("list pull requests"))


def test_many_processes_read_one_file_at_once(path: Path) -> None:
    with Search(path) as here, multiprocessing.get_context("spawn").Pool(3) as pool:
        answers = pool.map(search_in_process, [str(path)] * 6)
        assert answers == [ids(here.find("list pull requests"))] * 6


def test_a_search_cannot_write(path: Path) -> None:
    with Search(path) as search, pytest.raises(sqlite3.OperationalError):
        search._connection.execute("DELETE FROM search_actions")


texts = st.text(max_size=60)


@settings(deadline=None)
@given(st.lists(st.tuples(texts, texts), max_size=8), st.integers(-5, 200))
def test_a_budget_is_never_exceeded(forms: list[tuple[str, str]], tokens: int) -> None:
    hits = [Hit(str(number), 1.0) for number in range(len(forms))]
    text, shown = render(hits, lambda hit: forms[int(hit.id)][0], lambda hit: forms[int(hit.id)][1], tokens)
    assert count_tokens(text) <= max(0, tokens)
    assert shown == [hit.id for hit in hits][: len(shown)]


def test_all_are_shown_lean_before_one_is_shown_in_full() -> None:
    hits = [Hit("first", 2.0), Hit("second", 1.0)]
    lean, full = "short", "a much longer text with all there is to say"
    need = 2 * count_tokens(lean) + 1
    assert render(hits, lambda _: lean, lambda _: full, need) == ("short\nshort", ["first", "second"])
    more = need + count_tokens(full)
    assert render(hits, lambda _: lean, lambda _: full, more)[0] == f"{full}\nshort"


def test_tokens_are_estimated_from_above() -> None:
    # What the tokenizers in use say: 9, 13 to 14, 6 to 8.
    assert count_tokens("List the pull requests of one repository.") >= 9
    assert count_tokens('{"type": "string", "maxLength": 40}') >= 14
    assert count_tokens("2026-11-25T01:02") >= 8
