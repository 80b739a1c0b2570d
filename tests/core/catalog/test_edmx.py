"""OData metadata becomes entries, each entity set with what it allows."""

from __future__ import annotations

from typing import Any

import pytest

from banksman.catalog.compile import compiler_for
from banksman.catalog.reading import DescriptionError

V4 = """<?xml version="1.0"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="S" xmlns="http://docs.oasis-open.org/odata/ns/edm">
 <EntityType Name="Base" Abstract="true"><Key><PropertyRef Name="ID"/></Key>
  <Property Name="ID" Type="Edm.Guid" Nullable="false"/></EntityType>
 <EntityType Name="Order" BaseType="S.Base">
  <Property Name="Name" Type="Edm.String" MaxLength="40" Nullable="false"/>
  <Property Name="Lines" Type="Collection(S.Line)"/><Property Name="State" Type="S.State"/></EntityType>
 <ComplexType Name="Line"><Property Name="Price" Type="Edm.Decimal"/></ComplexType>
 <EnumType Name="State"><Member Name="Open"/><Member Name="Closed"/></EnumType>
 <EntityType Name="Rate"><Key><PropertyRef Name="From"/><PropertyRef Name="To"/></Key>
  <Property Name="From" Type="Edm.String"/><Property Name="To" Type="Edm.String"/></EntityType>
 <Function Name="Best"><Parameter Name="day" Type="Edm.Date"/></Function>
 <Action Name="Purge"><Parameter Name="before" Type="Edm.Date" Nullable="true"/></Action>
 <EntityContainer Name="C">
  <EntitySet Name="Orders" EntityType="S.Order"/><EntitySet Name="Lost" EntityType="S.None"/>
  <EntitySet Name="Rates" EntityType="S.Rate"><Annotation Term="Org.OData.Capabilities.V1.InsertRestrictions">
   <Record><PropertyValue Property="Insertable" Bool="false"/></Record></Annotation></EntitySet>
  <FunctionImport Name="Best" Function="S.Best"/><ActionImport Name="Purge" Action="S.Purge"/>
 </EntityContainer>
 <Annotations Target="S.C/Rates"><Annotation Term="Org.OData.Capabilities.V1.DeleteRestrictions">
  <Record><PropertyValue Property="Deletable" Bool="false"/></Record></Annotation></Annotations>
</Schema></edmx:DataServices></edmx:Edmx>"""

V2 = """<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"
 xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" xmlns:sap="http://www.sap.com/Protocols/SAPData">
<edmx:DataServices m:DataServiceVersion="2.0"><Schema Namespace="S" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">
 <EntityType Name="Item"><Key><PropertyRef Name="Id"/></Key><Property Name="Id" Type="Edm.Int32" sap:label="Number"/></EntityType>
 <EntityContainer Name="C"><EntitySet Name="Items" EntityType="S.Item" sap:deletable="false"/>
  <FunctionImport Name="Release" m:HttpMethod="POST"><Parameter Name="Id" Type="Edm.Int32"/></FunctionImport>
 </EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"""  # noqa: E501


def entries_of(text: str) -> tuple[dict[str, Any], Any]:
    compiler = compiler_for(text.encode(), "erp", "metadata.xml")
    return {entry.name.removeprefix("erp."): entry for entry in compiler.entries()}, compiler


def test_an_entity_set_yields_what_its_annotations_allow():
    entries, compiler = entries_of(V4)
    assert {name: entry.effect.value for name, entry in entries.items()} == {
        "orders.list": "read", "orders.get": "read", "orders.create": "write", "orders.update": "write",
        "orders.delete": "destroy", "rates.list": "read", "rates.get": "read", "rates.update": "write",
        "best": "read", "purge": "destroy",
    }  # fmt: skip
    assert [refusal.place for refusal in compiler.report.refused] == ["EntitySet Lost"]


def test_keys_go_into_the_path_as_literals_of_their_type():
    entries, _ = entries_of(V4)
    key = entries["orders.get"].arguments[0]
    assert entries["orders.get"].path == "/Orders({ID})"
    assert (key.name, key.place, key.style, key.media) == ("ID", "path", "literal", "Edm.Guid")
    assert entries["rates.get"].path == "/Rates(From={From},To={To})"
    assert entries["best"].path == "/Best(day={day})"


def test_members_of_base_types_are_inherited_and_types_stand_once():
    entries, compiler = entries_of(V4)
    create = entries["orders.create"]
    assert list(create.input["properties"]) == ["ID", "Name", "Lines", "State"]
    assert create.input["required"] == ["ID", "Name"]
    assert create.input["properties"]["Name"] == {"type": "string", "maxLength": 40}
    definitions = dict(compiler.definitions())
    assert definitions["S.Line"]["properties"]["Price"] == {"type": "string", "format": "decimal"}
    assert definitions["S.State"] == {"type": "string", "enum": ["Open", "Closed"]}


def test_version_2_has_its_own_words():
    entries, compiler = entries_of(V2)
    assert compiler.provider.facts == {"odata": 2}
    assert set(entries) == {"items.list", "items.get", "items.create", "items.update", "release"}
    assert entries["items.update"].method == "MERGE"
    assert entries["release"].method == "POST"
    assert entries["release"].arguments[0].place == "query"
    assert entries["items.create"].input["properties"]["Id"]["description"] == "Number"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<a/>", "holds no Schema"),
        ("<a>", "no usable XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "no usable XML"),
    ],
)
def test_other_xml_and_hostile_xml_is_refused(text: str, said: str):
    with pytest.raises(DescriptionError, match=said):
        entries_of(text)
