"""Which code runs which model: a card's task and adapter name one function, here or in another installed package.

Rule: nothing else in the house chooses code by a card's words. A package of an outsider adds an adapter with the entry
point group `compound_gateway.adapters`, named `<task>.<adapter>`; shipped names cannot be taken over.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final

from gateway.errors import ModelError
from gateway.text import Text
from gateway.vision.catalogue import Model

GROUP: Final = "compound_gateway.adapters"
_SHIPPED: Final = {
    "plate.detect.corner-map": "gateway.vision.plates.corner_map:CornerMap",
    "plate.detect.quad-rows": "gateway.vision.plates.quad_rows:QuadRows",
    "plate.refine.corner-patch": "gateway.vision.plates.refiner:CornerPatch",
    "plate.read.ctc": "gateway.vision.plates.reader:CtcReader",
    "face.detect.mtcnn": "gateway.vision.detectors.mtcnn:Mtcnn",
    "face.detect.yunet": "gateway.vision.detectors.yunet:YuNet",
    "face.detect.scrfd": "gateway.vision.detectors.scrfd:Scrfd",
    "face.embed.face-chip": "gateway.vision.faces:FaceEmbedder",
    "face.liveness.liveness-patch": "gateway.vision.liveness:PatchLiveness",
}


def adapter(model: Model, task: str) -> Callable[..., Any]:
    """What opens this model for that task. Raises `ModelError` where it is for another task or nobody knows how."""
    card = model.card
    if card.task != task:
        raise ModelError(
            Text(
                "模型 {model} 用于 {found}，此处需要 {task}", "model {model} is for {found}; here {task} is needed"
            ).with_(model=model.name, found=card.task, task=task),
            hint=Text(
                "在配置的 [{table}] 中改用其他模型", "choose another model under [{table}] in the configuration"
            ).with_(table=task.partition(".")[0]),
        )
    name = f"{task}.{card.adapter}"
    if name in _SHIPPED:
        module, _, attribute = _SHIPPED[name].partition(":")
        return getattr(import_module(module), attribute)  # type: ignore[no-any-return]
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            return _load(entry, model)
    raise ModelError(
        Text("没有名为 {adapter} 的 {task} 适配器", "there is no adapter {adapter} for {task}").with_(
            adapter=card.adapter, task=task
        ),
        hint=Text(
            "已有：{known}；如何添加见 docs/models.md", "there are {known}; docs/models.md shows how to add one"
        ).with_(
            known=", ".join(sorted(name.removeprefix(f"{task}.") for name in names() if name.startswith(f"{task}.")))
        ),
    )


def names() -> list[str]:
    """Every `<task>.<adapter>` there is."""
    return sorted({*_SHIPPED, *(entry.name for entry in entry_points(group=GROUP))})


def _load(entry: Any, model: Model) -> Callable[..., Any]:
    try:
        return entry.load()  # type: ignore[no-any-return]
    except (ImportError, AttributeError) as error:
        what = Text(
            "模型 {model} 的适配器 {name} 无法载入：{error}",
            "the adapter {name} of model {model} cannot be loaded: {error}",
        )
        raise ModelError(
            what.with_(model=model.name, name=entry.name, error=error),
            hint=Text("重新安装 {package} 所属的软件包", "is the package of {package} whole?").with_(
                package=entry.value
            ),
        ) from error
