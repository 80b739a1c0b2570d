"""The durable engine, the execution of a run, and its undo."""

from banksman.runtime._accounts import Accounts
from banksman.runtime._engine import APPLICATION_VERSION, DbosEngine, Engine, LocalEngine
from banksman.runtime._execution import Execution, Progress, Surroundings
from banksman.runtime._locks import FileLocks, Locks, PostgresLocks, locks_for
from banksman.runtime._news import News
from banksman.runtime._replan import fixed_steps, kept
from banksman.runtime._state import CallState, RunState, fold, way_of
from banksman.runtime._undo import UndoPlan, plan_undo, receipt_of
from banksman.runtime._writing import Stopping, broke, told

__all__ = [
    "APPLICATION_VERSION",
    "Accounts",
    "CallState",
    "DbosEngine",
    "Engine",
    "Execution",
    "FileLocks",
    "LocalEngine",
    "Locks",
    "News",
    "PostgresLocks",
    "Progress",
    "RunState",
    "Stopping",
    "Surroundings",
    "UndoPlan",
    "broke",
    "fixed_steps",
    "fold",
    "kept",
    "locks_for",
    "plan_undo",
    "receipt_of",
    "told",
    "way_of",
]
