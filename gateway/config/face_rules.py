"""What a face may do: the law as far as it is configuration (人脸识别技术应用安全管理办法, since 2025-06-01)."""

from __future__ import annotations

from pathlib import Path

from gateway.config.faults import Complain, Table, Where, did_you_mean, entries
from gateway.errors import ModelError
from gateway.settings import Face
from gateway.text import Text
from gateway.vision.catalogue import find, model_dirs


def check_faces(table: Table, base: Path, complain: Complain) -> None:
    """Check everything about faces that spans tables."""
    _reasons_are_given(table, complain)
    _cameras_keep_the_law(table, complain)
    _faces_that_open(table, base, complain)


def _face(table: Table) -> Table:
    found = table.get("face")
    return found if isinstance(found, dict) else {}


def _is_enabled(table: Table) -> bool:
    return _face(table).get("enabled") is True


def _reasons_are_given(table: Table, complain: Complain) -> None:
    """What must be written down before a face may be recognised."""
    face = _face(table)
    for key in ("purpose", "necessity", "pia_ref") if _is_enabled(table) else ():
        if not str(face.get(key, "")).strip():
            complain(
                ("face", key),
                Text(
                    "启用人脸识别前必须填写（目的、必要性、影响评估编号）",
                    "must be filled in before face recognition may run",
                ),
            )


def _cameras_keep_the_law(table: Table, complain: Complain) -> None:
    """Where a face may be recognised."""
    other_ways = [entry.get("point") for _, entry in entries(table, "readers")]
    for name, camera in entries(table, "cameras"):
        if "face" not in (camera.get("recognise") or ()):
            continue
        where: Where = ("cameras", name)
        if not _is_enabled(table):
            complain(
                (*where, "recognise"),
                Text(
                    '人脸识别未启用；请填写 [face] 并设 enabled = true，或去掉 "face"',
                    'face recognition is off; fill in [face] with enabled = true, or remove "face"',
                ),
            )
        if camera.get("sign_posted") is not True:
            complain(
                (*where, "sign_posted"),
                Text(
                    "人脸摄像机处须张贴告知标识，张贴后设 sign_posted = true",
                    "a sign must be posted at a camera that recognises faces; then set sign_posted = true",
                ),
            )
        if camera.get("point") not in other_ways and camera.get("point") in list(table.get("points") or ()):
            complain(
                (*where, "point"),
                Text(
                    "人脸不得是唯一通行方式：请在通行点“{point}”增加读卡器",
                    "a face may not be the only way in: add a reader at point '{point}'",
                ).with_(point=camera.get("point")),
            )


def _faces_that_open(table: Table, base: Path, complain: Complain) -> None:
    """`face.open_alone`: only where a reader stands too, and only with models that prove what it takes."""
    face = _face(table)
    opens = face.get("open_alone")
    if not isinstance(opens, list) or not opens:
        return
    where: Where = ("face", "open_alone")
    with_reader = [entry.get("point") for _, entry in entries(table, "readers")]
    for name in opens:
        if name not in with_reader:
            complain(
                where,
                Text("“{point}”不是装有读卡器的通行点；{near}", "'{point}' is no point with a reader; {near}").with_(
                    point=name, near=did_you_mean(str(name), {str(point) for point in with_reader})
                ),
            )
    if not face.get("liveness"):
        complain(where, Text("须同时配置活体检测模型 liveness", "needs a model for `liveness` as well"))
    model = str(face.get("model", Face.model_fields["model"].default))
    assurance = _assurance(model, table, base)
    if assurance not in (None, "high"):
        complain(
            where,
            Text(
                "模型 {model} 的可信度为 {found}，单凭人脸开门须为 high（见模型卡）",
                "the card of model {model} says assurance {found}; a face alone may open only with high",
            ).with_(model=model, found=assurance),
        )


def _assurance(model: str, table: Table, base: Path) -> str | None:
    """What the model's card promises; None where there is no such model yet."""
    gateway = table.get("gateway")
    data_dir = gateway.get("data_dir") if isinstance(gateway, dict) else None
    try:
        return find(model, model_dirs(base / str(data_dir) if data_dir else None)).card.assurance or "low"
    except ModelError:
        return None
