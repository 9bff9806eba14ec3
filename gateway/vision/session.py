"""One ONNX model ready to run, on the CPU or what `providers` prefers. The only importer of onnxruntime,
but for the tool that makes int8 nets (`prepare/int8.py`).

Rule: one session is used by one thread; it takes one input array, and whatever is wrong becomes a `ModelError`.
Nothing is told to the makers of the runtime: its Linux wheels since 1.29 write usage records under HOME and send them
to Microsoft, unless the environment forbids it before the import (`disable_telemetry_events()` comes too late).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as native

from gateway.errors import ModelError
from gateway.vision import providers
from gateway.vision.catalogue import VERIFY

Array = NDArray[Any]
RUNTIME = f"onnxruntime {onnxruntime.__version__}"

_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(int64)": np.dtype(np.int64),
}
# What onnxruntime raises; its own exceptions share no base but Exception.
_FAULTS = (
    native.Fail,
    native.InvalidArgument,
    native.InvalidGraph,
    native.InvalidProtobuf,
    native.NoModel,
    native.NoSuchFile,
    native.NotImplemented,
    native.RuntimeException,
    RuntimeError,
    ValueError,
)
_CPU = "CPUExecutionProvider"


class Session:
    """Verified bytes of a model (`Model.read`), loaded. `name` is for messages only.

    `sizes` fixes dimensions that the file leaves free, by the names it gives them: `{"height": 384, "width": 640}`. The
    runtime then plans for one size and refuses others; names that the file does not use change nothing. `provider`
    says where the model runs.
    """

    def __init__(
        self, model_file: bytes | Path, threads: int = 1, *, name: str = "", sizes: Mapping[str, int] | None = None
    ) -> None:
        self.name = name or (model_file.stem if isinstance(model_file, Path) else "model")
        self._session, self.provider = _open(model_file, _options(threads, sizes or {}), threads, self.name)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _DTYPES:
            raise ModelError(f"model {self.name} must have one input of a plain number type", hint=VERIFY)
        self._input = str(inputs[0].name)
        self.dtype = _DTYPES[inputs[0].type]
        # None where any size will do
        self.shape = tuple(size if isinstance(size, int) else None for size in inputs[0].shape)
        self.outputs: dict[str, tuple[int | None, ...]] = {
            out.name: tuple(size if isinstance(size, int) else None for size in out.shape)
            for out in self._session.get_outputs()
        }

    def require(self, shape: tuple[int | None, ...], outputs: tuple[str, ...]) -> None:
        """Check once, at loading, that the adapter and the file mean the same input and outputs."""
        if self.shape != shape or tuple(self.outputs) != outputs:
            raise ModelError(
                f"model {self.name} has input {self.shape} and outputs {tuple(self.outputs)}, "
                f"its adapter needs {shape} and {outputs}",
                hint=VERIFY,
            )

    def run(self, array: Array) -> list[Array]:
        """Run once; the outputs in the file's order. Raises `ModelError` on another shape or type than the file's."""
        fits = len(array.shape) == len(self.shape) and all(
            want is None or want == size for want, size in zip(self.shape, array.shape, strict=True)
        )
        if not fits or array.dtype != self.dtype:
            raise ModelError(f"model {self.name} takes {self.dtype}{self.shape}, was given {array.dtype}{array.shape}")
        try:
            found: list[Array] = self._session.run(None, {self._input: array})
        except _FAULTS as error:
            raise ModelError(f"model {self.name} failed: {error}", hint=VERIFY) from error
        return found


def _open(model_file: bytes | Path, options: Any, threads: int, name: str) -> tuple[Any, str]:
    """The model where it is wanted, else on the CPU; and where that is. Raises `ModelError`."""
    source = model_file if isinstance(model_file, bytes) else str(model_file)
    for provider, runtime_name, settings in providers.candidates(onnxruntime.get_available_providers(), threads):
        try:
            session = onnxruntime.InferenceSession(
                source, options, providers=[(runtime_name, settings), _CPU], enable_fallback=0
            )
        except _FAULTS as error:
            providers.refuse(provider, name, str(error))
            continue
        if runtime_name in session.get_providers():
            return _lean(session), provider
        providers.refuse(provider, name, f"ONNX Runtime could not load {provider}")  # it may do so without a word
    try:
        return _lean(onnxruntime.InferenceSession(source, options, providers=[_CPU])), providers.CPU
    except _FAULTS as error:
        raise ModelError(f"model {name} cannot be loaded: {error}", hint=VERIFY) from error


def _lean(session: Any) -> Any:
    """A session without its file, which the runtime's Python part would keep beside the weights for ever."""
    session._model_bytes = None  # it is for a fallback that starts the session anew: none is wanted
    return session


def _options(threads: int, sizes: Mapping[str, int]) -> Any:
    options = onnxruntime.SessionOptions()
    for dimension, size in sizes.items():
        options.add_free_dimension_override_by_name(dimension, size)
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False  # measured: no slower, and 60 MB less with plates and faces
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave the cores to the doors
    options.log_severity_level = 3  # errors only
    return options
