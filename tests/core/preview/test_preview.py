"""The dry run: what later reads see, what is put off, what the digest binds."""

from __future__ import annotations

from decimal import Decimal

import pytest

from banksman import (
    PENDING,
    Change,
    Closed,
    Compensation,
    Connection,
    Connector,
    Effect,
    Irreversible,
    Money,
    OpenConnection,
    Record,
    Unknowable,
    action,
    write,
)
from banksman._canonical import plain
from banksman.errors import Drifted, NotFound
from banksman.plan import parse
from banksman.preview import Item, Look, Preview, hold_against

DOCS = "https://shelf.example"
NONCE = "0123456789abcdef"


class Book(Record):
    id: Closed[int]
    title: str
    lent: Closed[bool] = False


class Put:
    """A request of the in-memory shelf."""

    def __init__(self, what, **fields):
        self.fields = {"what": what, **plain(fields)}

    @property
    def fingerprint(self):
        return repr(sorted(self.fields.items()))

    def canonical(self):
        return {"kind": "shelf", **self.fields}

    def summary(self):
        return self.fields["what"]


class Shelf:
    """An API handle without I/O: a dictionary of books, and what was asked of it."""

    def __init__(self):
        self.books = {1: Book(id=1, title="Iliad"), 2: Book(id=2, title="Odyssey")}
        self.sent = []
        self.asked = []

    def bind(self, reader):
        self._reader = reader

    async def read(self, wanted, **arguments):
        return await self._reader(wanted, arguments)

    def rehearsal(self):
        from contextlib import AsyncExitStack

        return AsyncExitStack()

    async def send(self, request):
        self.sent.append(request)

    async def aclose(self):
        pass


@action("books.get", effect=Effect.READ, docs=DOCS, entity="Book", key=("id",))
async def get_book(api, id: int) -> Book:
    """A book."""
    api.asked.append(("get", id))
    if id not in api.books:
        raise NotFound(f"no book {id}")
    return api.books[id]


def belongs(arguments):
    return lambda book: arguments.get("lent") is None or book["lent"] == arguments["lent"]


@action("books.list", effect=Effect.READ, docs=DOCS, entity="Book", key_fields=("id",), provable=belongs)
async def list_books(api, lent: bool | None = None) -> list[Book]:
    """Books whose membership can be told."""
    return [book for book in api.books.values() if lent is None or book.lent == lent]


@action("books.top", effect=Effect.READ, docs=DOCS, entity="Book", key_fields=("id",))
async def top_books(api) -> list[Book]:
    """A ranking that nobody outside can tell."""
    return list(api.books.values())


@write(
    "books.add",
    effect=Effect.WRITE,
    targets=(),
    docs=DOCS,
    entity="Book",
    reconcile=Unknowable("test"),
    undo=lambda receipt: burn_book.call(id=receipt.result["id"]),
)
async def add_book(api, title: str) -> Change[Book]:
    """Add a book."""
    fields = {"id": PENDING, "title": title, "lent": False}
    return Change(
        entity="Book",
        key=PENDING,
        before=None,
        after=fields,
        result=fields,
        requests=(Put("add", title=title),),
        receive=lambda answer: Book(id=9, title=title),
        costs=Money(Decimal("1.50"), "EUR"),
    )


@write(
    "books.lend",
    effect=Effect.SEND,
    targets=("id",),
    docs=DOCS,
    entity="Book",
    reconcile=Unknowable("test"),
    undo=Compensation(lambda receipt: lend_book.call(id=receipt.before["id"], lent=False), leaves="it was read"),
)
async def lend_book(api, id: int, lent: bool = True) -> Change[Book]:
    """Lend a book."""
    book = await api.read(get_book, id=id)
    after = {"id": book.id, "title": book.title, "lent": lent}
    return Change(
        entity="Book",
        key=book.id,
        before=plain(book),
        after=after,
        result=after,
        requests=(Put("lend", id=id, lent=lent),),
        receive=lambda answer: book,
        tells=("the reader",),
    )


@write(
    "books.burn",
    effect=Effect.DESTROY,
    targets=("id",),
    docs=DOCS,
    entity="Book",
    reconcile=Unknowable("test"),
    undo=Irreversible("ashes"),
)
async def burn_book(api, id: int) -> Change[None]:
    """Burn a book."""
    book = await api.read(get_book, id=id)
    return Change(
        entity="Book",
        key=book.id,
        before=plain(book),
        after=None,
        requests=(Put("burn", id=id),),
        receive=lambda answer: None,
    )


