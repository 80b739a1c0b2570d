"""The difference between two images of a record: field by field, long texts by line, many rows with honest counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from rich.text import Text

from banksman._canonical import Plain
from banksman.cli.render.page import Page
from banksman.cli.render.text import name_of, prose, shown
from banksman.preview import ABSENT_FIELD, same

ADDED, GONE, CHANGED = "green", "red", "yellow"
_STYLES = {"+": ADDED, "-": GONE, "~": CHANGED}
#: Names longer than this do not push the values of their neighbours aside.
_WIDEST_NAME = 24
#: Lines of a text around a difference that are shown with it.
_CONTEXT = 2
#: Comparing lines takes the product of their numbers; a text from outside must not keep the approver waiting.
_MOST_COMPARED = 1_000_000

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Limits:
    """How much is shown before the rest is counted only.

    Attributes:
        records: of one write.
        fields: of one record.
        lines: of one text.
        marks: whether `+`, `-` and `~` say what becomes of a field; not where a record is only shown.
    """

    records: int = 5
    fields: int = 30
    lines: int = 24
    marks: bool = True


BRIEF = Limits()
ALL = Limits(10**9, 10**9, 10**9)
BARE = Limits(10**9, 10**9, 10**9, marks=False)


@dataclass(frozen=True)
class Leaf:
    """One field, with what it was and what it will be; `ABSENT_FIELD` on the side that does not have it."""

    path: Path
    before: Plain
    after: Plain

    @property
    def mark(self) -> str:
        """`+` where it comes, `-` where it goes, `~` where it changes."""
        return "+" if self.before is ABSENT_FIELD else "-" if self.after is ABSENT_FIELD else "~"


@dataclass(frozen=True)
class Fields:
    """The fields of a write that differ, by the record they belong to, and how many stay as they are."""

    groups: Sequence[tuple[Path, Sequence[Leaf]]]
    unchanged: int

    @property
    def count(self) -> int:
        """How many differ."""
        return sum(len(leaves) for _, leaves in self.groups)


def fields_of(
    before: Mapping[str, Plain] | None, after: Mapping[str, Plain] | None, *, in_order: bool = False
) -> Fields:
    """What differs between two images of a record; all of it where the record comes or goes.

    The ledger does not keep the order of fields, so they are shown by name; `in_order` leaves them as they are.
    """
    nothing = ABSENT_FIELD
    if not in_order:
        before, after = _by_name(before), _by_name(after)
    every = list(_leaves(nothing if before is None else before, nothing if after is None else after, ()))
    changed = [leaf for leaf in every if leaf.mark != "~" or not same(leaf.before, leaf.after)]
    groups = [(where, list(leaves)) for where, leaves in groupby(changed, key=lambda leaf: leaf.path[:-1])]
    return Fields(groups, len(every) - len(changed))


def _by_name(value: Plain) -> Plain:
    if isinstance(value, Mapping):
        return {name: _by_name(value[name]) for name in sorted(value)}
    return [_by_name(item) for item in value] if isinstance(value, list) else value


def _leaves(before: Plain, after: Plain, path: Path) -> Iterator[Leaf]:
    sides = [side for side in (before, after) if side is not ABSENT_FIELD]
    # A record's own images are objects even when they are empty; an empty one within is a value.
    if all(isinstance(side, Mapping) for side in sides) and (not path or any(sides)):
        names = dict.fromkeys([name for side in sides for name in side])
        for name in names:
            yield from _leaves(_get(before, name), _get(after, name), (*path, name))
    elif any(sides) and all(_is_rows(side) for side in sides):
        for index in range(max(len(side) for side in sides)):
            yield from _leaves(_at(before, index), _at(after, index), (*path, index))
    elif sides:
        yield Leaf(path, before, after)


def _get(side: Plain, name: str) -> Plain:
    return side.get(name, ABSENT_FIELD) if side is not ABSENT_FIELD else ABSENT_FIELD


def _at(side: Plain, index: int) -> Plain:
    return side[index] if side is not ABSENT_FIELD and index < len(side) else ABSENT_FIELD


def _is_rows(value: Plain) -> bool:
    """A list of objects is shown row by row; a list of plain values as one value."""
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def show_fields(page: Page, fields: Fields, nonce: str, *, indent: int, limits: Limits = BRIEF) -> None:
    """Lines for what differs."""
    groups = fields.groups
    for where, leaves in groups[: limits.records]:
        inner = indent
        if where:
            page.add(Text.assemble(path_of(where, nonce), ":"), indent=indent)
            inner += 2
        _show_group(page, leaves, nonce, inner, limits)
    if hidden := groups[limits.records :]:
        count = sum(len(leaves) for _, leaves in hidden)
        page.add(
            f"... and {_many(len(hidden), 'more record')} with {_many(count, 'field')}", indent=indent, style="bold"
        )
    if fields.unchanged and limits is not BRIEF:
        page.add(f"({_many(fields.unchanged, 'field')} unchanged)", indent=indent, style="dim")


def _show_group(page: Page, leaves: Sequence[Leaf], nonce: str, indent: int, limits: Limits) -> None:
    visible = leaves[: limits.fields]
    names = [path_of(leaf.path[-1:], nonce) for leaf in visible]
    width = max((name.cell_len for name in names if name.cell_len <= _WIDEST_NAME), default=0)
    for leaf, name in zip(visible, names, strict=True):
        _show_leaf(page, leaf, name, width, nonce, indent, limits)
    if len(leaves) > len(visible):
        page.add(f"... and {_many(len(leaves) - len(visible), 'more field')}", indent=indent, style="bold")


def _show_leaf(page: Page, leaf: Leaf, name: Text, width: int, nonce: str, indent: int, limits: Limits) -> None:
    mark = Text(f"{leaf.mark} ", _STYLES[leaf.mark]) if limits.marks else Text()
    head = Text.assemble(mark, name, ":", " " * max(width - name.cell_len, 0))
    value = Text(" -> ").join(shown(side, nonce) for side in (leaf.before, leaf.after) if side is not ABSENT_FIELD)
    is_long = _is_long(leaf.before) or _is_long(leaf.after)
    if not is_long and indent + head.cell_len + 1 + value.cell_len <= page.width:
        page.add(head, " ", value, indent=indent)
        return
    page.add(mark, name, ":", indent=indent)
    _show_block(page, leaf, nonce, indent + 4, limits)


def _is_long(value: Plain) -> bool:
    return isinstance(value, str) and "\n" in value


def _show_block(page: Page, leaf: Leaf, nonce: str, indent: int, limits: Limits) -> None:
    """A value that does not fit on one line: its lines behind a bar, so that none can be taken for one of ours."""
    left = limits.lines
    rows = list(_rows(leaf, nonce))
    for place, (mark, line) in enumerate(rows):
        if left <= 0:
            page.add(f": ... and {_many(len(rows) - place, 'more line')}", indent=indent, style="bold")
            return
        if mark == ":":
            page.add(Text.assemble(": ", line), indent=indent, style="dim")
            left -= 1
        else:
            lead, style = (f"| {mark} ", _STYLES.get(mark, "dim")) if limits.marks else ("| ", "")
            left -= page.behind(lead, line, indent=indent, style=style)


def _rows(leaf: Leaf, nonce: str) -> Iterator[tuple[str, Text]]:
    both = isinstance(leaf.before, str) and isinstance(leaf.after, str)
    # A text of several lines is shown as it reads, any other value as JSON: a text of one line keeps its quotes.
    as_prose = any(map(_is_long, (leaf.before, leaf.after)))
    if both and as_prose:
        yield from _line_diff(leaf.before.split("\n"), leaf.after.split("\n"), nonce)
        return
    for mark, side in (("-", leaf.before), ("+", leaf.after)):
        if side is ABSENT_FIELD:
            continue
        if isinstance(side, str) and as_prose:
            yield from ((mark, prose(line, nonce)) for line in side.split("\n"))
        else:
            yield mark, shown(side, nonce)


def _line_diff(old: Sequence[str], new: Sequence[str], nonce: str) -> Iterator[tuple[str, Text]]:
    if len(old) * len(new) > _MOST_COMPARED:
        yield from (("-", prose(line, nonce)) for line in old)
        yield from (("+", prose(line, nonce)) for line in new)
        return
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    codes = matcher.get_opcodes()
    for place, (kind, start, end, first, last) in enumerate(codes):
        if kind == "equal":
            yield from _context(old[start:end], nonce, begins=place == 0, ends=place == len(codes) - 1)
            continue
        yield from (("-", prose(line, nonce)) for line in old[start:end])
        yield from (("+", prose(line, nonce)) for line in new[first:last])


def _context(lines: Sequence[str], nonce: str, *, begins: bool, ends: bool) -> Iterable[tuple[str, Text]]:
    before = 0 if begins else _CONTEXT
    after = 0 if ends else _CONTEXT
    if len(lines) <= before + after + 1:
        return [(" ", prose(line, nonce)) for line in lines]
    rows = [(" ", prose(line, nonce)) for line in lines[:before]]
    rows.append((":", Text(f"{_many(len(lines) - before - after, 'line')} unchanged")))
    return [*rows, *((" ", prose(line, nonce)) for line in lines[len(lines) - after :] if after)]


def path_of(path: Path, nonce: str = "") -> Text:
    """`rows.17`, `items[2]`."""
    out = Text()
    for part in path:
        if isinstance(part, int):
            out.append(f"[{part}]")
        else:
            out.append("." if out.plain else "").append_text(name_of(part, nonce))
    return out


def _many(count: int, what: str) -> str:
    """`1 field`, `1,204 fields`; `more` stays where it is."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
