"""References: what they read, what they give, and what is said when they cannot."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banksman.plan import BadReference, compile_expression, escape, expressions, resolve, true

SCOPE = {
    "late": {"rows": [{"id": "a", "days": 3, "net": Decimal("1.50")}, {"id": "b", "days": 1, "net": Decimal("2.25")}]},
    "each": {"eta": "2026-02-27"},
    "inputs": {"n": 2},
}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${late.rows[].id}", ["a", "b"]),
        ("${late.rows[?days > `2`].id | [0]}", "a"),
        ("${late.rows[?net > `2`].id}", ["b"]),
        ("${sum(late.rows[].net)}", Decimal("3.75")),
        ("${sort_by(late.rows, &net)[].id}", ["a", "b"]),
        ("${add_days(each.eta, inputs.n)}", "2026-03-01"),
        ("${days_between(each.eta, '2026-03-01')}", 2),
        ("${unique(late.rows[].days)}", [3, 1]),
        ("${{first: late.rows[0].id, brace: '}'}}", {"first": "a", "brace": "}"}),
        ("n=${length(late.rows)}, $${literal}, ${late.rows[0].net}", "n=2, ${literal}, 1.50"),
        ("${late.rows[9].id}", None),
        ("none: ${late.rows[9].id}.", "none: ."),
        ({"a": ["${inputs.n}", 1]}, {"a": [2, 1]}),
        ("plain", "plain"),
    ],
)
def test_a_template_becomes_its_value(template, value):
    assert resolve(template, SCOPE) == value


@pytest.mark.parametrize(
    ("text", "roots"),
    [
        ("late.rows[?status == 'x'].id", {"late"}),
        ("contains(orders[?status=='open'].id, each.order)", {"orders", "each"}),
        ("map(&join('', [id, name]), move)", {"move"}),
        ("a || b.c", {"a", "b"}),
        ("{x: a.b, y: c}", {"a", "c"}),
        ("a | b", {"a"}),
        ("sort_by(a, &b)[0].c", {"a"}),
        ("`5`", set()),
    ],
)
def test_the_names_an_expression_reads_are_known(text, roots):
    assert compile_expression(text).roots == roots


@pytest.mark.parametrize("template", ["${@}", "${", "${a b}", "${}", "${length(inputs.n)}", "${nope(inputs)}"])
def test_a_bad_reference_is_a_clear_error(template):
    with pytest.raises(BadReference) as caught:
        resolve(template, SCOPE)
    assert str(caught.value)


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_an_escaped_literal_means_itself(value):
    assert resolve(escape(value), SCOPE) == value


@given(st.text(alphabet="${}'\"`\\ab.[]"))
def test_any_text_is_read_or_refused_cleanly(text):
    with contextlib.suppress(BadReference):
        list(expressions(text))


def test_zero_is_true_and_empty_is_false():
    assert true(0)
    assert true(Decimal(0))
    assert not any(true(value) for value in (None, False, "", [], {}))
