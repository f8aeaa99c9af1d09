"""Runs WebAssembly programs against the eleven Veracruz host calls."""

from execution_engine import world
from execution_engine.abi import HOST_CALLS, HostCall, Status
from execution_engine.code_cache import CodeCache, CompiledCode, code_context, code_tag
from execution_engine.errors import (
    EngineError,
    Frame,
    LimitCode,
    LimitError,
    ModuleRefusedError,
    Refusal,
    TrapCode,
    TrapError,
)
from execution_engine.limits import EngineLimits
from execution_engine.module import Examination, ModuleSummary, check_module, examine
from execution_engine.program import Program, settings_of
from execution_engine.run import Buffer, HostCallEvent, Outcome, RunInputs, Trace
from execution_engine.shape import Problem
from execution_engine.strategy import EngineSettings, engine_version

__all__ = [
    "HOST_CALLS",
    "Buffer",
    "CodeCache",
    "CompiledCode",
    "EngineError",
    "EngineLimits",
    "EngineSettings",
    "Examination",
    "Frame",
    "HostCall",
    "HostCallEvent",
    "LimitCode",
    "LimitError",
    "ModuleRefusedError",
    "ModuleSummary",
    "Outcome",
    "Problem",
    "Program",
    "Refusal",
    "RunInputs",
    "Status",
    "Trace",
    "TrapCode",
    "TrapError",
    "check_module",
    "code_context",
    "code_tag",
    "engine_version",
    "examine",
    "settings_of",
    "world",
]
