"""A sentence for staff, in Chinese and English side by side."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Language(StrEnum):
    """The language of messages, chosen by `site.language`."""

    ZH = "zh"
    EN = "en"


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in both languages. `{name}` fields are filled by `with_`, in both at once."""

    zh: str
    en: str
    values: dict[str, Any] = field(default_factory=dict)

    def with_(self, **values: Any) -> Text:
        """Return the same sentence with more fields filled. A value may itself be a `Text`."""
        return Text(self.zh, self.en, {**self.values, **values})

    def say(self, language: Language) -> str:
        """Return the sentence in one language, every field filled."""
        values = {
            name: value.say(language) if isinstance(value, Text) else value for name, value in self.values.items()
        }
        template = self.zh if language is Language.ZH else self.en
        return template.format(**values) if values else template

    def __str__(self) -> str:
        """English, for logs."""
        return self.say(Language.EN)


def spoken(part: Text | str, language: Language) -> str:
    """What may be a plain text as well: a name, a command, the words of another program."""
    return part.say(language) if isinstance(part, Text) else part


def on_one_line(text: str) -> str:
    """What strangers may have written, fit for a terminal and a log: no line ends, no escape sequences."""
    return "".join(character if character.isprintable() else "?" for character in text)


def printable(name: str) -> str:
    """A file name as text. Bytes that are no UTF-8 are read as GBK, as Chinese cameras write it, or become escapes."""
    with suppress(UnicodeError):
        name.encode()
        return name
    with suppress(UnicodeError):
        return name.encode("utf-8", "surrogateescape").decode("gb18030")
    return name.encode("utf-8", "backslashreplace").decode()
