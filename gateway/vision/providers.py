"""Where models run: on the CPU, or on what the operator names in `[vision] providers` as far as it works here.

Rule: the choice is one for the whole process, as the build of ONNX Runtime is, so no adapter needs to know of it. What
cannot be had falls back to the CPU and is said, once for each reason; nothing else changes. Whatever would compute in
less than float32 by default is told not to: a template made on one processor must fit a face seen by another.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final

from gateway.settings import Provider
from gateway.text import Language, Text

log = logging.getLogger(__name__)

CPU: Final = "cpu"
_NAMES: Final[dict[Provider, str]] = {
    "openvino": "OpenVINOExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
    "cann": "CANNExecutionProvider",
}

_wanted: tuple[Provider, ...] = ()
_notes: list[Text] = []


def prefer(names: Sequence[Provider]) -> None:
    """Models opened from here on try these in this order, then the CPU."""
    global _wanted
    _wanted = tuple(names)
    _notes.clear()


def fallbacks() -> tuple[Text, ...]:
    """What could not be had since `prefer`, one sentence each."""
    return tuple(_notes)


def candidates(built_in: Sequence[str], threads: int) -> Iterator[tuple[Provider, str, dict[str, Any]]]:
    """What is wanted and part of this build of the runtime: our name, the runtime's, its options."""
    for provider in _wanted:
        if _NAMES[provider] in built_in:
            yield provider, _NAMES[provider], _options(provider, threads)
        else:
            _note(_ABSENT.with_(provider=provider))


def refuse(provider: Provider, model: str, why: str) -> None:
    """Keep and log that a model cannot be opened there."""
    _note(_REFUSED.with_(provider=provider, model=model, why=" ".join(why.split())[:200]))


def _options(provider: Provider, threads: int) -> dict[str, Any]:
    match provider:
        case "openvino":
            return {"device_type": "CPU", "precision": "FP32", "num_of_threads": threads}
        case "cuda":
            return {"use_tf32": 0}
        case "xnnpack":
            return {"intra_op_num_threads": threads}
        case "cann":
            return {"precision_mode": "must_keep_origin_dtype"}
        case _:
            return {}


def _note(note: Text) -> None:
    if note not in _notes:
        _notes.append(note)
        log.warning("%s / %s", note.say(Language.ZH), note.say(Language.EN))


_ABSENT = Text(
    "此 ONNX Runtime 不含 {provider}，改用 [vision] providers 中的下一项或 CPU；请安装含该功能的 onnxruntime 软件包",
    "this build of ONNX Runtime has no {provider}, the next of [vision] providers or the CPU serves instead; install "
    "the onnxruntime package that has it",
)
_REFUSED = Text(
    "{provider} 无法运行模型 {model}，改用下一项或 CPU：{why}",
    "{provider} cannot run model {model}, the next of [vision] providers or the CPU serves instead: {why}",
)
