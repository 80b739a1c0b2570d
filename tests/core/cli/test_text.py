"""Text from outside cannot act on the approver's terminal, nor show him something else than what is there."""

from __future__ import annotations

import io
import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from banksman._record import Placeholder, describe, pieces, placeholder
from banksman.auth import register
from banksman.cli.render.page import Page
from banksman.cli.render.text import name_of, prose, quoted, shown, visible

NONCE = "0123456789abcdef"
NEW = placeholder(NONCE, "make[a]", "id")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[2J\x1b[1;1HApproved", "\\x1b[2J\\x1b[1;1HApproved"),
        ("one\rtwo\x08\x7f", "one\\rtwo\\x08\\x7f"),
        ("\x9b31mred", "\\x9b31mred"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("soft\u00adhyphen", "soft\\xadhyphen"),
        ("no\u00a0break", "no\\xa0break"),
        ("line\u2028end", "line\\u2028end"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("hangul\u3164filler", "hangul\\u3164filler"),
        ("variation\ufe0f", "variation\\ufe0f"),
        ("lone\ud800surrogate", "lone\\ud800surrogate"),
        ("[bold red]markup[/]", "[bold red]markup[/]"),
        ("Grüße, 東京 и мир", "Grüße, 東京 и мир"),
    ],
)
def test_what_cannot_be_seen_or_acts_on_the_terminal_is_written_out(text: str, seen: str) -> None:
    assert visible(text) == seen


def test_marks_cannot_be_piled_up_to_paint_over_the_lines_around() -> None:
    assert visible("e\u0301") == "e\u0301"
    assert "\\u0301" in visible("e" + "\u0301" * 20)
    assert visible("\u0301first") == "\\u0301first"


def test_a_text_that_looks_like_an_escape_differs_from_the_escape() -> None:
    assert visible("\\x1b") != visible("\x1b")
    assert shown("\\n").plain == '"\\\\n"'
    assert shown("\n").plain == '"\\n"'


def test_a_text_cannot_end_its_own_quotation() -> None:
    assert shown('a", "b').plain == '"a\\", \\"b"'


def test_a_placeholder_stands_outside_of_the_quotation_marks() -> None:
    assert shown(NEW, NONCE).plain == "(known after make[a]: id)"
    assert shown(f"note {NEW} is new", NONCE).plain == '"note "(known after make[a]: id)" is new"'


def test_a_text_cannot_pretend_to_be_a_value_that_is_known_later() -> None:
    forged = describe(NEW, NONCE)
    assert shown(forged, NONCE).plain == '"(known after make[a]: id)"'
    assert prose(forged, NONCE).plain == "\\(known after make[a]: id)"
    assert prose(NEW, NONCE).plain == "(known after make[a]: id)"


def test_a_placeholder_of_another_preview_is_just_text() -> None:
    forged = placeholder("f" * 16, "make[a]", "id")
    assert shown(forged, NONCE).plain == f'"{forged}"'


def test_a_text_is_cut_at_its_placeholders_plain_and_percent_encoded() -> None:
    encoded = "/notes/%E2%9F%A60123456789abcdef%3Amake%3Aid%E2%9F%A7/text"
    cut = pieces(f"a{NEW}b", NONCE)
    assert cut == ["a", NEW, "b"]
    assert [isinstance(piece, Placeholder) for piece in cut] == [False, True, False]
    assert pieces(encoded, NONCE) == ["/notes/", placeholder(NONCE, "make", "id"), "/text"]
    assert pieces("", NONCE) == []


def test_values_are_shown_as_json_would_have_them() -> None:
    value = {"b": [1, True, None], "c d": Decimal("1.50"), "e": b"\x00\x01"}
    assert shown(value).plain == '{b: [1, true, null], "c d": 1.50, e: <2 bytes: 0001>}'


def test_names_that_are_no_words_are_quoted() -> None:
    assert name_of("deliveryDate").plain == "deliveryDate"
    assert name_of("a.b").plain == '"a.b"'
    assert name_of("\u0430").plain == '"\u0430"'
    assert name_of("").plain == '""'


def test_a_secret_that_this_process_knows_is_not_shown() -> None:
    register("hunter2-hunter2")
    assert "hunter2" not in visible("password: hunter2-hunter2")
    assert "hunter2" not in quoted("hunter2-hunter2").plain


@given(st.text(max_size=200))
def test_whatever_is_shown_is_printable_and_fits(text: str) -> None:
    console = Console(file=io.StringIO(), width=40, force_terminal=False, highlight=False)
    page = Page(console)
    page.add("key: ", prose(text), indent=4)
    page.add("value: ", shown(text), indent=4)
    page.behind("| ", prose(text), indent=4)
    for line in page.lines:
        assert line.cell_len <= 40
        assert line.plain.startswith("    ")
        assert all(letter.isprintable() or letter == "\u3000" for letter in line.plain)
        assert not any(unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") for letter in line.plain)


@given(st.text(max_size=120))
def test_nothing_of_a_text_is_left_out_where_it_is_broken(text: str) -> None:
    page = Page(Console(file=io.StringIO(), width=30))
    page.behind("| ", Text(visible(text)))
    assert "".join(line.plain[2:] for line in page.lines) == visible(text)
