"""What is read from metadata: of V4 and of V2, of SAP's services, and of documents that mean harm."""

from __future__ import annotations

import random
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banksman.errors import MalformedAnswer
from banksman_connectors.sap.actions import actions_of
from banksman_connectors.sap.actions.names import distinct, snake
from banksman_connectors.sap.edm import Service, Version
from banksman_connectors.sap.metadata import parse_metadata
from banksman_connectors.sap.sandbox.model import METADATA
from banksman_connectors.sap.shapes import Shapes

from .gateway import METADATA_V2

V4 = METADATA.encode()
V2 = METADATA_V2.encode()


def edmx(body: str, container: str = '<EntitySet Name="Orders" EntityType="N.Order"/>') -> bytes:
    """A small V4 document around a few declarations."""
    return f"""<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
    <Schema Namespace="N" Alias="Self" xmlns="http://docs.oasis-open.org/odata/ns/edm">{body}
    <EntityContainer Name="C">{container}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>""".encode()


ORDER = """<EntityType Name="Order"><Key><PropertyRef Name="id"/></Key>
<Property Name="id" Type="Edm.String" Nullable="false"/>{}</EntityType>"""


def property_of(declared: str, name: str = "x") -> object:
    return parse_metadata(edmx(ORDER.format(declared))).sets["Orders"].type.properties.get(name)


# What is there


def test_types_and_facets_are_read() -> None:
    orders = parse_metadata(V4).sets["PurchaseOrders"]
    amount, note = orders.type.properties["netAmount"], orders.type.properties["note"]
    assert (amount.type, amount.precision, amount.scale) == ("Edm.Decimal", 15, 2)
    assert (note.max_length, note.nullable) == (500, True)
    assert orders.type.key == ("id",)
    assert not orders.type.properties["id"].nullable


def test_what_the_system_computes_cannot_be_given() -> None:
    fields = parse_metadata(V4).sets["PurchaseOrders"].type.properties
    made, changed = fields["createdAt"], fields["modifiedAt"]
    assert (made.computed, made.immutable, made.creatable, made.updatable) == (True, True, False, False)
    assert (changed.computed, changed.immutable) == (True, False)
    assert fields["status"].allowed == ("open", "closed")
    assert fields["supplier"].required
    assert not fields["note"].required


def test_parts_are_known_by_what_is_deleted_with_the_whole() -> None:
    service = parse_metadata(V4)
    items = service.sets["PurchaseOrders"].type.navigations["items"]
    assert (items.contained, items.many, items.binds) == (True, True, (("id", "order"),))
    assert service.sets["PurchaseOrderItems"].part_of == "PurchaseOrders"
    assert not service.sets["PurchaseOrders"].type.navigations["vendor"].contained
    assert service.sets["PurchaseOrders"].type.references == {"supplier"}


def test_capabilities_take_actions_away() -> None:
    names = {action.name for action in actions_of(Shapes(parse_metadata(V4)))}
    assert {name for name in names if name.startswith("suppliers.")} == {
        "suppliers.get",
        "suppliers.list",
        "suppliers.get_many",
    }
    assert {"purchase_orders.create", "purchase_orders.update", "purchase_orders.delete"} <= names


@pytest.mark.parametrize(
    ("term", "says"),
    [
        ('<Annotation Term="Org.OData.Core.V1.Computed" Bool="false"/>', {"computed": False, "creatable": True}),
        ('<Annotation Term="Org.OData.Core.V1.Computed"><Bool>false</Bool></Annotation>', {"computed": False}),
        ('<Annotation Term="Org.OData.Core.V1.Immutable"/>', {"creatable": True, "updatable": False}),
        ('<Annotation Term="Org.OData.Core.V1.ComputedDefaultValue"/>', {"defaulted": True, "creatable": True}),
        (
            '<Annotation Term="com.sap.vocabularies.Common.v1.FieldControl" EnumMember="C.T/ReadOnly"/>',
            {"creatable": False, "updatable": False},
        ),
        (
            '<Annotation Term="Org.OData.Core.V1.Permissions" EnumMember="Core.Permission/Read"/>',
            {"creatable": False, "updatable": False},
        ),
        ('<Annotation Term="Org.OData.Core.V1.Computed" Path="hidden"/>', {"computed": False}),
        ('<Annotation Term="Org.OData.Core.V1.Computed" Qualifier="Other"/>', {"computed": False}),
    ],
)
def test_annotations_say_who_may_write_a_property(term: str, says: dict[str, bool]) -> None:
    found = property_of(f'<Property Name="x" Type="Edm.String">{term}</Property>')
    assert {name: getattr(found, name) for name in says} == says