class Review(Record):
    id: Closed[int]
    text: str


@write(
    "books.review",
    effect=Effect.WRITE,
    targets=("id",),
    docs=DOCS,
    entity="Review",
    reconcile=Unknowable("test"),
    undo=Irreversible("read"),
)
async def review_book(api, id: int) -> Change[Review]:
    """Have the shelf write a review, in words of its own."""
    fields = {"id": id, "text": PENDING}
    return Change(
        entity="Review",
        key=id,
        before=None,
        after=fields,
        result=fields,
        requests=(Put("review", id=id),),
        receive=lambda answer: Review(id=id, text=""),
    )


shelf = Connector(
    name="shelf",
    title="Shelf",
    docs=DOCS,
    settle=0,
    open=lambda *_: Shelf(),
    actions=[get_book, list_books, top_books, add_book, lend_book, burn_book, review_book],
)


@pytest.fixture
def opened():
    return OpenConnection(shelf, Connection("shelf:a", "shelf"), Shelf())


async def look(opened, steps, *, known=None, inputs=None, nonce=NONCE, head=""):
    plan = parse(f"name: x\nconnections: {{s: 'shelf:a'}}\n{head}\nsteps:\n{steps}")

    async def connect(name):
        return opened

    found = Look(
        plan=plan, inputs=inputs or {}, facts={}, nonce=nonce, connect=connect, key=lambda call: call, known=known or {}
    )
    machine = await found.run()
    return found, machine


async def test_nothing_is_sent(opened):
    found, _ = await look(opened, "  a: {action: shelf.books.add, with: {title: Aeneid}}\n")
    assert opened.api.sent == []
    assert found.items["a"].changes == [
        ("id", found.items["a"].changes[0][1], f"⟦{NONCE}:a:id⟧"),
        ("title", found.items["a"].changes[1][1], "Aeneid"),
        ("lent", found.items["a"].changes[2][1], False),
    ]


async def test_a_later_read_by_key_sees_the_write(opened):
    _found, machine = await look(
        opened,
        "  a: {action: shelf.books.lend, with: {id: 1}}\n  b: {action: shelf.books.get, with: {id: 1}, after: [a]}\n",
    )
    assert machine.outputs["b"]["lent"] is True
    assert opened.api.books[1].lent is False


async def test_a_later_read_of_a_record_that_is_deleted_finds_nothing(opened):
    _, machine = await look(
        opened,
        "  a: {action: shelf.books.burn, with: {id: 1}}\n  b: {action: shelf.books.get, with: {id: 1}, after: [a]}\n",
    )
    assert "is deleted by a" in machine.failures["b"]


async def test_a_new_record_can_be_read_and_changed_by_its_placeholder(opened):
    found, machine = await look(
        opened,
        "  a: {action: shelf.books.add, with: {title: Aeneid}}\n"
        "  b: {action: shelf.books.get, with: {id: '${a.id}'}}\n"
        "  c: {action: shelf.books.lend, with: {id: '${a.id}'}}\n",
    )
    assert machine.outputs["b"]["title"] == "Aeneid"
    assert found.items["c"].before["title"] == "Aeneid"
    assert found.items["c"].follows == ("a",)
    assert ("get", f"⟦{NONCE}:a:id⟧") not in opened.api.asked


async def test_a_provable_list_is_exact(opened):
    _found, machine = await look(
        opened,
        "  a: {action: shelf.books.lend, with: {id: 1}}\n"
        "  n: {action: shelf.books.add, with: {title: New}}\n"
        "  free: {action: shelf.books.list, with: {lent: false}, after: [a, n]}\n"
        "  out: {action: shelf.books.list, with: {}, after: [a, n]}\n",
    )
    assert [book["title"] for book in machine.outputs["free"]] == ["Odyssey", "New"]
    assert not machine.deferred


async def test_a_write_that_depends_on_a_possibly_stale_list_is_put_off(opened):
    found, machine = await look(
        opened,
        "  a: {action: shelf.books.lend, with: {id: 1}}\n"
        "  top: {action: shelf.books.top, after: [a]}\n"
        "  b: {action: shelf.books.burn, with: {id: '${top[0].id}'}}\n"
        "  c: {action: shelf.books.get, for_each: '${top}', with: {id: '${each.id}'}}\n",
    )
    assert list(found.items) == ["a"]
    assert "books.top" in machine.deferred["b"]
    assert "books.top" in machine.deferred["c"]
    assert "top" not in found.reads


