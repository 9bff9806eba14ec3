"""What staff read: both languages give the same commands, and no link leads nowhere."""

from __future__ import annotations

import re

import pytest

from tests.installed import ROOT

PAIRS = [
    ("README.md", "README.zh-CN.md"),
    ("docs/install.md", "docs/install.zh-CN.md"),
    ("docs/models.md", "docs/models.zh-CN.md"),
    ("docs/faces.md", "docs/faces.zh-CN.md"),
    ("docs/cameras.md", "docs/cameras.zh-CN.md"),
    ("docs/operations.md", "docs/operations.zh-CN.md"),
    ("docs/reliability.md", "docs/reliability.zh-CN.md"),
]
PAGES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def commands(page: str) -> list[str]:
    """The lines of the shell blocks, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    return [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_both_languages_give_the_same_commands(english: str, chinese: str) -> None:
    assert commands(english)
    assert commands(english) == commands(chinese)


@pytest.mark.parametrize("page", PAGES)
def test_no_link_leads_nowhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert not [link for link in links if link and not ((ROOT / page).parent / link).exists()]


@pytest.mark.parametrize("page", ["README.md", "docs/install.md"])
def test_whoever_follows_a_page_can_upgrade_by_moving_the_link(page: str) -> None:
    """`ln -sfn NEW /opt/compound-gateway` over a folder puts a link inside it, and the old version goes on."""
    made = [line.split()[-1] for line in commands(page) if " -m venv " in line]
    assert made
    assert "/opt/compound-gateway" not in made
