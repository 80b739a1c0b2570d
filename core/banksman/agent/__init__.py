"""The loop over planner and runtime: from a goal in words to a run that is done, or to a person.

    state = await pursue(hub, "Tell #buyers which orders are late", model="zhipu:glm-4.6", approve=ask, show=print_it)

The model writes plans and nothing else. Each goes the way of a runbook: static check, preview, approval, run.
"""

from banksman.agent._outcome import Remedy, Trouble, remedy_of
from banksman.agent._pursuit import Approve, Event, Show, pursue, resume

__all__ = ["Approve", "Event", "Remedy", "Show", "Trouble", "pursue", "remedy_of", "resume"]
