"""ONNX Runtime as this package runs it: on one thread, within bounded memory, without telemetry or output."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..system.timeouts import call_with_timeout

CPU = "CPUExecutionProvider"
MAX_MEMORY = 1 << 30  # bytes, of all networks in a process
IMPORT_S = 60.0
LOAD_S = 20.0
MAX_MESSAGE = 300  # characters of a message from ONNX Runtime, or of names in a model file

_limited = False


def open_session(data: bytes, path: Path) -> Any:
    """An `onnxruntime.InferenceSession` for the bytes of a model file; `path` is for error messages.

    Raises ModelError if ONNX Runtime cannot load it, or not within 20 s.
    """
    # ONNX Runtime sends telemetry, with an identifier, unless this is set before the import.
    for name in ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED"):
        os.environ.setdefault(name, "1")
    ort = _onnxruntime()
    ort.disable_telemetry_events()  # the same on Windows
    _limit_memory()
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = 4  # fatal only: errors are raised
    try:
        return call_with_timeout(
            # The fallback would print to stdout.
            lambda: ort.InferenceSession(data, options, [CPU], enable_fallback=0),
            LOAD_S,
        )
    except TimeoutError as error:
        if hasattr(options, "set_load_cancellation_flag"):  # since ONNX Runtime 1.21
            options.set_load_cancellation_flag(True)
        raise ModelError(f"{path} takes more than {LOAD_S:.0f} s to load. Choose another model.") from error
    except Exception as error:  # onnxruntime raises a dozen exception classes
        raise ModelError(f"{path} is not an ONNX model that can be loaded: {first_line(error)}") from error


def _onnxruntime() -> Any:
    """The module, imported late: it takes 0.1 s, and neither --help nor the first frame of the meter needs it.

    On another thread, because an exception that a signal handler raises during the import becomes an ImportError.
    """
    try:
        return call_with_timeout(lambda: importlib.import_module("onnxruntime"), IMPORT_S)
    except TimeoutError as error:
        raise ModelError(f"ONNX Runtime cannot be imported within {IMPORT_S:.0f} s. Try again.") from error


def run_options() -> Any:
    """A new `onnxruntime.RunOptions`; setting its `terminate` stops the run that it was passed to."""
    import onnxruntime as ort

    return ort.RunOptions()


def first_line(error: Exception) -> str:
    """The first line of an error message, shortened."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    if "AllocateRaw" in line or isinstance(error, MemoryError):
        return f"it needs more than {MAX_MEMORY >> 30} GiB of memory"
    return line if len(line) <= MAX_MESSAGE else f"{line[:MAX_MESSAGE]}..."


def _limit_memory() -> None:
    """Cap the total memory of all networks in this process; applies to sessions with `use_env_allocators`."""
    global _limited
    if not _limited:
        _limited = True
        import onnxruntime as ort

        memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
        ort.create_and_register_allocator(memory, ort.OrtArenaCfg({"max_mem": MAX_MEMORY}))