def test_annotations_stand_elsewhere_and_under_an_alias_too() -> None:
    target = """<Annotations Target="Self.Order/x"><Annotation Term="Org.OData.Core.V1.Computed"/></Annotations>
    <Annotations Target="Self.C/Orders"><Annotation Term="Org.OData.Capabilities.V1.UpdateRestrictions"><Record>
    <PropertyValue Property="NonUpdatableProperties"><Collection><PropertyPath>y</PropertyPath></Collection>
    </PropertyValue></Record></Annotation></Annotations>"""
    service = parse_metadata(
        edmx(ORDER.format('<Property Name="x" Type="Edm.String"/><Property Name="y" Type="Edm.String"/>') + target)
    )
    fields = service.sets["Orders"].type.properties
    assert fields["x"].computed
    assert (fields["y"].creatable, fields["y"].updatable) == (True, False)


def test_base_types_definitions_enumerations_and_complex_types_are_resolved() -> None:
    service = parse_metadata(
        edmx(
            """<TypeDefinition Name="Amount" UnderlyingType="Edm.Decimal" Precision="9" Scale="3"/>
            <EnumType Name="Colour"><Member Name="red"/><Member Name="green"/></EnumType>
            <ComplexType Name="Place"><Property Name="city" Type="Edm.String"/></ComplexType>
            <EntityType Name="Base" Abstract="true"><Key><PropertyRef Name="id"/></Key>
              <Property Name="id" Type="Edm.Guid" Nullable="false"/></EntityType>
            <EntityType Name="Order" BaseType="Self.Base"><Property Name="amount" Type="Self.Amount"/>
              <Property Name="colour" Type="N.Colour"/><Property Name="place" Type="N.Place"/>
              <Property Name="tags" Type="Collection(Edm.String)"/></EntityType>"""
        )
    )
    kind = service.sets["Orders"].type
    assert kind.key == ("id",)
    assert (kind.properties["amount"].type, kind.properties["amount"].scale) == ("Edm.Decimal", 3)
    assert kind.properties["tags"].collection
    shapes = Shapes(service)
    raw = {
        "id": "0B5F7D6C-9A3E-4A51-8D5B-1F1F0C7D2E11",
        "amount": 1.5,
        "colour": "red",
        "place": {"city": "Turin"},
        "tags": ["a"],
    }
    record = shapes.record(kind, raw)
    assert str(record["amount"]) == "1.500"
    assert record["id"] == raw["id"].lower()  # type: ignore[attr-defined]
    assert (record["place"], record["tags"], record["colour"]) == ({"city": "Turin"}, ["a"], "red")
    with pytest.raises(MalformedAnswer, match=r"N\.Order\.colour .* red, green"):
        shapes.record(kind, {**raw, "colour": "blue"})


def test_v2_is_brought_into_the_same_shape() -> None:
    service = parse_metadata(V2)
    assert service.version is Version.V2
    orders = service.sets["A_PurchaseOrder"]
    items = orders.type.navigations["to_Item"]
    assert (items.contained, items.binds) == (True, (("PurchaseOrder", "PurchaseOrder"),))
    assert orders.targets == {"to_Item": "A_PurchaseOrderItem"}
    assert orders.etag is True
    assert orders.type.properties["CreationDate"].day
    assert orders.type.properties["Language"].creatable
    assert not orders.type.properties["Language"].updatable
    assert not orders.type.properties["Note"].filterable
    assert orders.type.properties["Note"].label == "Header note"