async def test_two_writes_to_one_record_build_on_each_other(opened):
    found, _ = await look(
        opened,
        "  a: {action: shelf.books.lend, for_each: [true, false], with: {id: 1, lent: '${each}'}}\n",
    )
    first, second = found.items.values()
    assert first.before["lent"] is False
    assert second.before["lent"] is True
    assert second.after["lent"] is False
    assert second.follows == (first.call,)


async def test_a_condition_over_a_value_that_does_not_exist_yet_is_put_off(opened):
    _, machine = await look(
        opened,
        "  a: {action: shelf.books.add, with: {title: New}}\n"
        "  b: {action: shelf.books.burn, with: {id: 1}, when: '${a.id > `5`}'}\n"
        "  c: {action: shelf.books.burn, with: {id: 2}, when: \"${a.title == 'New'}\"}\n",
    )
    assert "b" in machine.deferred
    assert machine.state_of("c") == "done"


async def test_rounds_over_new_records_are_named_by_place(opened):
    found, _ = await look(
        opened,
        "  a: {action: shelf.books.add, for_each: [x, y], with: {title: '${each}'}}\n"
        "  b: {action: shelf.books.lend, for_each: '${a}', with: {id: '${each.id}'}}\n",
    )
    assert found.rounds == {"a": ["x", "y"], "b": ["#1", "#2"]}


async def test_a_value_that_only_the_system_writes_as_free_text_has_to_be_seen_first(opened):
    _, machine = await look(
        opened,
        "  a: {action: shelf.books.review, with: {id: 1}}\n"
        "  b: {action: shelf.books.add, with: {title: '${a.text}'}}\n"
        "  c: {action: shelf.books.lend, with: {id: '${a.id}'}}\n",
    )
    assert machine.deferred == {"b": "text of a is free text that will exist only then"}


async def test_a_failed_look_takes_the_alternative(opened):
    found, machine = await look(
        opened,
        "  a: {action: shelf.books.burn, with: {id: 7}, else_try: [{action: shelf.books.burn, with: {id: 1}}]}\n",
    )
    assert list(found.items) == ["a~1"]
    assert "no book 7" in machine.failures["a"]


async def test_alternatives_are_shown_too(opened):
    found, _ = await look(
        opened,
        "  a: {action: shelf.books.burn, with: {id: 1}, else_try: [{action: shelf.books.burn, with: {id: 2}}]}\n",
    )
    assert list(found.items) == ["a"]
    assert found.alternatives["a~1"].key == 2


async def test_calls_that_have_run_are_not_looked_at_again(opened):
    found, _machine = await look(
        opened,
        "  a: {action: shelf.books.add, with: {title: New}}\n  b: {action: shelf.books.lend, with: {id: '${a.id}'}}\n",
        known={"a": {"id": 2, "title": "New"}},
    )
    assert list(found.items) == ["b"]
    assert found.items["b"].key == 2


async def test_what_cannot_be_undone_is_said(opened):
    found, _ = await look(
        opened,
        "  a: {action: shelf.books.burn, with: {id: 1}}\n  b: {action: shelf.books.lend, with: {id: 2}}\n",
    )
    assert found.items["a"].undo == {"kind": "irreversible", "text": "ashes"}
    assert found.items["b"].undo["kind"] == "compensation"
    assert "it was read" in found.items["b"].undo["text"]
    assert found.items["b"].tells == ("the reader",)


def preview_of(found, machine, **changes):
    given = {
        "run": "r",
        "nonce": NONCE,
        "stage": 1,
        "requester": "ann",
        "expires": "2030-01-01T00:00:00Z",
        "versions": {"x": "1"},
        "plan": {},
        "inputs": {},
        "items": found.items,
        "alternatives": {},
        "reads": {},
        "rounds": {},
        "deferred": {},
        "failures": {},
        "failed": (),
    }
    return Preview(**{**given, **changes})


@pytest.mark.parametrize(
    ("path", "closed"), [("id", True), ("title", False), ("lent", True), ("id.x", False), ("none", False), ("", False)]
)
def test_closed_fields_are_known_by_the_schema(path, closed):
    from banksman.preview._closed import is_closed

    assert is_closed(get_book.output_schema, path) is closed


