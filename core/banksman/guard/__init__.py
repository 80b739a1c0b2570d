"""Rules and approvals: what may be done, and who said so."""

from banksman.guard._approval import Approval, expiry, moment, require_approval
from banksman.guard._rules import RULES, VERSION, Decision, Rule, Verdict, judge, require_unattended

__all__ = [
    "RULES",
    "VERSION",
    "Approval",
    "Decision",
    "Rule",
    "Verdict",
    "expiry",
    "judge",
    "moment",
    "require_approval",
    "require_unattended",
]
