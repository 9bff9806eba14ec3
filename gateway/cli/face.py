"""`compound-gateway face …`: enrol holders by photo with their consent, list them, erase them.

The rule: nothing is kept without its audit event, which names the holder by keyed hash only; a photo that is not good
enough is refused with the measured value and the fix. Erasing works whatever the configuration or the roster says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from gateway.cli.options import config_option, json_option, language, load_settings
from gateway.cli.trail import leave
from gateway.errors import Rejected
from gateway.text import Text

if TYPE_CHECKING:
    from gateway.faces import Consent, FaceStore, ModelId
    from gateway.roster import Roster
    from gateway.settings import Settings
    from gateway.vision.desk import EnrolmentDesk

_ENOUGH = 3  # photos of one person


@click.group()
def command() -> None:
    """人脸登记与删除 · Enrol and erase faces, with consent."""


@command.command("enrol")
@click.argument("holder")
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO…")
@click.option("--consent-version", required=True, help="同意书版本 · Version of the consent text.")
@click.option("--consent-channel", required=True, help="同意的渠道 · How consent was given: paper, app, counter …")
@click.option(
    "--consent-ref", required=True, help="同意凭证的存放处或编号（勿写姓名） · Where the proof lies; write no names."
)
@click.option("--consent-time", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="同意时间，默认现在 · Default: now.")
@click.option("--guardian", help="未满 14 岁者的监护人 · Guardian who consented for a child under 14.")
@click.option(
    "--min-eyes",
    type=click.FloatRange(10, 500),
    help="两眼间距下限（像素），默认 60 · Least pixels between the eyes, default 60.",
)
@click.option(
    "--allow-similar", is_flag=True, help="与他人相似也登记（如双胞胎） · Enrol although somebody enrolled looks alike."
)
@click.option(
    "--delete-photos/--keep-photos",
    default=None,
    help="登记后删除照片；默认只删除 data_dir 内的 · Delete the photos afterwards; default: those inside data_dir.",
)
@click.option("--dry-run", is_flag=True, help="只检查照片，不登记 · Judge the photos, keep nothing.")
@config_option
def enrol(holder: str, photos: tuple[Path, ...], config_path: Path, dry_run: bool, **given: Any) -> None:
    """登记一位住户的人脸：一张即可，建议三张以上 · Enrol a holder's face: one photo will do, three are better.

    再次登记会替换以前的模板 · A second enrolment replaces the first.
    """
    settings = load_settings(config_path)
    _check_enabled(settings)
    consent = _consent(given)
    desk = _desk(settings, given["min_eyes"])
    subject = _ref(settings, holder)
    names = _names(settings)
    vectors = desk.judge(subject, photos, allow_similar=given["allow_similar"], names=names, tell=_tell)
    if len(photos) < _ENOUGH:
        _tell(_MORE.with_(found=len(photos), need=_ENOUGH))
    if dry_run:
        _say(_WOULD.with_(holder=holder, count=len(vectors)))
        return
    data = {"consent": _consent_data(consent), "model": desk.model.name, "enrolled": len(vectors)}
    audit = partial(_audit, settings, "audit.face_enrolled", subject, data)
    people = _store(settings).enrol(subject, vectors, consent, desk.model, audit=audit)
    _say(_ENROLLED.with_(holder=holder, ref=subject, count=len(vectors), people=people))
    _warn_of_the_limit(people)
    _dispose(photos, settings.gateway.data_dir, given["delete_photos"])


@command.command("erase")
@click.argument("holder")
@click.option(
    "--reason", required=True, help="原因（勿写姓名），如 撤回同意 · Why, without names: withdrawn, moved-out …"
)
@click.option("--dry-run", is_flag=True, help="只说明会删除什么 · Only say what would go.")
@config_option
def erase(holder: str, reason: str, dry_run: bool, config_path: Path) -> None:
    """删除一位住户的人脸模板与同意记录 · Erase a holder's templates and consent record.

    HOLDER 为住户编号或 h:… ，已搬走的也可 · A holder id or its h:… reference, also of someone who has moved out.
    """
    settings = load_settings(config_path)
    subject = holder if holder.startswith("h:") else _keys(settings).holder_ref(holder)
    store = _store(settings)
    enrolled = sum(one.templates for one in store.subjects() if one.ref == subject)
    if not enrolled:
        raise Rejected(
            Text("没有“{holder}”的人脸记录", "no face of '{holder}' is enrolled").with_(holder=holder),
            hint=Text("compound-gateway face list 列出已登记的人", "compound-gateway face list shows who is"),
        )
    if dry_run:
        _say(_WOULD_ERASE.with_(holder=holder, count=enrolled))
        return
    data = {"reason": reason[:200], "erased": enrolled}
    count = store.erase(subject, audit=partial(_audit, settings, "audit.face_erased", subject, data))
    _say(_ERASED.with_(holder=holder, ref=subject, count=count))


@command.command("list")
@json_option
@config_option
def list_subjects(as_json: bool, config_path: Path) -> None:
    """列出已登记的人（不含模板） · List who is enrolled, without templates."""
    settings = load_settings(config_path)
    names = _names(settings)
    in_use = _model_in_use(settings)
    rows = [
        {
            "ref": one.ref,
            "holder_id": names.get(one.ref),
            "model": one.model.name,
            "templates": one.templates,
            "consent_version": one.consent_version,
            "enrolled_at": one.enrolled_at.isoformat(timespec="seconds"),
            "usable": one.model == in_use,
        }
        for one in _store(settings).subjects()
    ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for row in rows:
        click.echo("\t".join(str(row[key]) for key in ("ref", "holder_id", "model", "templates", "enrolled_at")))
    _tell(_LISTED.with_(count=len(rows)))


def _check_enabled(settings: Settings) -> None:
    if not settings.face.enabled:
        raise Rejected(
            Text("人脸识别未启用，不能登记", "face recognition is off: nobody can be enrolled"),
            hint=Text(
                "完成影响评估后在 [face] 写明 enabled = true、purpose、necessity、pia_ref",
                "after the impact assessment write enabled = true, purpose, necessity and pia_ref under [face]",
            ),
        )


def _desk(settings: Settings, min_eyes: float | None) -> EnrolmentDesk:
    from gateway.vision.desk import open_desk

    return open_desk(settings, _store(settings), min_eyes)


def _store(settings: Settings) -> FaceStore:
    from gateway.faces import FILE_NAME, FaceStore

    path = settings.gateway.data_dir / FILE_NAME
    return FaceStore(path, _keys(settings).face_key, filing_no=settings.face.filing_no)


def _model_in_use(settings: Settings) -> ModelId | None:
    """None where it is not there: then no template is usable."""
    from gateway.errors import ModelError
    from gateway.faces import ModelId
    from gateway.vision.catalogue import find, model_dirs

    try:
        model = find(settings.face.model, model_dirs(settings.gateway.data_dir))
    except ModelError:
        return None
    return ModelId(model.name, model.fingerprint)


def _keys(settings: Settings) -> Any:
    from gateway.keys import Keys

    return Keys(settings.gateway.data_dir)


def _roster(settings: Settings) -> Roster:
    from gateway.roster import FILE_NAME, Roster

    return Roster(settings.gateway.data_dir / FILE_NAME, _keys(settings))


def _names(settings: Settings) -> dict[str, str]:
    """Reference -> holder id, of everyone in the roster."""
    roster = _roster(settings)
    return {roster.ref(row.holder_id): row.holder_id for row in roster.list()}


def _ref(settings: Settings, holder: str) -> str:
    """The reference of a holder who is in the roster and whose time is not over."""
    from gateway.roster.cells import suggestion

    roster = _roster(settings)
    today = datetime.now(ZoneInfo(settings.site.timezone)).date()
    valid = (row.holder_id for row in roster.list() if row.valid_until is None or row.valid_until >= today)
    found = {holder_id: roster.ref(holder_id) for holder_id in valid}
    if holder not in found:
        raise Rejected(
            Text("名册中没有有效的住户“{holder}”", "no valid holder '{holder}' in the roster").with_(holder=holder),
            hint=suggestion(holder, found)
            if len(found) <= 50
            else Text("先用 compound-gateway roster add 添加", "add the holder first: compound-gateway roster add"),
        )
    return found[holder]


def _consent(given: dict[str, Any]) -> Consent:
    from gateway.faces import Consent

    time = given["consent_time"] or datetime.now(UTC)
    return Consent(
        given["consent_version"], given["consent_channel"], given["consent_ref"], time, given["guardian"] or None
    )


def _consent_data(consent: Consent) -> dict[str, Any]:
    return {
        "version": consent.version,
        "channel": consent.channel,
        "ref": consent.evidence_ref,
        "time": consent.time.isoformat(timespec="seconds"),
        "by_guardian": consent.guardian is not None,
    }


def _audit(settings: Settings, name: str, subject: str, data: dict[str, Any]) -> None:
    leave(settings, name, "faces", {"holder": {"ref": subject}, **data})


def _warn_of_the_limit(people: int) -> None:
    from gateway.faces import MOST_PEOPLE, WARN_PEOPLE

    if people >= WARN_PEOPLE:
        _tell(_NEAR_LIMIT.with_(people=people, most=MOST_PEOPLE))


def _dispose(photos: Sequence[Path], data_dir: Path, delete: bool | None) -> None:
    """The law wants the photo gone once the template is made; a file of the operator's own goes only when told so."""
    kept = []
    for photo in dict.fromkeys(photos):
        ours = photo.resolve().is_relative_to(data_dir.resolve())
        if not (ours if delete is None else delete):
            kept.append(photo)
            continue
        try:
            photo.unlink(missing_ok=True)
        except OSError as error:
            _tell(_NOT_DELETED.with_(photo=photo, error=error.strerror))
    if kept:
        _tell(_KEPT.with_(count=len(kept)))


