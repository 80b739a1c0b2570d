"""The primitive types of OData: what they are in arguments, answers, bodies and addresses.

In records and arguments every value is plain: texts, numbers, booleans, `Decimal`, and ISO 8601 for times, in UTC
where the type has an offset. V2 writes times as `/Date(milliseconds)/` and long numbers as texts; V4 writes ISO 8601.

https://docs.oasis-open.org/odata/odata-json-format/v4.01/odata-json-format-v4.01.html,
https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part2-url-conventions.html,
https://www.odata.org/documentation/odata-version-2-0/json-format/,
https://www.odata.org/documentation/odata-version-2-0/overview/ (literals)
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field, NaiveDatetime, StringConstraints

from banksman._canonical import Plain, plain
from banksman._record import Placeholder
from banksman_connectors.sap.edm import Property, Version

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_TICKS = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{1,4})?\)/")
_CLOCK = re.compile(r"PT(?:(\d{1,2})H)?(?:(\d{1,2})M)?(?:(\d{1,2})(?:\.(\d{1,12}))?S)?")
_DURATION = re.compile(r"-?P(?=.)(?:\d{1,9}D)?(?:T(?=.)(?:\d{1,9}H)?(?:\d{1,9}M)?(?:\d{1,9}(?:\.\d{1,12})?S)?)?")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
# Seven digits after the point are common; Python keeps six.
_FRACTION = re.compile(r"(\.\d{6})\d+")
_LONG = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Primitive:
    """One primitive type.

    Attributes:
        hint: the type of an argument, from the property.
        read: the plain value of what an answer or an argument holds; ValueError where it is no such value.
        v2, v4: how a literal of it looks in an address.
        to_v2: how it looks in a V2 body; in V4 it is the plain value.
        closed: whether no free text fits into it.
        example: a plain value, for people.
    """

    hint: Callable[[Property], Any]
    read: Callable[[Property, Any], Plain]
    v4: str = "{}"
    v2: str = "{}"
    to_v2: Callable[[Plain], Plain] = lambda value: value
    closed: bool = True
    example: Plain = None


def _string_hint(prop: Property) -> Any:
    return Annotated[str, StringConstraints(max_length=prop.max_length)] if prop.max_length else str


def _decimal_hint(prop: Property) -> Any:
    return Annotated[Decimal, Field(max_digits=prop.precision, decimal_places=prop.scale, allow_inf_nan=False)]


def _whole(bits: int, *, signed: bool = True) -> Callable[[Property], Any]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return lambda prop: Annotated[int, Field(ge=low, le=high)]


def _string(prop: Property, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("it is no text")
    return value


def _boolean(prop: Property, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it is no boolean")
    return value


def _integer(prop: Property, value: Any) -> int:
    number = _decimal(prop, value)
    if number != number.to_integral_value():
        raise ValueError("it is no whole number")
    return int(number)


def _decimal(prop: Property, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError("it is no number")
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise ValueError("it is no number") from None
    if not number.is_finite() or abs(number.adjusted()) > 400:
        raise ValueError("it is no finite number")
    if prop.type == "Edm.Decimal" and prop.scale is not None and number.adjusted() < 60:
        # One number has one text: 12.5 and 12.50 are the same amount.
        fixed = number.quantize(Decimal(1).scaleb(-prop.scale))
        return fixed if fixed == number else number
    return number


def _float(prop: Property, value: Any) -> float:
    return float(_decimal(prop, value))


def _guid(prop: Property, value: Any) -> str:
    return str(value if isinstance(value, UUID) else UUID(_string(prop, value)))


def _ticks(value: Any) -> datetime | None:
    match = _TICKS.fullmatch(value) if isinstance(value, str) else None
    try:
        return _EPOCH + timedelta(milliseconds=int(match[1])) if match else None
    except OverflowError:
        raise ValueError("it is no date of our calendar") from None


def _moment(prop: Property, value: Any) -> datetime:
    found = _ticks(value)
    if found is not None:
        return found
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    return datetime.fromisoformat(_FRACTION.sub(r"\1", _string(prop, value)))


def _date(prop: Property, value: Any) -> str:
    return _moment(prop, value).date().isoformat()


def _naive(prop: Property, value: Any) -> Plain:
    """A V2 `Edm.DateTime`: a day, or a time without an offset."""
    found = _moment(prop, value).replace(tzinfo=None)
    return found.date().isoformat() if prop.day else found.isoformat()


def _aware(prop: Property, value: Any) -> Plain:
    found = _moment(prop, value)
    if found.tzinfo is None:
        raise ValueError("it has no offset from UTC")
    try:
        return plain(found)
    except OverflowError:
        raise ValueError("it is no date of our calendar") from None


def _time(prop: Property, value: Any) -> str:
    if isinstance(value, time):
        return value.isoformat()
    match = _CLOCK.fullmatch(_string(prop, value))
    if match and value != "PT":
        hour, minute, second = (int(part or 0) for part in match.groups()[:3])
        return time(hour, minute, second, int((match[4] or "0").ljust(6, "0")[:6])).isoformat()
    return time.fromisoformat(_FRACTION.sub(r"\1", value)).isoformat()


def _pattern(form: re.Pattern[str]) -> Callable[[Property, Any], str]:
    def read(prop: Property, value: Any) -> str:
        if not form.fullmatch(_string(prop, value)):
            raise ValueError("it does not have the form of its type")
        return str(value)

    return read


def _to_ticks(value: Plain) -> str:
    moment = datetime.fromisoformat(value)
    offset = "" if moment.tzinfo is None else "+0000"
    since = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)) - _EPOCH
    return f"/Date({since // timedelta(milliseconds=1)}{offset})/"


def _to_clock(value: Plain) -> str:
    moment = time.fromisoformat(value)
    fraction = f".{moment.microsecond:06}" if moment.microsecond else ""
    return f"PT{moment.hour:02}H{moment.minute:02}M{moment.second:02}{fraction}S"


def _to_text(value: Plain) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _datetime_hint(prop: Property) -> Any:
    return date if prop.day else NaiveDatetime


PRIMITIVES: Mapping[str, Primitive] = {
    "Edm.String": Primitive(_string_hint, _string, "'{}'", "'{}'", closed=False),
    "Edm.Boolean": Primitive(lambda p: bool, _boolean, example=True),
    "Edm.Byte": Primitive(_whole(8, signed=False), _integer, example=1),
    "Edm.SByte": Primitive(_whole(8), _integer, example=1),
    "Edm.Int16": Primitive(_whole(16), _integer, example=10),
    "Edm.Int32": Primitive(_whole(32), _integer, example=10),
    "Edm.Int64": Primitive(_whole(64), _integer, v2="{}L", to_v2=_to_text, example=10),
    "Edm.Decimal": Primitive(_decimal_hint, _decimal, v2="{}M", to_v2=_to_text, example=Decimal("12.50")),
    "Edm.Double": Primitive(lambda p: float, _float, v2="{}d", to_v2=_to_text, example=1.5),
    "Edm.Single": Primitive(lambda p: float, _float, v2="{}f", to_v2=_to_text, example=1.5),
    "Edm.Guid": Primitive(lambda p: UUID, _guid, v2="guid'{}'", example="0b5f7d6c-9a3e-4a51-8d5b-1f1f0c7d2e11"),
    "Edm.Date": Primitive(lambda p: date, _date, example="2026-03-22"),
    "Edm.DateTime": Primitive(_datetime_hint, _naive, v2="datetime'{}'", to_v2=_to_ticks, example="2026-03-22"),
    "Edm.DateTimeOffset": Primitive(
        lambda p: AwareDatetime, _aware, v2="datetimeoffset'{}'", to_v2=_to_ticks, example="2026-03-22T08:15:00Z"
    ),
    "Edm.Time": Primitive(lambda p: time, _time, v2="time'{}'", to_v2=_to_clock, example="08:15:00"),
    "Edm.TimeOfDay": Primitive(lambda p: time, _time, example="08:15:00"),
    "Edm.Duration": Primitive(
        lambda p: Annotated[str, StringConstraints(pattern=rf"^{_DURATION.pattern}$", max_length=60)],
        _pattern(_DURATION),
        v4="duration'{}'",
        example="P2D",
    ),
    "Edm.Binary": Primitive(
        lambda p: Annotated[str, StringConstraints(pattern=rf"^{_BASE64.pattern}$")],
        _pattern(_BASE64),
        v4="binary'{}'",
        v2="X'{}'",
        closed=False,
        example="aGVsbG8=",
    ),
}


def read_value(prop: Property, value: Any) -> Plain:
    """The plain value of one primitive property; None and placeholders stay as they are.

    Raises:
        ValueError: it is no value of the property's type; says why and does not quote it.
    """
    if value is None or isinstance(value, Placeholder):
        return value
    try:
        found = PRIMITIVES[prop.type].read(prop, value)
    except ValueError as error:
        text = str(error)
        raise ValueError(text if text.startswith("it ") else f"it is no {prop.type}") from None
    if prop.allowed and found and found not in prop.allowed:
        raise ValueError(f"it is not one of {', '.join(prop.allowed)}")
    return found


def literal(prop: Property, value: Plain, version: Version) -> str:
    """A value as it stands in an address, before percent-encoding.

    A quote inside a text is doubled, so that no value can end its literal. Anything but text was read into its type
    before, and so has no quotes.
    """
    if value is None:
        return "null"
    kind = PRIMITIVES[prop.type]
    form = kind.v4 if version is Version.V4 else kind.v2
    if isinstance(value, Placeholder):
        return form.format(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if version is Version.V2 and prop.type == "Edm.DateTime" and prop.day:
        value = f"{value}T00:00:00"
    elif version is Version.V2 and prop.type == "Edm.Time":
        value = _to_clock(value)
    elif version is Version.V2 and prop.type == "Edm.Binary":
        value = urlsafe_b64decode(value.replace("+", "-").replace("/", "_")).hex()
    return form.format(_to_text(value).replace("'", "''"))


def to_json(prop: Property, value: Plain, version: Version, *, exact: bool = False) -> Plain:
    """A value as it stands in a body. `exact`: a V4 body that writes long numbers as texts."""
    if value is None or isinstance(value, Placeholder):
        return value
    if version is Version.V2:
        return PRIMITIVES[prop.type].to_v2(value)
    return _to_text(value) if exact and prop.type in ("Edm.Decimal", "Edm.Int64") else value


def needs_text(value: Plain) -> bool:
    """Whether a number loses digits in a system that reads JSON numbers as doubles."""
    if isinstance(value, Decimal):
        return len(value.as_tuple().digits) > 15
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LONG
