"""`compound-gateway audit`: has anybody touched the journal? Also while the daemon runs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.options import config_option, json_option, language, load_settings
from gateway.text import Text

if TYPE_CHECKING:
    from gateway.journal.audit import Finding

_SHOWN = 20  # breaks that are printed


def parse_expected(entries: tuple[str, ...]) -> dict[int, str]:
    """`8999:ab12…` → {8999: "ab12…"}. Raises `click.BadParameter`."""
    found = {}
    for entry in entries:
        pair = re.fullmatch(r"(\d{1,18}):([0-9a-fA-F]{64})", entry)
        if not pair:
            raise click.BadParameter(f"“{entry}”：SEQUENCE:CHAIN，例如 e.g. 8999:9f2c…（64 hex）")
        found[int(pair[1])] = pair[2]
    return found


@click.command("audit")
@config_option
@click.option(
    "--from",
    "first",
    type=click.IntRange(min=1),
    default=1,
    metavar="SEQ",
    help="从此序号起核查 · Check from this sequence on.",
)
@click.option(
    "--expect",
    multiple=True,
    metavar="SEQ:CHAIN",
    help="与平台收到的校验值比较，可写多个 · Compare with what a platform received; may be given several times.",
)
@json_option
def command(config_path: Path, first: int, expect: tuple[str, ...], as_json: bool) -> None:
    """核查事件库是否完整、未被改动 · Verify that the journal is whole and unaltered; exit code 1 where it is not."""
    from gateway.journal.audit import verify

    expected = parse_expected(expect)
    path = load_settings(config_path).gateway.data_dir / "journal" / "journal.db"
    finding = verify(path, after=first - 1, expect=expected)
    if as_json:
        click.echo(json.dumps(_as_json(finding), ensure_ascii=False, indent=2))
    else:
        _print(finding)
    sys.exit(0 if finding.is_sound else 1)


def _print(finding: Finding) -> None:
    for kind, found in finding.chains.items():
        title = Text(
            "{kind}：校验链 {rows} 条，#{first} 至 #{last}，最后校验值 {head}",
            "{kind}: {rows} rows chained, #{first} to #{last}, newest hash {head}",
        ).with_(kind=kind, rows=found.rows, first=found.first, last=found.last, head=found.head[:16] or "-")
        click.echo(title.say(language()))
    span = Text("序号：#{first} 至 #{last}，共 {rows} 条", "sequence: #{first} to #{last}, {rows} rows")
    click.echo(span.with_(first=finding.first, last=finding.last, rows=finding.rows).say(language()))
    for broken in finding.breaks[:_SHOWN]:
        click.echo(f"✘ #{broken.seq} {broken.why.say(language())}")
    if len(finding.breaks) > _SHOWN:
        click.echo(f"… {len(finding.breaks) - _SHOWN}")
    for seq in finding.mended_at:
        mended = Text(
            "#{seq} 处事件库曾损坏并修复：它之前的断开可能由此而来",
            "at #{seq} a damaged journal was mended: breaks before it may come from that",
        )
        click.echo(mended.with_(seq=seq).say(language()))
    sound = Text("事件库完整，未被改动", "the journal is whole and unaltered")
    unsound = Text("事件库不完整或被改动过", "the journal is not whole, or was altered")
    click.echo((sound if finding.is_sound else unsound).say(language()))


def _as_json(finding: Finding) -> dict[str, object]:
    return {
        "ok": finding.is_sound,
        "chains": {
            kind: {
                "rows": found.rows,
                "first": found.first,
                "last": found.last,
                "head": found.head,
                "begins_after": found.begins_after,
            }
            for kind, found in finding.chains.items()
        },
        "sequence": {"first": finding.first, "last": finding.last, "rows": finding.rows},
        "breaks": [{"seq": broken.seq, "why": broken.why.say(language())} for broken in finding.breaks],
        "mended_at": finding.mended_at,
    }