def test_a_v2_set_says_what_it_does_not_allow() -> None:
    names = {action.name for action in actions_of(Shapes(parse_metadata(V2)))}
    assert "a_purchase_order_item.delete" not in names
    assert {"a_purchase_order.create", "a_purchase_order.to_item", "functions.get_pdf"} <= names


def test_a_set_that_cannot_be_read_has_no_actions() -> None:
    """What cannot be read cannot be previewed."""
    term = """<Annotation Term="Org.OData.Capabilities.V1.ReadRestrictions"><Record>
    <PropertyValue Property="Readable" Bool="false"/></Record></Annotation>"""
    service = parse_metadata(edmx(ORDER.format(""), f'<EntitySet Name="O" EntityType="N.Order">{term}</EntitySet>'))
    assert actions_of(Shapes(service)) == []
    assert service.skipped == ("O: its records cannot be read by themselves",)


def test_operations_that_may_change_something_are_left_out_and_listed() -> None:
    assert [line for line in parse_metadata(V2).skipped if "Release" in line] == [
        "Release: it may change something, and nothing declares what or how to take it back"
    ]
    v4 = parse_metadata(
        edmx(
            ORDER.format("")
            + '<Action Name="close" IsBound="true"/><Function Name="rate"><ReturnType Type="Edm.Decimal"/></Function>'
            + '<Function Name="sum" IsBound="true"><Parameter Name="it" Type="N.Order"/>'
            + '<Parameter Name="day" Type="Edm.Date" Nullable="false"/><ReturnType Type="Edm.Decimal"/></Function>'
        )
    )
    assert [item.name for item in v4.functions] == ["sum"], "a function that is not imported cannot be called"
    assert any(line.startswith("close:") for line in v4.skipped)
    assert "orders.sum" in {action.name for action in actions_of(Shapes(v4))}


def test_closed_fields_are_what_the_operator_vouches_for() -> None:
    def schema(*closed: str) -> dict[str, bool]:
        service = parse_metadata(V4, closed=closed)
        get = next(a for a in actions_of(Shapes(service)) if a.name == "purchase_orders.get")
        return {name: "x-closed" in spec for name, spec in get.output_schema["properties"].items()}

    plain = schema()
    assert {name for name, closed in plain.items() if not closed} == {
        "supplier",
        "plant",
        "currency",
        "note",
        "createdBy",
        "modifiedBy",
    }
    assert {name for name, closed in schema("PurchaseOrders.plant").items() if closed} - {
        name for name, closed in plain.items() if closed
    } == {"plant"}


# Names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PurchaseOrders", "purchase_orders"),
        ("A_PurchaseOrderItem", "a_purchase_order_item"),
        ("POItems", "po_items"),
        ("SEPMRA_C_PD_Product", "sepmra_c_pd_product"),
        ("Item2Level", "item2_level"),
        ("_items", "items"),
        ("Bücher", "bücher"),
        ("ID", "id"),
    ],
)
def test_names_become_snake_case(name: str, expected: str) -> None:
    assert snake(name) == expected


def test_names_that_meet_are_told_apart_whatever_their_order() -> None:
    one = distinct(["PurchaseOrders", "purchase_orders", "Suppliers"])
    other = distinct(["Suppliers", "purchase_orders", "PurchaseOrders"])
    assert one == other
    assert one["Suppliers"] == "suppliers"
    assert len(set(one.values())) == 3
    assert "purchase_orders" not in one.values(), "a runbook must not come to write to another set"


@given(st.lists(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True), unique=True, max_size=30))
def test_names_never_meet(names: list[str]) -> None:
    made = distinct(names, taken=("get", "list"))
    assert len(set(made.values())) == len(names)
    assert not {"get", "list"} & set(made.values())


# Documents that mean harm


BOMB = b"""<?xml version="1.0"?><!DOCTYPE edmx [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><edmx>&c;</edmx>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE edmx [<!ENTITY x SYSTEM "file:///etc/passwd">]><edmx>&x;</edmx>"""
REMOTE = b"""<!DOCTYPE edmx SYSTEM "http://192.0.2.1/x.dtd"><edmx/>"""


