"""`compound-gateway roster read`: the number of a card or fob that bears none, read at a reader.

The card goes to standard output alone, all else to standard error.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

import click

from gateway.asked_cards import State
from gateway.cli.options import config_option, json_option, language, load_settings
from gateway.credentials import Credential, Format, parse_credential
from gateway.errors import Rejected, Unreachable
from gateway.status_socket import ask
from gateway.text import Language, Text

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.types import Holder

_ASK_AGAIN_S = 0.5
_PRESENT = Text(
    "请在 {seconds} 秒内把卡放到“{point}”的读卡器 {reader} 上（Ctrl-C 结束）",
    "present the card at reader {reader} ({point}) within {seconds} s; Ctrl-C ends it",
)
_NEW = Text(
    "名册中没有这张卡。下一步，新住户：\n"
    "  compound-gateway roster add 住户编号 --name 姓名 --card {card} --point '*'\n"
    "已有住户（会替换其全部卡，仍在使用的卡也要逐一写上）：\n"
    "  compound-gateway roster add 住户编号 --update --card {card}",
    "it is not in the roster. Next, for a new holder:\n"
    "  compound-gateway roster add HOLDER_ID --name NAME --card {card} --point '*'\n"
    "for one who is there (it replaces all their cards: name each one that stays, too):\n"
    "  compound-gateway roster add HOLDER_ID --update --card {card}",
)
_KNOWN = Text(
    "这张卡已登记：{holder}。要给别人，先从其名下去掉（仍在使用的卡写在 --card 后）：\n"
    "  compound-gateway roster add {id} --update --card ''",
    "it is in the roster: {holder}. To give it to another, take it from them first (name the cards that stay):\n"
    "  compound-gateway roster add {id} --update --card ''",
)
_RESTART = Text(
    "刚启动时稍候再试；改过配置或升级后运行 systemctl restart compound-gateway",
    "just after a start try again in a moment; after a change or an upgrade: systemctl restart compound-gateway",
)
_UNHEARD_OF = (Text("运行中的服务不会读卡：版本不同", "the running daemon cannot do this: another version"), _RESTART)
_REFUSALS = {  # why there is no card, and the next move
    State.WAITING: (
        Text("{seconds} 秒内读卡器 {reader} 没有读到卡", "no card was read at {reader} within {seconds} s"),
        Text(
            "卡已放在上面的，先拿开再放上；仍读不到：换一台读卡器，或运行 compound-gateway status 查看",
            "a card that lies there already: take it away, then present it again; else try another reader, or look at "
            "compound-gateway status",
        ),
    ),
    State.TAKEN: (
        Text("已有人在读卡器 {reader} 上读卡", "somebody else reads a card at {reader} just now"),
        Text("等其结束，或换一台读卡器", "wait for them to end, or take another reader"),
    ),
    State.OFFLINE: (
        Text("读卡器 {reader} 离线：{detail}", "reader {reader} is off line: {detail}"),
        Text("修好它，或换一台读卡器", "mend it, or take another reader"),
    ),
    State.NO_READER: (
        Text("运行中的服务尚未启用读卡器 {reader}", "the running daemon does not have reader {reader} yet"),
        _RESTART,
    ),
}


@click.command("read")
@click.argument("reader")
@click.option(
    "--seconds", type=click.IntRange(1, 600), default=30, show_default=True, help="等待时间 · How long to wait."
)
@json_option
@config_option
def read_card(reader: str, seconds: int, as_json: bool, config_path: Path) -> None:
    """刷一次卡，显示其卡号和登记在谁名下 · Show the number of the next card presented at READER, and whose it is.

    用于没有印号的卡和钥匙扣；须网关服务在运行 · For cards and fobs without a number; the daemon must run.
    """
    from gateway.keys import Keys
    from gateway.roster import FILE_NAME, Roster

    settings = load_settings(config_path)
    data_dir = settings.gateway.data_dir
    register = Roster(data_dir / FILE_NAME, Keys(data_dir)).snapshot()
    card = _next_card(settings, reader, seconds)
    written, holders = _written(card), register.by_credential(card)
    if as_json:
        known = [{"holder_id": one.id, "name": one.name, "room": one.room, "status": one.status} for one in holders]
        click.echo(json.dumps({"card": written, "reader": reader, "holders": known}, ensure_ascii=False, indent=1))
        return
    click.echo(written)
    click.echo(_whose(shlex.quote(written), holders), err=True)


def _next_card(settings: Settings, reader: str, seconds: int) -> Credential:
    """The next one presented at a reader of the running daemon. Raises `Rejected` or `Unreachable`."""
    from gateway.roster.cells import suggestion

    if reader not in settings.readers:
        raise Rejected(
            Text("没有名为“{name}”的读卡器", "there is no reader '{name}'").with_(name=reader),
            hint=suggestion(reader, settings.readers),
        )
    question = partial(ask, settings.gateway.data_dir, do="next_card", reader=reader, asker=token_hex(8))
    deadline: float | None = None
    try:
        while (answer := question()).get("state") == State.WAITING:
            at = time.monotonic()
            if deadline is None:
                deadline = at + seconds
                point = settings.points[settings.readers[reader].point].name
                prompt = _PRESENT.with_(reader=reader, point=point, seconds=seconds)
                click.echo(prompt.say(language()), err=True)
            elif at >= deadline:
                break
            time.sleep(min(_ASK_AGAIN_S, max(0.0, deadline - at)))
    finally:
        with suppress(Unreachable, OSError):
            question(end=True)
    if answer.get("state") != State.READ:
        message, hint = _REFUSALS.get(answer.get("state", ""), _UNHEARD_OF)
        raise Rejected(message.with_(reader=reader, seconds=seconds, detail=answer.get("detail", "")), hint=hint)
    return Credential(Format(answer["format"]), bytes.fromhex(answer["value"]))


def _written(card: Credential) -> str:
    """As the roster writes it. Raises `Rejected` where the roster could not: such a card opens nothing."""
    with suppress(Rejected, ValueError):
        written = card.written()
        if written.isprintable() and parse_credential(written) == card:
            return written
    raise Rejected(
        Text(
            "已读到，但名册写不下这个卡号（其中有空格、分号或控制字符，或过长）",
            "it was read, but the roster cannot hold it: spaces, semicolons or control characters in it, or too long",
        ),
        hint=Text(
            "让读卡器送出别的内容，例如改配置中的 pattern，只取号码",
            "have the reader send something else, e.g. a `pattern` in the configuration that takes the number alone",
        ),
    )


def _whose(card: str, holders: Sequence[Holder]) -> str:
    """`card` is quoted for the shell."""
    if not holders:
        return _NEW.with_(card=card).say(language())
    return "\n".join(_KNOWN.with_(holder=_named(one), id=one.id).say(language()) for one in holders)


def _named(holder: Holder) -> str:
    from gateway.roster.cells import ACTIVE, STATUS, in_chinese

    status = "" if holder.status == ACTIVE else holder.status
    word = in_chinese(STATUS, status) if language() is Language.ZH else status
    return " ".join(part for part in (holder.id, holder.name, holder.room, word) if part)
