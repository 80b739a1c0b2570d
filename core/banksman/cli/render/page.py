"""Lines that fit: what is too long goes on below, indented so that it cannot be taken for a line of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

#: Below this nothing can be laid out; lines then are longer than the terminal is wide.
_NARROWEST = 20


@dataclass
class Page:
    """Collects lines for a terminal of some width."""

    console: Console
    lines: list[Text] = field(default_factory=list)

    @property
    def width(self) -> int:
        """How many cells a line may have."""
        return max(self.console.width, _NARROWEST)

    def add(self, *parts: str | Text, indent: int = 0, hang: int = 2, style: str = "") -> None:
        """One line; where it is too long it goes on `hang` cells further in."""
        line = Text.assemble(*parts, style=style)
        space = self.width - indent
        if line.cell_len <= space:
            self.lines.append(Text.assemble(" " * indent, line))
            return
        rest = max(space - hang, _NARROWEST - hang)
        first = next(folded(line, max(space, _NARROWEST)))
        self.lines.append(Text.assemble(" " * indent, _ended(first)))
        for part in folded(line[len(first.plain) :], rest):
            self.lines.append(Text.assemble(" " * (indent + hang), _ended(part)))

    def behind(self, mark: str | Text, text: Text, *, indent: int = 0, style: str = "") -> int:
        """A text with a mark before each of its lines, however often it is broken; how many lines that were."""
        lead = Text.assemble(" " * indent, mark)
        lines = list(folded(text, max(self.width - lead.cell_len, _NARROWEST)))
        for part in lines:
            whole = Text.assemble(lead, part)
            whole.stylize(style, indent)
            self.lines.append(whole)
        return len(lines)

    def gap(self) -> None:
        """An empty line, unless there is one."""
        if self.lines and self.lines[-1].plain:
            self.lines.append(Text())

    def table(self, rows: Iterable[Sequence[str | Text]], *, indent: int = 0, gap: int = 2) -> None:
        """Columns side by side; the last one takes what is left of the width."""
        cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
        if not cells:
            return
        widths = [max(row[place].cell_len for row in cells) for place in range(len(cells[0]))]
        for row in cells:
            line = Text()
            for width, cell in zip(widths[:-1], row[:-1], strict=True):
                line.append_text(cell).append(" " * (width - cell.cell_len + gap))
            hang = line.cell_len if line.cell_len < self.width // 2 else 4
            self.add(line, row[-1], indent=indent, hang=hang)

    def show(self) -> None:
        """Print what was collected."""
        for line in self.lines:
            self.console.print(line, soft_wrap=True, no_wrap=True, overflow="ignore", crop=False)
        self.lines.clear()


def _ended(text: Text) -> Text:
    """Without the space after which it was cut."""
    return text[: len(text.plain.rstrip(" "))]


def folded(text: Text, width: int) -> Iterator[Text]:
    """The text cut into pieces of at most `width` cells, after a space where one is near; nothing is left out."""
    plain = text.plain
    start = cells = 0
    for place, letter in enumerate(plain):
        size = cell_len(letter)
        if cells + size > width and place > start:
            space = plain.rfind(" ", max(start, place - width // 3), place) + 1
            cut = space or place
            yield text[start:cut]
            start, cells = cut, cell_len(plain[cut:place])
        cells += size
    yield text[start:]
