"""The preview as a person reads it before saying yes: what, where, field by field, and what cannot be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from banksman._canonical import Plain
from banksman._effect import Effect
from banksman.cli.render.fields import ALL, BRIEF, Limits, fields_of, show_fields
from banksman.cli.render.page import Page
from banksman.cli.render.summary import is_grave, is_irreversible, is_unguarded, summarise, summary_of, verb_of
from banksman.cli.render.text import outside, prose, shown
from banksman.preview import Item, Preview
from banksman.runtime import way_of

_MARKS = {"create": ("+", "green"), "change": ("~", "yellow"), "delete": ("-", "red"), "send": (">", "cyan")}
_ENVIRONMENTS = {"production": "bold white on red", "sandbox": "cyan", "test": "green"}
_GRAVE = "bold red"
#: How many grave writes are listed at the top, and how many keys of one write in its heading.
_MOST_GRAVE, _MOST_KEYS = 20, 4
#: How many writes of one step are shown on one system.
_MOST_ALIKE = 20


def show_preview(page: Page, preview: Preview, *, details: bool = False) -> None:
    """All of a preview; with `details` nothing is left out, and what is sent is shown as well."""
    _View(page, preview, details).show()


@dataclass(frozen=True)
class _View:
    page: Page
    preview: Preview
    details: bool

    @property
    def limits(self) -> Limits:
        return ALL if self.details else BRIEF

    def show(self) -> None:
        preview, page = self.preview, self.page
        self._head()
        self._grave()
        for connection in dict.fromkeys(item.connection for item in preview.items.values()):
            self._system([item for item in preview.items.values() if item.connection == connection])
        self._list("Looked at again, and asked about again, once this has run", preview.deferred, "yellow")
        self._list("Cannot be done", preview.failures, _GRAVE)
        for warning in preview.warnings:
            page.gap()
            page.add(Text("Warning: ", "bold yellow"), outside(warning))
        page.gap()
        page.add(Text(summary_of(preview).line(), "bold"))
        if not preview.is_empty:
            page.add("Digest ", Text(preview.digest[:16], "bold"), f", can be approved until {preview.expires}")

    def _head(self) -> None:
        preview, page = self.preview, self.page
        page.add("Preview of ", Text.assemble(outside(str(preview.plan.get("name", ""))), style="bold"))
        if goal := preview.plan.get("goal"):
            page.add(outside(str(goal)), indent=2)
        if preview.run != "preview":
            page.add(f"run {preview.run}, stage {preview.stage}, asked for by ", outside(preview.requester), indent=2)
        given = [Text.assemble(outside(name), "=", shown(value)) for name, value in preview.inputs.items()]
        if given:
            page.add("inputs: ", Text(", ").join(given), indent=2)

    def _grave(self) -> None:
        grave = [item for item in self.preview.items.values() if is_grave(item)]
        if not grave:
            return
        grave.sort(key=lambda item: (item.effect is not Effect.DESTROY, not is_irreversible(item)))
        self.page.gap()
        self.page.add(Text("Look at these first", _GRAVE))
        for item in grave[:_MOST_GRAVE]:
            why = [prose(f"tells {told}", self.preview.nonce) for told in item.tells]
            why += [outside(f"costs {item.costs}")] if item.costs else []
            why += [Text("cannot be undone", _GRAVE)] if is_irreversible(item) else []
            why += [Text("destroys", _GRAVE)] if item.effect is Effect.DESTROY and not why else []
            self.page.add(
                Text("! ", _GRAVE), outside(item.connection), ": ", self._title(item), ": ", Text("; ").join(why),
                indent=2, hang=4,
            )  # fmt: skip
        if len(grave) > _MOST_GRAVE:
            self.page.add(f"... and {len(grave) - _MOST_GRAVE:,} more", indent=2, style="bold")

    def _system(self, items: Sequence[Item]) -> None:
        self.page.gap()
        environment = items[0].environment
        words = environment.upper() if environment == "production" else environment
        style = _ENVIRONMENTS.get(environment, "bold")
        stars = " *** " if environment == "production" else "  "
        self.page.add(
            Text.assemble(outside(items[0].connection), style="bold"), stars, Text(f"[{words}]", style), stars.rstrip()
        )
        by_step: dict[str, list[Item]] = {}
        for item in items:
            alike = by_step.setdefault(item.step, [])
            alike.append(item)
            if self.details or len(alike) <= _MOST_ALIKE:
                self._item(item, 2)
                self._alternatives(item)
        for step, alike in by_step.items():
            if rest := alike[_MOST_ALIKE:] if not self.details else []:
                told = summarise(rest).line().partition(": ")[2]
                self.page.add(
                    f"... and {len(rest):,} more of step ", outside(step), f": {told}", indent=2, style="bold"
                )

    def _alternatives(self, item: Item) -> None:
        for other in self.preview.alternatives.values():
            if way_of(other.call)[0] == way_of(item.call)[0]:
                self.page.add(Text("only if that fails:", "yellow"), indent=6)
                self._item(other, 6)

    def _title(self, item: Item) -> Text:
        verb = verb_of(item)
        words = "leave as it is" if verb == "settled" else verb
        return Text.assemble(words, " ", outside(item.entity), " ", self._key(item.key))

    def _key(self, key: Plain) -> Text:
        nonce = self.preview.nonce
        if isinstance(key, Mapping):
            parts = [Text.assemble(outside(name), "=", prose(str(value), nonce)) for name, value in key.items()]
            return Text(", ").join(parts)
        if isinstance(key, list):
            keys = [self._key(one) for one in key[: None if self.details else _MOST_KEYS]]
            more = f" and {len(key) - len(keys):,} more" if len(key) > len(keys) else ""
            return Text.assemble(Text(", ").join(keys), more)
        return prose(str(key), nonce)

    def _item(self, item: Item, indent: int) -> None:
        mark, style = _MARKS.get(verb_of(item), ("=", "dim"))
        title = self._title(item)
        title.stylize("bold")
        self.page.add(Text(f"{mark} ", style), title, indent=indent, hang=4)
        where = f" on {item.connection}" if indent > 2 else ""
        effect = f", {item.effect}" if item.effect is not Effect.WRITE else ""
        facts = Text.assemble(outside(item.action), outside(where), effect, ", step ", outside(item.call), style="dim")
        self.page.add(facts, indent=indent + 4)
        fields = fields_of(item.before, item.after)
        show_fields(self.page, fields, self.preview.nonce, indent=indent + 4, limits=self.limits)
        self._facts(item, indent + 4)
        if self.details:
            self._requests(item, indent + 4)

    def _facts(self, item: Item, indent: int) -> None:
        def fact(name: str, text: str, style: str = "") -> None:
            value = Text.assemble(Text(f"{name}: ", style or "bold"), prose(text, self.preview.nonce, style))
            self.page.add(value, indent=indent, hang=4)

        if item.reach > 1:
            fact("touches", f"{item.reach:,} records")
        if item.touches:
            fact("also changes, unseen", ", ".join(item.touches), "yellow")
        for told in item.tells:
            fact("tells", told, "cyan")
        if item.costs:
            fact("costs", str(item.costs), "cyan")
        if is_irreversible(item):
            fact("CANNOT BE UNDONE", item.undo["text"], _GRAVE)
        elif item.undo["kind"] == "compensation":
            by, _, leaves = item.undo["text"].partition("; leaves: ")
            fact("undone only in part", f"by {by}; what stays: {leaves}", "yellow")
        elif self.details:
            fact("undone by", item.undo["text"])
        if is_unguarded(item):
            fact("unguarded window", "a change made by others just before the write would be written over", "yellow")
        for note in item.notes:
            fact("note", note)
        if self.details and item.follows:
            fact("runs after", ", ".join(item.follows))

    def _requests(self, item: Item, indent: int) -> None:
        nonce = self.preview.nonce
        for request in item.requests:
            self.page.add(Text("sends: ", "bold"), _address(request, nonce), indent=indent, hang=4)
            for name, value in request.items():
                if name not in ("kind", "method", "url") and value not in (None, {}, []):
                    self.page.behind("| ", Text.assemble(outside(name), ": ", shown(value, nonce)), indent=indent + 4)

    def _list(self, title: str, reasons: Mapping[str, str], style: str) -> None:
        if not reasons:
            return
        self.page.gap()
        self.page.add(Text(f"{title}:", style))
        for name, reason in reasons.items():
            for place, line in enumerate(reason.split("\n")):
                head = Text.assemble(outside(name), ": ") if not place else Text()
                self.page.add(head, prose(line.strip(), self.preview.nonce), indent=2 if not place else 6, hang=4)


def _address(request: Mapping[str, Plain], nonce: str) -> Text:
    """`PATCH https://...` for HTTP, the kind of request for others."""
    if "method" in request and "url" in request:
        return Text.assemble(outside(str(request["method"])), " ", prose(str(request["url"]), nonce))
    return outside(str(request.get("kind", "")))
