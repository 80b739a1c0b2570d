"""What is judged is what is sent, and a parameter is never part of it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import sqlglot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banksman.errors import BanksmanError, Rejected
from banksman_connectors.sql.lexing import Named, lex, quoted, rendered
from banksman_connectors.sql.parsing import parse_query, parse_write
from banksman_connectors.sql.settings import Dialect

from .shop import Clerk

DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgres")

# Texts that end a quote, a comment or a statement, besides any others.
hostile = st.sampled_from(
    [
        "'",
        "''",
        '"',
        "`",
        "]",
        ";",
        "--",
        "/*",
        "*/",
        "\\",
        "\\'",
        "$$",
        "$x$",
        ":id",
        "%s",
        "%(a)s",
        "?",
        "$1",
        "{{",
        "\x00",
        "'; DROP TABLE orders; --",
        "' OR '1'='1",
        "x') RETURNING (1",
        "⟦",
        "\u2028",
        "\ud7ff",
        "E'",
        "U&'",
    ]
)
texts = st.lists(hostile | st.text(max_size=5), max_size=4).map("".join)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False) | texts
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts)
async def test_a_text_goes_in_and_comes_out_as_it_is(clerk: Clerk, text: str) -> None:
    """Whatever it holds, it is one value of one row, and everything else stays."""
    others = "SELECT count(*) AS n FROM orders WHERE note IS NULL"
    before = await clerk.rows(others)
    if "\x00" in text and clerk.shop.dialect == "postgres":
        with pytest.raises(Rejected, match="NUL"):
            await clerk.execute("UPDATE orders SET note = :t WHERE id = 11", t=text)
        return
    prepared = await clerk.execute("UPDATE orders SET note = :t WHERE id = 11", t=text)
    assert list(prepared.before["rows"]) == ["id=11"]
    await prepared.send()
    assert await clerk.rows("SELECT id FROM orders WHERE note = :t", t=text) == [{"id": 11}]
    assert await clerk.rows(others) == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=scalars)
async def test_a_parameter_never_changes_what_a_statement_is(clerk: Clerk, value: Any) -> None:
    """The text that is approved is the same for every value, and only the one value tells two statements apart."""
    statement = "DELETE FROM journal WHERE line = :v OR (:v IS NULL AND FALSE)"
    if clerk.shop.dialect == "postgres":
        statement = "DELETE FROM journal WHERE line = :v::text"
    try:
        prepared = await clerk.execute(statement, v=value)
    except Rejected:
        assert isinstance(value, str)
        assert "\x00" in value
        return
    (request,) = prepared.change.requests
    assert request.canonical()["statement"] == statement
    assert request.canonical()["parameters"] == {"v": value}
    assert prepared.change.result["count"] == 0


@pytest.mark.parametrize("dialect", DIALECTS)
@given(literal=texts)
def test_a_text_within_a_statement_stays_one_text(dialect: Dialect, literal: str) -> None:
    """A text that is written out properly is one token, whatever it looks like."""
    if "\x00" in literal:
        return
    escaped = literal.replace("'", "''")
    lexed = lex(f"SELECT '{escaped}' AS a", dialect)
    assert [token.text for token in lexed.tokens] == ["SELECT", literal, "AS", "a"]
    assert rendered(lexed.text()) == f"SELECT '{escaped}' AS a"


@pytest.mark.parametrize("dialect", DIALECTS)
@given(name=texts.filter(lambda text: text and "\x00" not in text))
def test_a_quoted_name_stays_one_name(dialect: Dialect, name: str) -> None:
    lexed = lex(f"SELECT {quoted(name, dialect)} FROM t", dialect)
    assert [token.text for token in lexed.tokens] == ["SELECT", name, "FROM", "t"]


fragments = st.lists(
    st.sampled_from(
        [
            "SELECT",
            "DELETE FROM",
            "UPDATE",
            "orders",
            "SET",
            "WHERE",
            "id",
            "= 1",
            ";",
            "--",
            "\n",
            "/*",
            "*/",
            "'",
            '"',
            "$$",
            ":p",
            "(",
            ")",
            "WITH x AS",
            "RETURNING *",
            "INTO",
            "FOR UPDATE",
            "1",
            ",",
            "*",
            "DROP TABLE",
            "E'\\'",
            " ",
        ]
    ),
    max_size=14,
).map(" ".join)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=400, deadline=None)
@given(statement=fragments)
def test_what_passes_as_a_query_reads_the_same_again_and_only_reads(dialect: Dialect, statement: str) -> None:
    try:
        query = parse_query(statement, dialect, production=False)
    except BanksmanError:
        return
    sent = rendered(query.text)
    assert "--" not in _outside_of_texts(sent, dialect)
    assert "/*" not in _outside_of_texts(sent, dialect)
    assert parse_query(sent, dialect, production=False).text == query.text
    (tree,) = sqlglot.parse(sent.removeprefix("EXPLAIN "), dialect=dialect)
    assert tree is not None
    changing = (sqlglot.exp.Insert, sqlglot.exp.Update, sqlglot.exp.Delete, sqlglot.exp.Drop, sqlglot.exp.Into)
    assert not list(tree.find_all(*changing))


def _outside_of_texts(sent: str, dialect: Dialect) -> str:
    tokens = sqlglot.tokenize(sent.removeprefix("EXPLAIN "), read=dialect)
    return " ".join(
        token.text
        for token in tokens
        if "STRING" not in token.token_type.name and token.token_type.name != "IDENTIFIER"
    )


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("statement", "sent"),
    [
        ("SELECT 1 -- one", "SELECT 1"),
        ("SELECT/**/1", "SELECT 1"),
        ("SELECT 1;;", "SELECT 1"),
        ("SELECT a -/* x */- 1", "SELECT a - - 1"),
        ("SELECT 'a' /* ' */ , 'b'", "SELECT 'a' , 'b'"),
        ("SELECT\n\t:x,  :y", "SELECT :x, :y"),
        ("SELECT \"A b\" FROM t WHERE a<>b AND c||'--'", "SELECT \"A b\" FROM t WHERE a<>b AND c||'--'"),
    ],
)
def test_what_is_sent_is_put_together_from_what_was_read(dialect: Dialect, statement: str, sent: str) -> None:
    assert rendered(parse_query(statement, dialect, production=False).text) == sent


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "text", ["(" * 5000 + "1" + ")" * 5000, "NOT " * 5000 + "1", "1 + " * 5000 + "1", "- " * 5000 + "1"]
)
def test_a_statement_that_is_nested_without_end_is_read_or_refused(dialect: Dialect, text: str) -> None:
    for judge, statement in ((parse_query, f"SELECT {text}"), (parse_write, f"DELETE FROM t WHERE a = {text}")):
        with contextlib.suppress(Rejected):
            judge(statement, dialect, production=True)


def test_a_returning_of_the_statement_is_left_out() -> None:
    for dialect in DIALECTS:
        write = parse_write("DELETE FROM t WHERE a = 'RETURNING' RETURNING id, (SELECT 1)", dialect, production=False)
        assert rendered(write.text) == "DELETE FROM t WHERE a = 'RETURNING'"


def test_the_functions_of_a_statement_are_found_whatever_they_are_called() -> None:
    called = lex('SELECT a.F(1), "G"(2), h ( 3 ), "pg_sleep" (4)', "postgres").called
    assert called >= {"f", "G", "h", "pg_sleep"}


def test_parameters_have_names_of_their_own() -> None:
    lexed = lex("SELECT :a, x::int, ':b', :c_1", "postgres")
    assert [piece.name for piece in lexed.text() if isinstance(piece, Named)] == ["a", "c_1"]
