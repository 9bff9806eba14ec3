"""Makes the face models `mtcnn` and `dlib-resnet` on this box from data files of two installed PyPI packages.

The rule: the packages are never imported and nothing of theirs is executed; only files with the sha256 pinned in the
shipped card (models/<name>/model.toml) are read, and the same files always give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.errors import ModelError
from gateway.shipped import shipped
from gateway.text import Text
from gateway.vision.catalogue import open_model
from gateway.vision.prepare.folder import is_made, make
from gateway.vision.prepare.recipe import Recipe, read_recipe
from gateway.vision.prepare.sources import INSTALL, read_source

NAMES = ("mtcnn", "dlib-resnet")
INT8 = "dlib-resnet-int8"  # made of dlib-resnet where that gains

_MADE = Text("已生成 {name}：{path}", "made {name}: {path}")
_KEPT = Text("{name} 已是最新：{path}", "{name} is up to date: {path}")
_OTHER = Text(
    "{name} 与随附清单的 sha256 不同（onnx 版本不同），以本机生成的为准",
    "{name} differs from the shipped sha256 (another release of onnx wrote it); the card has the hash of what was made",
)


def prepare(into: Path, progress: Callable[[Text], None]) -> list[Path]:
    """Make every model that is not already there, whole; return the folders `into/<name>`.

    Each folder appears in one step or not at all. Raises `ModelError` where a package is missing or altered.
    """
    folders = []
    for name in NAMES:
        recipe = read_recipe(shipped("models") / name)
        folder = into / name
        if is_made(folder, recipe):
            progress(_KEPT.with_(name=name, path=folder))
        else:
            files = _convert(recipe)
            if recipe.with_files(files) != recipe.card:
                progress(_OTHER.with_(name=name))
            make(folder, recipe, files)
            progress(_MADE.with_(name=name, path=folder))
        folders.append(folder)
    return folders


def prepare_int8(into: Path, progress: Callable[[Text], None]) -> Path | None:
    """Make the int8 embedder from the float32 one in the same folder; None where this box gains too little.

    Raises `ModelError` where the float32 one is missing or altered.
    """
    from gateway.vision.prepare import int8  # it needs `onnx`, without which the float32 one was not made either

    return int8.prepare_int8(into, read_recipe(shipped("models") / INT8), open_model(into / NAMES[1]), progress)


def _convert(recipe: Recipe) -> dict[str, bytes]:
    """File name -> ONNX bytes."""
    data = [read_source(source) for source in recipe.sources]
    try:
        from gateway.vision.prepare import mtcnn_nets, resnet_net  # they need `onnx`, which only the extra brings
    except ImportError as error:
        raise ModelError(
            Text("缺少软件包 {package}", "the package {package} is not installed").with_(package=error.name),
            hint=Text("请执行：{command}", "run: {command}").with_(command=INSTALL),
        ) from error
    if recipe.name == "mtcnn":
        from gateway.vision.prepare.joblib_arrays import read_arrays

        nets = (mtcnn_nets.pnet, mtcnn_nets.rnet, mtcnn_nets.onet)
        made = [net(read_arrays(weights)) for net, weights in zip(nets, data, strict=True)]
    else:
        from gateway.vision.prepare.dlib_resnet import parse_resnet

        made = [resnet_net.resnet(parse_resnet(weights)) for weights in data]
    return dict(zip(recipe.files, made, strict=True))
