"""The actions of a service, made from its metadata.

For each entity set `PurchaseOrders`: `purchase_orders.get`, `.list`, `.get_many`, one list for each kind of parts
(`.items`), and `.create`, `.update`, `.update_many`, `.delete` where the metadata allows them. Functions become reads:
bound ones under their set, the others under `functions`. Arguments and fields have the system's own names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from banksman import Action
from banksman_connectors.sap.actions import reads
from banksman_connectors.sap.actions.create import create
from banksman_connectors.sap.actions.delete import delete
from banksman_connectors.sap.actions.functions import function
from banksman_connectors.sap.actions.names import distinct
from banksman_connectors.sap.actions.update import update
from banksman_connectors.sap.actions.update_many import update_many
from banksman_connectors.sap.actions.verbs import Verbs
from banksman_connectors.sap.edm import EntitySet
from banksman_connectors.sap.shapes import Shapes

FUNCTIONS = "functions"
VERBS = ("get", "list", "get_many", "create", "update", "update_many", "delete")


def actions_of(shapes: Shapes) -> list[Action[..., Any]]:
    """Every action of a service."""
    service = shapes.service
    bases = distinct(service.sets, taken=(FUNCTIONS,))
    found: list[Action[..., Any]] = []
    for held in service.sets.values():
        found += _of_set(shapes, held, bases[held.name])
    free = [declared for declared in service.functions if declared.bound_to is None]
    names = distinct(declared.path for declared in free)
    found += [function(shapes, declared, f"{FUNCTIONS}.{names[declared.path]}") for declared in free]
    return found


def _of_set(shapes: Shapes, held: EntitySet, base: str) -> Iterator[Action[..., Any]]:
    bound = [declared for declared in shapes.service.functions if declared.bound_to == held.type.name]
    ways = shapes.parts(held)
    names = distinct([*ways, *(declared.path.rpartition(".")[2] for declared in bound)], taken=VERBS)
    verbs = Verbs(shapes, held, base, get=reads.get(shapes, held, base))
    if not held.readable:
        # What cannot be read cannot be previewed, nor found again.
        return
    yield verbs.get
    yield reads.list_(shapes, held, base)
    yield reads.get_many(shapes, held, base)
    for way in ways:
        verbs.parts[way] = reads.parts(shapes, held, way, f"{base}.{names[way]}")
        yield verbs.parts[way]
    for declared in bound:
        yield function(shapes, declared, f"{base}.{names[declared.path.rpartition('.')[2]]}", held)
    if held.deletable:
        verbs.delete = delete(verbs)
        yield verbs.delete
    if held.creatable:
        verbs.create = create(verbs)
        yield verbs.create
    if held.updatable and verbs.writable(new=False):
        verbs.update = update(verbs)
        yield verbs.update
        verbs.update_many = update_many(verbs)
        yield verbs.update_many
