"""SAP: the OData services of S/4HANA, ECC and CAP, V4 and V2.

A connection is one service of one system; what can be done with it is read from its `$metadata`. `connector` is the
table of contents.

    erp: {system: sap, base_url: "https://erp.example/sap/opu/odata4/sap/api_purchaseorder_2/srvd_a2x/sap/purchaseorder/0001",
          sap_client: "100", auth: {kind: basic, username: BUYER, password: "env:SAP_PASSWORD"}}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from banksman import Action, Connector, Effect
from banksman.auth import Basic, Bearer, OAuth2ClientCredentials
from banksman.http import Limits, Routes
from banksman_connectors.sap.actions import actions_of
from banksman_connectors.sap.api import SapApi, open_sap
from banksman_connectors.sap.batch import effect_of_batch
from banksman_connectors.sap.errors import ERRORS
from banksman_connectors.sap.settings import SapSettings

#: Seconds. A dialog work process is stopped after 600 by default (`rdisp/max_wprun_time`,
#: https://help.sap.com/doc/saphelp_snc700_ehp01/7.0.1/en-US/48/6360918c4a31cbe10000000a42189d/content.htm), and has up
#: to 60 more where it hangs in the database (https://itsiti.com/rdisp-scheduler-prio_normal-max_runtime/).
SETTLE = 660.0

ROUTES = Routes(
    [
        ("POST", "/$batch", effect_of_batch),
        ("POST", "/{path...}", Effect.WRITE),
        ("PATCH", "/{path...}", Effect.WRITE),
        ("MERGE", "/{path...}", Effect.WRITE),
        ("PUT", "/{path...}", Effect.WRITE),
    ]
)


async def discover(api: SapApi) -> Sequence[Action[Any, Any]]:
    """The actions of the service, from its metadata."""
    return actions_of(await api.shapes())


async def probe(api: SapApi) -> str:
    """A line on the service, which shows that address and credential are good."""
    service = (await api.shapes()).service
    unused = f", {len(service.skipped)} declarations left out" if service.skipped else ""
    return f"OData {service.version}, {len(service.sets)} entity sets, {len(service.functions)} functions{unused}"


connector = Connector(
    name="sap",
    title="SAP",
    docs="https://api.sap.com/",
    actions=[],
    discover=discover,
    open=open_sap,
    settings=SapSettings,
    auth=(Basic(), Bearer(), OAuth2ClientCredentials()),
    routes=ROUTES,
    errors=ERRORS,
    limits=Limits(concurrency=4),
    settle=SETTLE,
    probe=probe,
)
