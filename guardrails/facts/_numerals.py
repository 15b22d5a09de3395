"""The value of a number, however it is written: 1,200, 1億2千万, 三百, "two hundred and fifty"."""

from __future__ import annotations

import re
from decimal import Context, Decimal

_LONGEST = 60  # what has more digits is a name, and is compared as text
_EXACT = Context(prec=4 * _LONGEST)
_ONES = "one two three four five six seven eight nine"
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {"a": 1, "an": 1}
_SMALL |= {word: value for value, word in enumerate([*_ONES.split(), *_TEENS.split()], 1)}
_SMALL |= {word: 10 * value for value, word in enumerate(_TENS.split(), 2)}
_BIG = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
SCALES = {"hundred": 2} | _BIG | {"k": 3, "m": 6, "mn": 6, "mm": 6, "b": 9, "bn": 9, "t": 12, "tn": 12}
_KANJI = {char: value for value, char in enumerate("〇一二三四五六七八九")} | {"零": 0}
_KANJI_SCALES = {"十": 1, "百": 2, "千": 3}
_MYRIADS = {"万": 4, "億": 8, "兆": 12}

# Patterns for RE2, over folded text. Every repetition that another pattern could follow is bounded.
DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[./]\d+)*)"
MIXED = DIGITS + r"(?:[十百千万億兆]{1,3}(?:\d,\d{3}|\d{1,4})?){0,4}"
KANJI = "[〇零一二三四五六七八九十百千][〇零一二三四五六七八九十百千万億兆]{0,20}"


def _english() -> str:
    ones, teens, tens = ("|".join(words.split()) for words in (_ONES, _TEENS, _TENS))
    small = rf"(?:(?:{tens})(?:[\s-](?:{ones}))?|{teens}|{ones})\b"
    big = rf"(?:[\s-](?:hundred|{'|'.join(_BIG)})\b(?:\s(?:and\s)?{small})?)"
    half = r"(?:[\s-]and[\s-]a[\s-]half\b)?"
    return rf"(?i:(?:half[\s-]an?\b|{small}){big}{{0,5}}{half}|an?{big}{{1,5}}{half})"


ENGLISH = _english()


def value(text: str) -> Decimal | None:
    """The value of digits, kanji numerals or English words; None for what is no one number (1.2.3, 120/80).

    >>> value("1億2,000万"), value("two hundred and fifty"), value("1.2.3")
    (Decimal('120000000'), Decimal('250'), None)
    """
    text = text.replace(",", "").lower()
    if len(text) > _LONGEST:
        return None
    if re.fullmatch(r"\d+(?:\.\d+)?|\.\d+", text):
        return Decimal(text)
    if re.match(r"[a-z]", text):
        return _in_english(text)
    return None if re.search(r"/|\..*\.", text) else _in_japanese(text)


def plain(text: str, factor: str = "1", power: int = 0) -> str:
    """One spelling for one value, times a factor and a power of ten: no grouping, padding or exponent.

    >>> plain("1,200.50", power=6), plain("5", factor="0.01"), plain("120/80")
    ('1200500000', '0.05', '120/80')
    """
    number = value(text)
    if number is None:
        return text.replace(",", "").lstrip("0") or "0"
    exact = _EXACT.normalize(_EXACT.multiply(_EXACT.multiply(number, Decimal(factor)), Decimal((0, (1,), power))))
    return format(exact, "f")


def _in_english(text: str) -> Decimal:
    total, current = Decimal(0), Decimal(0)
    for word in re.split(r"[\s-]+", re.sub(r"and[\s-]+a[\s-]+half|half[\s-]+an?", "half", text)):
        if word == "half":
            current += Decimal("0.5")
        elif word == "hundred":
            current *= 100
        elif word in _BIG:
            total, current = total + current.scaleb(_BIG[word]), Decimal(0)
        else:
            current += _SMALL.get(word, 0)
    return total + current


def _in_japanese(text: str) -> Decimal:
    zero, one = Decimal(0), Decimal(1)
    total = section = current = zero
    for token in re.findall(r"[\d.]+|\D", text):
        if token in _MYRIADS:
            total, section, current = total + ((section + current) or one).scaleb(_MYRIADS[token]), zero, zero
        elif token in _KANJI_SCALES:
            section, current = section + (current or one).scaleb(_KANJI_SCALES[token]), zero
        elif token in _KANJI:  # 二〇二四 is read digit by digit
            current = current * 10 + _KANJI[token]
        else:
            current = Decimal(token)
    return total + section + current
