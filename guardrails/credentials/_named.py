"""Credentials that follow their name: `password=…`, `"api_key": "…"`, "the password is …", パスワードは…."""

from __future__ import annotations

import re
from collections.abc import Iterator

from guardrails.credentials._values import LONG, is_placeholder, is_random, is_readable

_PASSWORDS = r"pass(?:word|wd|phrase|code)|pwd|パスワード|パスコード|パスフレーズ"
_SECRETS = (
    r"(?:api|secret|access|private|account|auth|encryption|signing|master|subscription|service|webhook|shared|storage)"
    r"[ _-]?(?:access[ _-]?)?key|secret|token|credential"
    r"|(?:API|アクセス|シークレット|認証|秘密)[ ]?キー|シークレット|トークン|秘密鍵"
)
_NUMBERED = r"(?:s|\d{1,2})?"
_SPACE = r"[\s\x{3000}\x{a0}\x{2007}\x{202f}\x{200b}\x{feff}]"

HINTS = (
    rf"(?:{_PASSWORDS}|{_SECRETS}|暗証番号|_KEY|(?:^|[^a-z])(?:pass|pin(?: number)?)){_NUMBERED}"
    r"[\"'`*_)\\\]“”„「」『』‘’＂＇＊）］]{0,4}"
    rf"(?:{_SPACE}{{0,3}}(?:[:=>|,→：＝＞｜，「『“‘\"]|[-‐‑‒–—−][>\s]|は|が|を|に)"
    rf"|{_SPACE}+(?:is|was|to|for|of|on|at)(?:\W|$)|{_SPACE}+[*_]{{0,2}}[\"'`“‘]?(?:[!-~]{{0,30}}[0-9]|[!-~]{{16}}))"
    r"|[?&;-]sig(?:nature)?=|--?[a-z0-9-]*(?:pass|pwd|secret|token|key)[a-z0-9]*\s"
)
"""For RE2, case ignored: a text with none of these holds no credential behind its name."""

_NAME = re.compile(
    rf"(?P<name>(?:(?P<password>{_PASSWORDS}|(?<![a-z])pass)|(?P<pin>(?<![a-z0-9])pin(?: number)?|暗証番号)"
    rf"|{_SECRETS}|(?-i:(?<=[A-Z]_)KEY)|(?<=[?&;-])sig(?:nature)?(?==)){_NUMBERED})(?![A-Za-z0-9_-]|\])"
    r"(?:\s(?:for|of|to|on|at)\s[^\n.:;=]{1,40}?(?=\s(?:is|was)\s|:\s))?"
    r"(?P<gap>[\"'`*_)\\\]]{0,4}\s{0,3}"
    r"(?:=>|:=|={1,3}|->|→|[:|]|>(?!\s*\n)|(?<=[\"'])\s?,|(?<=\s)-(?=\s)"
    r"|\b(?:is|was|to)\b(?: now)?:?|は[、,]?|[がをに])"
    r"[\s*|]{0,6}|[*_]{0,2}[ \t]{1,3}|(?=\"))(?P<quote>[frbu]?[\"'`\\]{1,4})?",
    re.IGNORECASE,
)
_OPTION = re.compile(r"(?:^|\s)--?[A-Za-z0-9-]*\Z")
_BEFORE = 30  # characters of an option before its last word

_PLAIN = re.compile(
    r"(?:[^\s\"'`<>()\[\]{}|,;&\\\u0080-\U0010ffff]|[,;&](?!\w{1,40}[=:]|[\s\"'`)\]}\u0080-\U0010ffff]|\Z))*+"
)
_QUOTED = {'"': re.compile(r'(?:[^\s"\\]|\\[^\s"])*+'), "'": re.compile(r"(?:[^\s'\\]|\\[^\s'])*+")}
_PHRASE = {'"': re.compile(r'[^"\\\n]{1,200}+(?=")'), "'": re.compile(r"[^'\\\n]{1,200}+(?=')")}
_CODE_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_CODE_WORDS = re.compile(r"[a-z]+(?:[_.][a-z]+)+")
_UNIT = re.compile(
    r"[年月日時文字桁回分秒円件%]|[ -]?(?:char|digit|day|hour|min|sec|year|time|month)|[./-]\d", re.IGNORECASE
)
_NO_LETTER = re.compile(r"[0-9!@#$%^&*+?=~]")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")  # a public account or contract on Ethereum
_PIN_DIGITS = (4, 8)
# Characters: the shortest password; the shortest key that is quoted or assigned; that stands after a colon or
# a verb; that stands after its name alone.
_PASSWORD, _ASSIGNED, _SAID, _BARE = 4, 8, 12, 16


def spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Where values stand that follow a name and look like what it names: start, end, kind, in order."""
    match = _NAME.search(text)
    while match:
        end = match.end("name")
        value, closed = _value(match)
        of_password = bool(match["password"] or match["pin"])
        if _is_password(value, match, closed=closed) if of_password else _is_key(value, match, closed=closed):
            end = match.end() + len(value)
            yield match.end(), end, "password" if of_password else _kind(match["name"].lower())
        match = _NAME.search(text, end)


def _kind(name: str) -> str:
    if "token" in name or "トークン" in name:
        return "token"
    return "api_key" if name.endswith(("key", "keys", "キー")) else "secret"


def _value(match: re.Match[str]) -> tuple[str, bool]:
    """The value behind a name, and whether quotation marks close it."""
    text, start = match.string, match.end()
    mark = next((char for char in match["quote"] or "" if char in _QUOTED), "")
    if mark and "phrase" in match["name"].lower() and (phrase := _PHRASE[mark].match(text, start)):
        return phrase[0], True
    found = _QUOTED.get(mark, _PLAIN).match(text, start)
    value = found[0] if found else ""
    after = text[start + len(value) : start + len(value) + 2]
    if after[:1] in {"(", "["} and _CODE_NAME.fullmatch(value):
        return "", False
    closed = bool(mark) and mark in after
    return (value if closed else value.rstrip("*.,;:")), closed


def _is_password(value: str, match: re.Match[str], *, closed: bool) -> bool:
    """Whether what follows the name of a password is one."""
    if len(value) > LONG or match["pin"]:
        return not match["pin"] or _is_pin(value, match)
    if is_placeholder(value):
        return False
    if closed or match["gap"] == "=" or _is_option(match):
        return len(value) >= _PASSWORD and (closed or not _CODE_WORDS.fullmatch(value))
    if value.isdigit():
        return _is_pin(value, match)
    if match["gap"].isspace() and (match["name"].lower() == "pass" or not any(map(str.isdigit, value))):
        return False
    mixed = any(map(str.isalpha, value)) and bool(_NO_LETTER.search(value.rstrip("!?")))
    return len(value) > _PASSWORD and mixed and not is_readable(value)


def _is_pin(value: str, match: re.Match[str]) -> bool:
    """Whether a value is digits that count nothing: "1234", and not "2024年" or "12 characters"."""
    end = match.end() + len(value)
    fits = value.isdigit() and _PIN_DIGITS[0] <= len(value) <= (_PIN_DIGITS[1] if match["pin"] else LONG)
    return fits and not match["gap"].isspace() and not _UNIT.match(match.string[end : end + 12])


def _is_key(value: str, match: re.Match[str], *, closed: bool) -> bool:
    """Whether what follows the name of a key or a token is one."""
    if len(value) > LONG:
        return True
    if not is_random(value) or is_placeholder(value) or _ADDRESS.fullmatch(value):
        return False
    if closed or match["gap"] == "=" or _is_option(match):
        return len(value) >= _ASSIGNED
    return len(value) >= (_BARE if match["gap"].isspace() else _SAID)


def _is_option(match: re.Match[str]) -> bool:
    """Whether the name is an option of a command, as in `--password x`."""
    start = match.start()
    return match["gap"].isspace() and bool(_OPTION.search(match.string[max(0, start - _BEFORE) : start]))
