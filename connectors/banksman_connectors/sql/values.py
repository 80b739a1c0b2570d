"""Values between the plan and the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from banksman._canonical import exact
from banksman.errors import Rejected


def json_text(value: Any) -> str:
    """A plain value as JSON, decimals as numbers with all their digits.

    Raises:
        Rejected: it holds what JSON does not have.
    """
    try:
        return "".join(_pieces(value))
    except (TypeError, ValueError) as error:
        raise Rejected(f"the value has no JSON form: {error}") from None


def _pieces(value: Any) -> list[str]:
    if isinstance(value, Decimal):
        return [exact(value)]
    if isinstance(value, Mapping):
        inner = [[json.dumps(str(name)), ": ", *_pieces(item)] for name, item in value.items()]
        return ["{", *_joined(inner), "}"]
    if isinstance(value, list | tuple):
        return ["[", *_joined([_pieces(item) for item in value]), "]"]
    return [json.dumps(value, allow_nan=False, ensure_ascii=False)]


def _joined(parts: list[list[str]]) -> list[str]:
    out: list[str] = []
    for number, part in enumerate(parts):
        out += [", "] * bool(number) + part
    return out
