"""Writes a runbook as YAML."""

from __future__ import annotations

from typing import Any

import yaml

from banksman.plan._format import Loader, Runbook
from banksman.plan._graph import ordered


class _Dumper(yaml.SafeDumper):
    """Writes what `Loader` reads: `on` stays bare, and references stand in double quotes."""

    def ignore_aliases(self, value: Any) -> bool:
        return True

    def represent_str(self, text: str) -> yaml.ScalarNode:
        style = '"' if "${" in text else "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.yaml_implicit_resolvers = Loader.yaml_implicit_resolvers
_Dumper.add_representer(str, _Dumper.represent_str)


def dump(plan: Runbook) -> str:
    """The runbook as YAML, as `load` reads it. Each step stands after those it needs: the ledger keeps no order.

    Raises:
        ValueError: the steps wait for each other in a circle.
    """
    document = plan.document()
    document["steps"] = {name: document["steps"][name] for name in ordered(plan)}
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
