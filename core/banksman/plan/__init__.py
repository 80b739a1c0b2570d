"""The runbook format, references, static checks, and a pure interpreter."""

from banksman.plan._check import Lookup, bind_inputs, check
from banksman.plan._dump import dump
from banksman.plan._format import RESERVED, Call, Input, Runbook, Step, build, json_schema, load, parse
from banksman.plan._graph import dependencies, ordered
from banksman.plan._interpreter import Interpreter, Ready, call_id, unmet
from banksman.plan._reference import BadReference, as_text, compile_expression, escape, expressions, resolve, true
from banksman.plan._rounds import round_keys

__all__ = [
    "RESERVED",
    "BadReference",
    "Call",
    "Input",
    "Interpreter",
    "Lookup",
    "Ready",
    "Runbook",
    "Step",
    "as_text",
    "bind_inputs",
    "build",
    "call_id",
    "check",
    "compile_expression",
    "dependencies",
    "dump",
    "escape",
    "expressions",
    "json_schema",
    "load",
    "ordered",
    "parse",
    "resolve",
    "round_keys",
    "true",
    "unmet",
]