async def test_the_digest_covers_everything_that_is_shown(opened):
    found, machine = await look(opened, "  a: {action: shelf.books.lend, with: {id: 1}}\n")
    base = preview_of(found, machine)
    item = found.items["a"]
    from dataclasses import replace

    others = [
        preview_of(found, machine, run="s"),
        preview_of(found, machine, nonce="f" * 16),
        preview_of(found, machine, requester="bob"),
        preview_of(found, machine, expires="2031-01-01T00:00:00Z"),
        preview_of(found, machine, versions={"x": "2"}),
        preview_of(found, machine, deferred={"b": "later"}),
        preview_of(found, machine, rounds={"a": ("1",)}),
        *(
            preview_of(found, machine, items={"a": replace(item, **{name: value})})
            for name, value in {
                "before": {},
                "after": {},
                "environment": "sandbox",
                "tells": (),
                "undo": {},
                "notes": ("n",),
                "guarded": True,
                "requests": (),
                "arguments": {},
                "effect": Effect.DESTROY,
                "follows": ("z",),
            }.items()
        ),
    ]
    digests = {other.digest for other in others}
    assert base.digest not in digests
    assert len(digests) == len(others)


async def test_a_stored_preview_is_the_same_preview(opened):
    from banksman._canonical import decode, encode

    found, machine = await look(
        opened, "  a: {action: shelf.books.add, with: {title: New}}\n  b: {action: shelf.books.lend, with: {id: 1}}\n"
    )
    preview = preview_of(found, machine)
    stored = Preview.from_document(decode(encode(preview.document())))
    assert stored.digest == preview.digest
    assert stored.items["a"].costs == Money(Decimal("1.50"), "EUR")


async def test_a_fresh_look_is_held_against_what_was_shown(opened):
    steps = (
        "  a: {action: shelf.books.add, with: {title: New}}\n  b: {action: shelf.books.lend, with: {id: '${a.id}'}}\n"
    )
    shown, _ = await look(opened, steps)
    opened.api.books[9] = Book(id=9, title="New")
    known = {"a": {"id": 9, "title": "New", "lent": False}}
    fresh, _ = await look(opened, steps, known=known)
    hold_against(shown.items["b"], fresh.items["b"], NONCE, known)

    opened.api.books[9] = Book(id=9, title="Somebody renamed it")
    drifted, _ = await look(opened, steps, known=known)
    with pytest.raises(Drifted) as caught:
        hold_against(shown.items["b"], drifted.items["b"], NONCE, known)
    assert caught.value.changes == (("before.title", "New", "Somebody renamed it"),)


async def test_a_placeholder_that_somebody_wrote_into_a_record_is_only_text(opened):
    forged = f"⟦{'f' * 16}:a:id⟧"
    opened.api.books[1] = Book(id=1, title=forged)
    found, _ = await look(opened, "  b: {action: shelf.books.lend, with: {id: 1}}\n")
    item = found.items["b"]
    assert item.before["title"] == forged
    hold_against(item, Item.from_document(item.document()), NONCE, {"a": {"id": "evil"}})


def test_a_path_finds_the_part_it_was_made_for_whatever_the_name():
    from banksman._record import at_path, fill_pending, placeholder

    names = ["id", "@odata.etag", "a.b", "[0]", 'quo"te', "back\\slash", "ü", ""]
    tokens = fill_pending({name: [{name: PENDING}] for name in names}, lambda path: placeholder(NONCE, "a", path))
    real = {name: [{name: name}] for name in names}
    from banksman._record import token_parts

    for name in names:
        parts = token_parts(tokens[name][0][name])
        assert parts is not None
        assert at_path(real, parts[2]) == name


def test_a_number_filled_into_a_form_is_its_digits():
    from banksman.preview import ABSENT_FIELD
    from banksman.preview._item import as_sent, differences

    shown = [{"method": "POST", "headers": {"x": 17}, "body": {"form": [["id", 17], ["on", True]]}}]
    built = [{"method": "POST", "headers": {"x": "17"}, "body": {"form": [["id", "17"], ["on", "true"]]}}]
    assert differences(as_sent(shown), as_sent(built)) == []
    other = [{"method": "POST", "headers": {}, "body": {"form": [["id", "18"], ["on", "true"]]}}]
    assert differences(as_sent(shown), as_sent(other)) == [
        ("[0].headers.x", "17", ABSENT_FIELD),
        ("[0].body.form[0][1]", "17", "18"),
    ]


async def test_an_alternative_is_looked_at_as_if_the_first_way_had_not_been(opened):
    found, _ = await look(
        opened,
        "  a: {action: shelf.books.lend, with: {id: 1}, else_try: [{action: shelf.books.burn, with: {id: 1}}]}\n"
        "  b: {action: shelf.books.get, with: {id: 1}, after: [a]}\n",
    )
    assert found.alternatives["a~1"].before["lent"] is False
    assert found.items["a"].before["lent"] is False
