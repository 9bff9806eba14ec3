"""The demo's story: a morning at the compound, with an outage and a power cut in the middle, and a count at the end."""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.demo.cards import VirtualReader, rdm6300_frame, wiegand26_line
from gateway.demo.ledger import Ledger, Row
from gateway.demo.platform import Platform
from gateway.demo.site import RESIDENT_CARDS, UNKNOWN_CARD, WIEGAND_CARD, Site
from gateway.text import Language, Text
from gateway.wording import describe, short_name

_PAUSE = 1.3  # seconds; longer than `hold_s`, so that the same card is a new presentation
_PATIENCE = 60.0


class Story:
    """Plays the demo once. `run` returns the exit code: 0 only if nothing was lost."""

    def __init__(self, language: Language, seconds: float, *, keep: bool) -> None:
        self._language = language
        self._seconds = seconds
        self._keep = keep
        self._console = Console(highlight=False, soft_wrap=True)
        self._ledger = Ledger(self._show_event)
        self._east = VirtualReader()
        self._west = VirtualReader()

    def run(self) -> int:
        with tempfile.TemporaryDirectory(prefix="compound-gateway-demo-") as folder:
            site = Site(Path(folder), self._language)
            platform = Platform(self._ledger)
            try:
                return self._play(site, platform)
            finally:
                site.stop()
                platform.close()

    def _play(self, site: Site, platform: Platform) -> int:
        began = time.monotonic()
        self._configure(site, platform, act=1)
        with self._wait(Text("准备模型、名册、画面", "preparing models, roster and pictures")):
            site.draw()
            site.settle_in()
            platform.up()
        self._say(Text("① 启动网关", "1. The gateway starts"))
        doors = site.start()
        self._say(Text("   {s:.1f} 秒后读卡器就绪", "   readers ready after {s:.1f} s").with_(s=doors))
        self._cars_and_faces(2, 1)
        self._morning()
        self._outage(platform)
        self._power_cut(site, platform)
        self._until(began + self._seconds)
        return self._count(site)

    # ── acts ──────────────────────────────────────────────────────────────────────────────────────────────

    def _morning(self) -> None:
        self._say(Text("② 刷卡、来车、来人", "2. Cards, cars, a face"))
        for number in RESIDENT_CARDS:
            self._card(number)
        self._wiegand()
        self._say(Text("   · 一张未登记的卡", "   · a card nobody knows"))
        self._card(UNKNOWN_CARD)
        self._say(Text("   · 一帧校验错误（不应产生事件）", "   · a frame with a bad checksum (must give no event)"))
        broken = bytearray(rdm6300_frame(RESIDENT_CARDS[0]))
        broken[12] ^= 0x01
        self._east.present(bytes(broken))
        with self._wait(Text("车辆与人脸", "cars and the face")):
            self._until_complete()

    def _outage(self, platform: Platform) -> None:
        self._say(Text("③ 平台中断 5 秒，门照常开", "3. The platform is gone for 5 s; the doors go on"))
        platform.down()
        for number in RESIDENT_CARDS:
            self._card(number)
        self._wiegand()
        platform.up()
        self._say(Text("   平台恢复，补传中", "   the platform is back; the backlog follows"))
        self._until_complete()

    def _power_cut(self, site: Site, platform: Platform) -> None:
        self._say(Text("④ 断电：kill -9，然后重启", "4. The power goes: kill -9, then a restart"))
        self._card(RESIDENT_CARDS[0], pause=0.15)
        site.kill()
        self._configure(site, platform, act=2)
        doors = site.start()
        self._say(Text("   {s:.1f} 秒后读卡器恢复", "   readers back after {s:.1f} s").with_(s=doors))
        self._cars_and_faces(1, 0)
        self._card(RESIDENT_CARDS[1])
        self._wiegand()
        with self._wait(Text("新能源车驶入", "a new-energy car drives in")):
            self._until_complete()

    # ── what passes ───────────────────────────────────────────────────────────────────────────────────────

    def _configure(self, site: Site, platform: Platform, *, act: int) -> None:
        site.configure(act=act, east=self._east.path, west=self._west.path, port=platform.road.port)

    def _cars_and_faces(self, cars: int, faces: int) -> None:
        for source, count in (("car", cars), ("face", faces)):
            for _ in range(count):
                self._ledger.present(source)

    def _card(self, number: bytes, pause: float = _PAUSE) -> None:
        self._ledger.present("card")
        self._east.present(rdm6300_frame(number))
        time.sleep(pause)

    def _wiegand(self) -> None:
        self._ledger.present("card")
        self._west.present(wiegand26_line(*WIEGAND_CARD))
        time.sleep(_PAUSE)

    def _until(self, deadline: float) -> None:
        """Fill the time that was asked for with further cards."""
        while time.monotonic() + _PAUSE < deadline:
            self._card(random.choice(RESIDENT_CARDS))

    def _until_complete(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not self._ledger.complete() and time.monotonic() < deadline:
            time.sleep(0.1)

    # ── the count ─────────────────────────────────────────────────────────────────────────────────────────

    def _count(self, site: Site) -> int:
        self._until_complete()
        time.sleep(1.0)  # whatever should not have come would come now
        if self._keep:
            self._say(
                Text("仍在运行：{folder}，按 Ctrl-C 结束", "still running in {folder}; Ctrl-C ends it").with_(
                    folder=site.folder
                )
            )
            with suppress(KeyboardInterrupt):
                site.stay()
        clean = site.stop() == 0
        journal = site.journal()
        rows = self._ledger.rows(journal)
        missing, gaps = self._ledger.missing(journal), self._ledger.gaps()
        self._print_table(rows)
        good = clean and not missing and not gaps and not any(row.lost or row.invented for row in rows)
        self._say(
            Text(
                "事件库 {kept} 条，平台缺 {missing} 条，序号缺口 {gaps} 个",
                "{kept} events in the journal, {missing} missing at the platform, {gaps} gaps in the sequence",
            ).with_(kept=len(journal), missing=len(missing), gaps=gaps)
        )
        verdict = Text("✔ 没有丢失", "✔ nothing lost") if good else Text("✘ 结果不对", "✘ not as it must be")
        self._console.print(verdict.say(self._language), style="bold green" if good else "bold red")
        if not good:
            self._console.print(site.log.read_text(encoding="utf-8", errors="replace")[-4000:])
        return 0 if good else 1

    def _print_table(self, rows: list[Row]) -> None:
        table = Table(title=Text("发出与收到", "Sent and received").say(self._language))
        heads = (
            Text("来源", "source"),
            Text("发出", "sent"),
            Text("收到", "received"),
            Text("丢失", "lost"),
            Text("重复投递", "delivered twice"),
        )
        for column, head in enumerate(heads):
            table.add_column(head.say(self._language), justify="left" if column == 0 else "right")
        for row in rows:
            figures = (row.sent, row.received, row.lost, row.duplicate)
            table.add_row(row.source.say(self._language), *(str(figure) for figure in figures))
        self._console.print(table)

    # ── talk ──────────────────────────────────────────────────────────────────────────────────────────────

    def _say(self, text: Text) -> None:
        self._console.print(text.say(self._language), style="bold")

    def _show_event(self, event: dict[str, Any], again: bool) -> None:
        at = datetime.fromisoformat(event["time"]).strftime("%H:%M:%S")
        words = describe(short_name(event["type"]), event.get("subject", ""), event["data"]).say(self._language)
        marks = [Text("补传", "replayed")] if event.get("replay") else []
        marks += [Text("重复", "again")] if again else []
        tail = "".join(f" [{mark.say(self._language)}]" for mark in marks)
        self._console.print(f"   {at}  #{event['sequence']:<4} {words}{tail}", markup=False, style="cyan")

    @contextmanager
    def _wait(self, what: Text) -> Iterator[None]:
        if not self._console.is_terminal:
            self._console.print(f"   … {what.say(self._language)}")
        with self._console.status(what.say(self._language)):
            yield


def play(language: Language, seconds: float, *, keep: bool) -> int:
    """Play the demo; the exit code is 0 only if nothing was lost. SIGTERM ends it and all its processes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return Story(language, seconds, keep=keep).run()
