"""A stand-in has the shape of what it stands for, is the same each time, and cannot be computed back."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banksman.http.stand_ins import StandIns, is_open


def outline(text: str) -> str:
    return re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", re.sub(r"[0-9]", "0", text)))


ids = st.from_regex(r"[A-Z][A-Z0-9]{6,12}", fullmatch=True)
names = st.from_regex(r"[A-Z][a-z]{3,9} [A-Z][a-z]{3,9}", fullmatch=True)


@given(st.lists(ids | names | st.from_regex(r"[0-9]{8,12}", fullmatch=True), unique=True, max_size=20))
def test_different_texts_get_different_stand_ins_of_their_shape(texts: list[str]) -> None:
    stand_ins = StandIns()
    made = [stand_ins.of(text) for text in texts]
    assert len(set(made)) == len(texts)
    assert [outline(one) for one in made] == [outline(text) for text in texts]
    assert all(one != text for one, text in zip(made, texts, strict=True))
    assert [stand_ins.of(text) for text in texts] == made


def test_the_first_letter_of_an_id_stays_because_it_says_what_it_names() -> None:
    stand_ins = StandIns()
    assert [stand_ins.of(text)[0] for text in ("U02ABCDEF", "C02ABCDEF")] == ["U", "C"]
    assert stand_ins.of("Ulrich Meyer") == "Loremi Sumdb"


def test_an_address_becomes_one_that_nobody_has() -> None:
    stand_ins = StandIns()
    assert stand_ins.of("ann.smith@corp.com") == "user1@example.com"
    assert stand_ins.of("bob@corp.com") == "user2@example.com"
    assert stand_ins.of("https://corp.slack.com/archives/C02ABCDEF").startswith("https://host.example/")


def test_what_is_read_as_a_uuid_or_a_number_still_is() -> None:
    stand_ins = StandIns()
    uuid.UUID(stand_ins.of("9f86d081-884c-7d65-9a2f-eaa0c55ad015"))
    assert len(str(stand_ins.of("4500000017"))) == 10
    assert stand_ins.of("4500000017").isdecimal()


def test_stand_ins_are_numbered_so_that_nobody_can_try_texts_against_them() -> None:
    one, other = StandIns(), StandIns()
    assert one.of("4711471147") == other.of("0815081508"), "they depend on the order alone"


def test_more_texts_than_a_shape_has_room_for_are_told_apart_all_the_same() -> None:
    stand_ins = StandIns()
    made = [stand_ins.of(f"{a}{b}-") for a in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for b in "äöüßéèabcdefghijklmnopqrstuvwxyz"]
    assert len(set(made)) == len(made)


def test_a_text_without_letters_has_a_stand_in_too() -> None:
    stand_ins = StandIns()
    assert stand_ins.of("+-*/") != "+-*/"


def test_known_texts_are_replaced_where_they_are_words() -> None:
    stand_ins = StandIns()
    made = stand_ins.of("4500000017")
    assert stand_ins.within("/Orders('4500000017')/items") == f"/Orders('{made}')/items"
    assert stand_ins.within("/Orders(%274500000017%27)") == f"/Orders(%27{made}%27)"
    assert stand_ins.within("no 4500000017.") == f"no {made}."
    assert stand_ins.within("94500000017") == "94500000017"
    assert stand_ins.within("a45000000170") == "a45000000170"


def test_an_encoded_text_is_found_encoded() -> None:
    stand_ins = StandIns()
    made = stand_ins.of("Müller & Söhne")
    assert "M%C3%BCller" not in stand_ins.within("/x?name=M%C3%BCller%20%26%20S%C3%B6hne")
    assert stand_ins.within("name Müller & Söhne!") == f"name {made}!"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "17",
        "2026",
        "true",
        "NULL",
        "1767225600.000100",
        "-12.50",
        "2026-01-02",
        "2026-01-02T03:04:05.123Z",
        "2026-01-02 03:04",
        "03:04:05",
        "/Date(1767225600000+0060)/",
    ],
)
def test_short_numbers_dates_and_amounts_tell_nothing(text: str) -> None:
    assert is_open(text)


@pytest.mark.parametrize("text", ["Ann", "4500000017", "+49 170 1234567", "2026-01-02 Ann", "DE89370400440532013000"])
def test_names_and_numbers_of_things_do(text: str) -> None:
    assert not is_open(text)
