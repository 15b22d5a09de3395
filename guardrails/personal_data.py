"""Personal data in a text: cards, IBANs, US and Japanese identity numbers, e-mail, phones, IP addresses.

A number counts where its check digits hold and its shape is one that people write. A number that follows
its own name ("card 4111…", マイナンバー1234…) counts without them: a mistyped number still discloses. Names of people
and street addresses have no shape to find, and are a judge's business.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

# In order of precedence: where two overlap, the first one stands.
KINDS = ("card", "iban", "ssn", "my_number", "email", "phone", "ip")

# One character for one, so that offsets stay: full-width forms, spaces and the dashes that people type.
_FOLDS = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_FOLDS |= {ord(char): ord(" ") for char in "\u3000\u00a0\u2007\u202f"} | {ord(char): ord("-") for char in "‐‑‒–—−"}

# Four asterisks are how `mask` ends what it hid: what touches them is the rest of a masked number.
_START = r"(?<![\dA-Za-z])(?<!\d[-.])(?<!\*{4})(?<!\*{4}[ -])"
_END = r"(?![\dA-Za-z])(?!-\d)(?!\*{4})"
_AFTER = r"(?:(?!\*{4})[^\d\n]){0,20}?"

_MONEY = r"(?!\s?(?:円|元|ドル|ユーロ|yen|dollars?|euros?))"
_CARD = re.compile(
    rf"{_START}(?<![$¥€£])(?:"
    r"\d{4}(?P<a>[ -]?)\d{4}(?P=a)\d{4}(?P=a)(?:\d{1,4}(?:(?P=a)\d{3})?)?"
    rf"|\d{{4}}(?P<b>[ -])\d{{6}}(?P=b)\d{{4,5}}){_END}{_MONEY}"
)
_IBAN = re.compile(_START + r"[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?" + _END, re.IGNORECASE)
_SSN = re.compile(_START + r"\d{3}(?P<gap>[ -]?)\d{2}(?P=gap)\d{4}" + _END)
_MY_NUMBER = re.compile(_START + r"\d{4}(?P<gap>[ -]?)\d{4}(?P=gap)\d{4}" + _END)
# Japanese puts no space around an address, Markdown underscores: both are word characters.
_EMAIL = re.compile(
    r"(?:(?<![\w.%+-])[\w.%+-]{1,64}|(?<![A-Za-z0-9_.%+-])[A-Za-z0-9_.%+-]{1,64})"
    r"@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
)
_PHONE = re.compile(
    r"(?<![\d.+*-])(?<![A-Za-z])(?:"
    r"\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,4}"  # +44 20 7946 0958
    r"|(?:1[ .-])?(?:\(\d{3}\)[ ]?|\d{3}[ .-])\d{3}[ .-]\d{4}"  # (212) 555-0100
    r"|\(?0[1-9]\d{0,3}\)?(?:[ -]?\(\d{1,4}\)[ -]?|[ -])\d{2,8}(?:[ -]\d{2,4}){0,3}"  # 03-1234-5678, 032 288 79 44
    r"|0[5789]0\d{8}"  # 09012345678
    r")" + _END
)
_PHONE_NAMED = re.compile(_START + r"(?!(?:19|20)\d\d-)\(?\d{1,4}\)?(?:[ -]?\d{2,4}){1,4}" + _END)
_IP = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)|[0-9A-Fa-f:]{6,39}(?![\w:]))")

_NAMES_CARD = re.compile(rf"(?:\bcard\b|\bcc\b|カード){_AFTER}\Z", re.IGNORECASE)
_NAMES_SSN = re.compile(rf"(?:\bssn\b|\bsocial security\b|社会保障番号){_AFTER}\Z", re.IGNORECASE)
_NAMES_MY_NUMBER = re.compile(
    rf"(?:マイナンバー|個人番号|\bmy ?number\b|\bindividual number\b){_AFTER}\Z", re.IGNORECASE
)
_NAMES_PHONE = re.compile(rf"(?:\bphone\b|\btel\b|\bmobile\b|\bcell\b|\bcall\b|電話){_AFTER}\Z", re.IGNORECASE)
_BEFORE = 48  # characters that a name and its gap may take

# Issuers' first digits, with the lengths they issue (ISO/IEC 7812; the networks' published ranges).
_ISSUED = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|09|6\d|[89]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|6(?:011|4[4-9]\d|5\d\d|2\d\d)\d{12,15}"
)
_BASE_36 = {ord(letter): str(value) for value, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10)}
_MIN_IBAN = 15
_MIN_LOCAL, _MIN_PHONE, _MAX_PHONE = 7, 9, 15  # digits


@dataclass(frozen=True, slots=True)
class PersonalData:
    """One piece of personal data: its kind (of `KINDS`) and place; `text` is `original[start:end]`."""

    kind: str
    start: int
    end: int
    text: str


def find(text: str, kinds: Collection[str] | None = None) -> tuple[PersonalData, ...]:
    """The personal data in a text, in order and without overlap; `kinds` (of `KINDS`) looks for those only.

    >>> [(found.kind, found.text) for found in find("Card 4111 1111 1111 1111, a@example.com, fee 1,234円")]
    [('card', '4111 1111 1111 1111'), ('email', 'a@example.com')]
    """
    wanted = frozenset(KINDS if kinds is None else kinds)
    if unknown := sorted(wanted.difference(KINDS)):
        raise ValueError(f"no such kind of personal data: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    folded = text if text.isascii() else text.translate(_FOLDS)
    taken = bytearray(len(text))
    found = []
    for kind in KINDS:
        if kind not in wanted:
            continue
        for start, end in _FINDERS[kind](folded):
            if 1 not in taken[start:end]:
                taken[start:end] = b"\x01" * (end - start)
                found.append(PersonalData(kind, start, end, text[start:end]))
    return tuple(sorted(found, key=lambda item: item.start))


def mask(text: str, kinds: Collection[str] | None = None) -> str:
    """The text with its personal data hidden, so that a reader still knows which card or account was meant.

    Cards, IBANs, identity numbers and phones keep their last four characters, e-mail addresses their
    first and their domain, IP addresses nothing. Masking twice changes nothing more.

    >>> mask("4111 1111 1111 1111, SSN 536-90-4399, jane@example.com")
    '**** **** **** 1111, SSN ***-**-4399, j***@example.com'
    """
    # What stood beside a number may be one itself once that number is hidden: so again, until none is left.
    while found := find(text, kinds):
        pieces, end = [], 0
        for item in found:
            pieces += [text[end : item.start], masked(item.kind, item.text)]
            end = item.end
        hidden = "".join([*pieces, text[end:]])
        if hidden == text:
            break
        text = hidden
    return text


def masked(kind: str, text: str) -> str:
    """One piece of personal data, hidden.

    >>> masked("ssn", "536-90-4399")
    '***-**-4399'
    """
    last = re.sub(r"[^\dA-Za-z]", "", text.translate(_FOLDS))[-4:]
    if kind == "email":
        return f"{text[0]}***@{text.rpartition('@')[2]}"
    if kind == "ssn":
        return f"***-**-{last}"
    return {"card": f"**** **** **** {last}", "ip": "****"}.get(kind, f"**** **** {last}")


def _cards(text: str) -> Iterator[tuple[int, int]]:
    from stdnum import luhn

    for match in _CARD.finditer(text):
        digits = _digits(match[0])
        issued = _ISSUED.fullmatch(digits) and luhn.is_valid(digits)
        if issued or _named(_NAMES_CARD, text, match.start()):
            yield match.span()


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    match = _IBAN.search(text)
    while match:
        start, end = match.span()
        # The pattern may run on into the next words: the longest valid part counts.
        gaps = [start + gap.start() for gap in re.finditer("[ -]", match[0])]
        end = next((end for end in (end, *reversed(gaps)) if _is_iban(text[start:end])), start)
        if end > start:
            yield start, end
        match = _IBAN.search(text, max(end, start + 1))


def _is_iban(text: str) -> bool:
    from stdnum import iban

    account = text.replace(" ", "").replace("-", "").upper()
    if len(account) < _MIN_IBAN:
        return False
    # The check digits first: python-stdnum's look-up of the country's format costs ten times as much.
    return int((account[4:] + account[:4]).translate(_BASE_36)) % 97 == 1 and bool(iban.is_valid(account))


def _ssns(text: str) -> Iterator[tuple[int, int]]:
    from stdnum.us import ssn

    for match in _SSN.finditer(text):
        if (match["gap"] == "-" and ssn.is_valid(match[0])) or _named(_NAMES_SSN, text, match.start()):
            yield match.span()


def _my_numbers(text: str) -> Iterator[tuple[int, int]]:
    from stdnum.jp import in_ as my_number

    for match in _MY_NUMBER.finditer(text):
        valid = match["gap"] and my_number.is_valid(match[0])
        if valid or _named(_NAMES_MY_NUMBER, text, match.start()):
            yield match.span()


def _emails(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in _EMAIL.finditer(text))


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in _PHONE.finditer(text):
        if _MIN_PHONE <= len(_digits(match[0])) <= _MAX_PHONE:
            yield match.span()
    for match in _PHONE_NAMED.finditer(text):
        if len(_digits(match[0])) >= _MIN_LOCAL and _named(_NAMES_PHONE, text, match.start()):
            yield match.span()


def _ips(text: str) -> Iterator[tuple[int, int]]:
    for match in _IP.finditer(text):
        try:
            ipaddress.ip_address(match[0])
        except ValueError:
            continue
        yield match.span()


def _named(names: re.Pattern[str], text: str, start: int) -> bool:
    """Whether the number at `start` follows its own name, with no other number between."""
    return bool(names.search(text[max(0, start - _BEFORE) : start]))


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


_FINDERS: dict[str, Callable[[str], Iterator[tuple[int, int]]]] = {
    "card": _cards,
    "iban": _ibans,
    "ssn": _ssns,
    "my_number": _my_numbers,
    "email": _emails,
    "phone": _phones,
    "ip": _ips,
}
