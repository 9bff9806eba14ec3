"""The floors of the house: imports point down only, and every module has a floor."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# ground: values · 1 contracts · 2 one thing each · 3 things that join others · 4 the configuration · 5 the roof
FLOORS: dict[str, int] = {
    name: floor
    for floor, names in {
        0: """
            gateway text types credentials errors clock ids ownership filesystem chrony secret_file extras
            toml regular_file
        """,
        1: """
            contracts board settings lines wire wording shipped plate_rules addresses bell messages
            fastjson
        """,
        2: """
            worker registry decide register roster journal keys faces child mqtt cloudevent privacy spool
            systemd status_socket vision face_tables accounts broker_access standing witness captures
            jpeg plausible suspects presence checks asked_cards
        """,
        3: """
            doorkeeper recorder upkeep clock_watch survival passage watch supervisor uplink downlink health
            housekeeping report inspection
        """,
        4: """
            config
        """,
        5: """
            app daemon cli demo live_check aiming schemas __main__
        """,
    }.items()
    for name in names.split()
}


def modules() -> list[Path]:
    return sorted(path for wing in ("gateway", "drivers") for path in (ROOT / wing).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every `gateway…` and `drivers…` module that a file imports, wherever in the file it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            if node.module == "gateway":
                names.update(f"gateway.{alias.name}" for alias in node.names if alias.name != "__version__")
    return {name for name in names if name.split(".")[0] in {"gateway", "drivers"}}


def room(module: str) -> str:
    """`gateway.vision.plates` lives in the room `vision`; `gateway` itself in `gateway`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_every_module_has_a_floor() -> None:
    homeless = {module_of(p) for p in modules() if p.parts[-len(p.relative_to(ROOT).parts)] == "gateway"}
    assert not {name for name in homeless if room(name) not in FLOORS}


def test_every_module_is_in_the_guide() -> None:
    guide = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {room(module_of(path)) for path in modules() if path.is_relative_to(ROOT / "gateway")} - {"gateway"}
    assert not {name for name in rooms if f"`{name}`" not in guide and f"`{name}/`" not in guide}


def test_imports_point_down() -> None:
    wrong = []
    for path in modules():
        module = module_of(path)
        for target in imported(path):
            if module.startswith("drivers"):
                allowed = target.startswith("drivers") or FLOORS[room(target)] == 0 or room(target) == "contracts"
            elif target.startswith("drivers"):
                allowed = False  # entry points do that
            else:
                same_room = room(module) == room(target)
                allowed = same_room or FLOORS[room(target)] <= FLOORS[room(module)]
            if not allowed:
                wrong.append(f"{module} imports {target}")
    assert not wrong


def test_no_file_is_longer_than_300_lines() -> None:
    long = {module_of(p): n for p in modules() if (n := len(p.read_text(encoding="utf-8").splitlines())) > 300}
    assert not long


LIBRARIES = {  # a library that blocks, crashes or changes has one door into the house
    "paho": {"gateway.mqtt", "gateway.demo"},
    "onnxruntime": {"gateway.vision.session", "gateway.vision.prepare.int8"},
    "orjson": {"gateway.fastjson"},
    "serial": {"drivers.serial_port"},
    "osdp_sys": {"drivers.osdp.line"},
    "matplotlib": {"gateway.vision.charts"},
}


def test_libraries_have_one_door() -> None:
    wrong = []
    for path in modules():
        module = module_of(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            for name in names:
                doors = LIBRARIES.get(name.split(".")[0])
                if doors and not any(module == door or module.startswith(door + ".") for door in doors):
                    wrong.append(f"{module} imports {name}")
    assert not wrong


def test_the_door_process_loads_no_pixels() -> None:
    """Everything the door process imports stays free of numpy, cv2 and onnxruntime: memory, and safety.

    Nor is libosdp loaded where no reader needs it.
    """
    import subprocess
    import sys

    code = (
        "import gateway.app, drivers.actuators.osdp_output, sys; "
        "print(sorted({'numpy','cv2','onnxruntime','osdp_sys','osdp'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