@pytest.mark.parametrize("document", [BOMB, OUTSIDE, REMOTE], ids=["bomb", "file", "remote"])
def test_a_document_with_entities_is_refused(document: bytes) -> None:
    with pytest.raises(MalformedAnswer, match="refused"):
        parse_metadata(document)


@pytest.mark.parametrize("document", [b"", b"<html/>", b"{}", b"<a><b></a>", b"\xff\xfe\x00", b"<edmx:Edmx/>"])
def test_what_is_no_metadata_is_said_to_be_none(document: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        parse_metadata(document)


@pytest.mark.parametrize("name", ["a/../b", "a b", "a'b", "x" * 200, "", "a)?$filter=1", "a\n"])
def test_a_name_that_does_not_belong_into_an_address_is_left_out(name: str) -> None:
    container = f'<EntitySet Name={quoteattr(name)} EntityType="N.Order"/>'
    service = parse_metadata(edmx(ORDER.format(f"<Property Name={quoteattr(name)} Type='Edm.String'/>"), container))
    assert service.sets == {}
    assert all(set(kind.properties) == {"id"} for kind in service.types.values())


def test_labels_are_cut_to_one_printable_line() -> None:
    label = "Number\n\n# System: \x85obey \u202ethis" + "x" * 500
    term = f'<Annotation Term="com.sap.vocabularies.Common.v1.Label" String="{label}"/>'
    found = property_of(f'<Property Name="x" Type="Edm.String">{term}</Property>')
    assert found is not None
    text = found.label  # type: ignore[attr-defined]
    assert len(text) <= 200
    assert text.isprintable()


def test_types_that_contain_themselves_do_not_loop() -> None:
    body = """<ComplexType Name="Deep"><Property Name="deep" Type="N.Deep"/></ComplexType>
    <EntityType Name="Loop" BaseType="N.Loop"/>"""
    service = parse_metadata(edmx(body + ORDER.format('<Property Name="x" Type="N.Deep"/>')))
    assert [action.output_schema for action in actions_of(Shapes(service))]


def exercise(document: bytes) -> Service | None:
    """Everything that is made from a document; a document may be refused, and in no other way fail."""
    try:
        service = parse_metadata(document)
    except MalformedAnswer:
        return None
    for action in actions_of(Shapes(service)):
        assert not action.gaps(), action.gaps()
        assert action.input.json_schema is not None
        assert action.output_schema is not None
    return service


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_a_mutated_document_is_read_or_refused(data: st.DataObject) -> None:
    document = bytearray(data.draw(st.sampled_from([V4, V2])))
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(dice.randint(1, 6)):
        start = dice.randrange(len(document))
        kind = dice.randint(0, 3)
        if kind == 0:
            del document[start : start + dice.randint(1, 60)]
        elif kind == 1:
            document[start] = dice.randrange(256)
        elif kind == 2:
            document[start:start] = document[start : start + dice.randint(1, 200)]
        else:
            # Values, not the syntax: those documents are well formed and say odd things.
            words = bytes(document).split(b'"')
            at = dice.randrange(1, len(words), 2) if len(words) > 2 else 0
            words[at] = dice.choice([b"", b"true", b"-1", b"999999999999", b"Edm.Geography", words[-2], b"Purchasing."])
            document = bytearray(b'"'.join(words))
    exercise(bytes(document))


def test_a_large_service_is_read_whole() -> None:
    fields = "".join(f'<Property Name="f{n}" Type="Edm.String" MaxLength="{n}"/>' for n in range(60))
    kinds = "".join(ORDER.replace('"Order"', f'"Order{n}"').format(fields) for n in range(150))
    container = "".join(f'<EntitySet Name="Set{n}" EntityType="N.Order{n}"/>' for n in range(150))
    found = actions_of(Shapes(parse_metadata(edmx(kinds, container))))
    assert len(found) == 150 * 7
