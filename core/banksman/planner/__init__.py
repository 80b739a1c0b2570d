"""The model's side: from a goal to a runbook, and to another one when that did not work.

The model only writes plans. It calls nothing, sees outputs as digests, and what it writes is checked, previewed and
approved like a plan that a person wrote. Importing this package loads no model library.
"""

from banksman.planner._catalogue import Catalogue, Offer
from banksman.planner._digest import BAD_REFERENCE, FORETOLD, REPEATED, UNMET, Failure, Progress, digest_of
from banksman.planner._lean import one_line
from banksman.planner._models import FORMS, model_of
from banksman.planner._planner import Answer, NoPlan, Planner, Question
from banksman.planner._prompt import INSTRUCTIONS, VERSION

__all__ = [
    "BAD_REFERENCE",
    "FORETOLD",
    "FORMS",
    "INSTRUCTIONS",
    "REPEATED",
    "UNMET",
    "VERSION",
    "Answer",
    "Catalogue",
    "Failure",
    "NoPlan",
    "Offer",
    "Planner",
    "Progress",
    "Question",
    "digest_of",
    "model_of",
    "one_line",
]