def _say(text: Text) -> None:
    click.echo(text.say(language()))


def _tell(text: Text) -> None:
    """Advice and warnings: beside the result, not in it."""
    click.echo(text.say(language()), file=sys.stderr)


_MORE = Text("只有 {found} 张照片；建议 {need} 张以上，识别率更高", "{found} photos; {need} or more recognise better")
_WOULD = Text(
    "试运行：{holder} 的 {count} 张照片合格，未作登记", "dry run: {count} photos of {holder} are good, nothing was kept"
)
_ENROLLED = Text(
    "已登记 {holder}（{ref}）：{count} 个模板，共登记 {people} 人",
    "enrolled {holder} ({ref}): {count} templates, {people} people in all",
)
_WOULD_ERASE = Text(
    "试运行：将删除 {holder} 的 {count} 个模板", "dry run: {count} templates of {holder} would be erased"
)
_ERASED = Text("已删除 {holder}（{ref}）的 {count} 个模板", "erased {count} templates of {holder} ({ref})")
_LISTED = Text("{count} 人", "{count} people")
_KEPT = Text(
    "{count} 张照片仍在原处；法规要求登记后删除，可用 --delete-photos",
    "{count} photos are still there; the law wants them deleted after enrolment: delete them or use --delete-photos",
)
_NOT_DELETED = Text("照片 {photo} 未能删除：{error}", "the photo {photo} could not be deleted: {error}")
_NEAR_LIMIT = Text(
    "已登记 {people} 人；超过 {most} 人须备案", "{people} people are enrolled; past {most} a filing is needed"
)
