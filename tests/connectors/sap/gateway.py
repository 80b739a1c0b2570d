"""A V2 service as SAP Gateway answers, by the specification: for what CAP's adapter does not do.

MERGE is answered with 204, decimals and times come in V2's own forms, `__next` names a host that only SAP knows, errors
come with inner details or as XML (https://www.odata.org/documentation/odata-version-2-0/).
"""

from __future__ import annotations

from typing import Any

from banksman.testing.sandbox import Answer, Call, Sandbox

METADATA_V2 = """<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"
  xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"
  xmlns:sap="http://www.sap.com/Protocols/SAPData">
 <edmx:DataServices m:DataServiceVersion="2.0">
  <Schema Namespace="PO_SRV" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">
   <EntityType Name="A_PurchaseOrderType" sap:content-version="1">
    <Key><PropertyRef Name="PurchaseOrder"/></Key>
    <Property Name="PurchaseOrder" Type="Edm.String" Nullable="false" MaxLength="10" sap:label="Purchase order"/>
    <Property Name="CompanyCode" Type="Edm.String" MaxLength="4" sap:label="Company code"/>
    <Property Name="CreationDate" Type="Edm.DateTime" Precision="0" sap:display-format="Date"
      sap:creatable="false" sap:updatable="false"/>
    <Property Name="CreatedAt" Type="Edm.DateTime" Precision="7" sap:creatable="false" sap:updatable="false"/>
    <Property Name="LastChangeDateTime" Type="Edm.DateTimeOffset" Precision="7" ConcurrencyMode="Fixed"
      sap:creatable="false" sap:updatable="false"/>
    <Property Name="ReleaseTime" Type="Edm.Time" Precision="0"/>
    <Property Name="NetAmount" Type="Edm.Decimal" Precision="14" Scale="3"/>
    <Property Name="Count" Type="Edm.Int64"/>
    <Property Name="Rate" Type="Edm.Double"/>
    <Property Name="Uuid" Type="Edm.Guid"/>
    <Property Name="Language" Type="Edm.String" MaxLength="2" sap:updatable="false"/>
    <Property Name="Note" Type="Edm.String" sap:label="Header note" sap:filterable="false"/>
    <NavigationProperty Name="to_Item" Relationship="PO_SRV.assoc_item" FromRole="whole" ToRole="part"/>
   </EntityType>
   <EntityType Name="A_PurchaseOrderItemType">
    <Key><PropertyRef Name="PurchaseOrder"/><PropertyRef Name="PurchaseOrderItem"/></Key>
    <Property Name="PurchaseOrder" Type="Edm.String" Nullable="false" MaxLength="10"/>
    <Property Name="PurchaseOrderItem" Type="Edm.String" Nullable="false" MaxLength="5"/>
    <Property Name="Material" Type="Edm.String" MaxLength="40"/>
   </EntityType>
   <Association Name="assoc_item">
    <End Type="PO_SRV.A_PurchaseOrderType" Multiplicity="1" Role="whole"/>
    <End Type="PO_SRV.A_PurchaseOrderItemType" Multiplicity="*" Role="part"/>
    <ReferentialConstraint>
     <Principal Role="whole"><PropertyRef Name="PurchaseOrder"/></Principal>
     <Dependent Role="part"><PropertyRef Name="PurchaseOrder"/></Dependent>
    </ReferentialConstraint>
   </Association>
   <EntityContainer Name="Entities" m:IsDefaultEntityContainer="true">
    <EntitySet Name="A_PurchaseOrder" EntityType="PO_SRV.A_PurchaseOrderType"/>
    <EntitySet Name="A_PurchaseOrderItem" EntityType="PO_SRV.A_PurchaseOrderItemType" sap:deletable="false"/>
    <AssociationSet Name="assoc_item_set" Association="PO_SRV.assoc_item">
     <End EntitySet="A_PurchaseOrder" Role="whole"/><End EntitySet="A_PurchaseOrderItem" Role="part"/>
    </AssociationSet>
    <FunctionImport Name="GetPdf" ReturnType="Edm.String" m:HttpMethod="GET">
     <Parameter Name="PurchaseOrder" Type="Edm.String" Mode="In"/>
     <Parameter Name="Day" Type="Edm.DateTime" Mode="In" sap:display-format="Date"/>
    </FunctionImport>
    <FunctionImport Name="Release" ReturnType="Edm.Boolean" m:HttpMethod="POST"/>
   </EntityContainer>
  </Schema>
 </edmx:DataServices>
</edmx:Edmx>"""


def order(number: str, **fields: Any) -> dict[str, Any]:
    """An order as the gateway writes it."""
    shown = {
        "__metadata": {
            "id": f"https://internal.sap:44300/srv/A_PurchaseOrder('{number}')",
            "uri": f"https://internal.sap:44300/srv/A_PurchaseOrder('{number}')",
            "type": "PO_SRV.A_PurchaseOrderType",
            "etag": "W/\"datetimeoffset'2026-03-01T10%3A00%3A00Z'\"",
        },
        "PurchaseOrder": number,
        "CompanyCode": "1010",
        "CreationDate": "/Date(1774137600000)/",
        "CreatedAt": "/Date(1774167300123)/",
        "LastChangeDateTime": "/Date(1774167300000+0060)/",
        "ReleaseTime": "PT08H15M30S",
        "NetAmount": "12.5",
        "Count": "9007199254740993",
        "Rate": "1.5E+00",
        "Uuid": "0B5F7D6C-9A3E-4A51-8D5B-1F1F0C7D2E11",
        "Language": "EN",
        "Note": "",
        "to_Item": {"__deferred": {"uri": f"https://internal.sap:44300/srv/A_PurchaseOrder('{number}')/to_Item"}},
    }
    return {**shown, **fields}


class Gateway(Sandbox):
    """Answers by script: path and method -> answer. What is not in it is an order that exists."""

    title = "gateway"

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[tuple[str, str], Answer] = {}

    def authorized(self, call: Call) -> bool:
        """Anybody."""
        return True

    def handle(self, call: Call) -> Answer:
        """See `Sandbox.handle`."""
        if call.path.endswith("/$metadata"):
            return Answer(200, METADATA_V2.encode(), {"content-type": "application/xml"})
        scripted = self.answers.get((call.method, call.path.removeprefix("/srv/")))
        if scripted is not None:
            return scripted
        if call.method in ("MERGE", "DELETE"):
            return Answer(204)
        return Answer(200, {"d": order("4500000017")})
