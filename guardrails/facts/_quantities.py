"""A number with its unit: an amount, a percentage, a duration, a dose, or with none a number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from guardrails.facts._numerals import ENGLISH, KANJI, MIXED, SCALES, plain, value

# Kind, unit, what one of it is worth in that unit, and how it is written (a plural s is understood).
_TABLE = """
percentages % 1 %|percent|per cent|pct|パーセント|プロセント
percentages % 0.01 bp|bps|basis point|ベーシスポイント
percentages % 10 割
percentages pp 1 percentage point|% point|pp|ppt|パーセントポイント|%ポイント|ポイント
durations second 1 second|sec|秒間|秒
durations minute 1 minute|min|分間|分
durations hour 1 hour|hr|時間
durations day 1 day|日間|日
durations week 1 week|wk|週間|週
durations month 1 month|か月間|ヶ月間|カ月間|ケ月間|か月|ヶ月|カ月|ケ月|ヵ月|箇月
durations year 1 year|yr|年間|年
doses mg 1 mg|milligram|ミリグラム
doses mg 0.001 mcg|ug|μg|microgram|マイクログラム
doses mg 0.000001 ng|nanogram
doses mg 1000 g|gram|gm|グラム
doses ml 1 ml|milliliter|millilitre|cc|ミリリットル
doses ml 1000 liter|litre|リットル
doses iu 1 iu|i.u.|international unit|国際単位
doses unit 1 unit|単位
doses meq 1 meq|milliequivalent
doses mmol 1 mmol|millimole
doses tablet 1 tablet|tab|caplet|pill|錠
doses capsule 1 capsule|カプセル
doses drop 1 drop|滴
doses puff 1 puff|吸入
doses sachet 1 sachet|包
amounts USD 1 us dollar|u.s. dollar|dollar|usd|米ドル|ドル
amounts USD 0.01 cent|セント
amounts EUR 1 euro|eur|ユーロ
amounts GBP 1 pounds sterling|pound|gbp|英ポンド|ポンド
amounts GBP 0.01 pence
amounts JPY 1 japanese yen|yen|jpy|円
amounts CNY 1 yuan|cny|rmb|renminbi|人民元|元
amounts KRW 1 krw|ウォン
amounts INR 1 rupee|inr|ルピー
amounts CHF 1 swiss franc|chf|スイスフラン
amounts AUD 1 aud|australian dollar|豪ドル
amounts CAD 1 cad|canadian dollar
numbers counted 1 人|名|件|回|個|社|倍|台|枚|冊|点|歳|才|株|口
"""
_YEAR_AND = re.compile(r"(?:19|20)\d\d\sand\s")
_YEAR = 4  # digits
_PLAIN = 18
_COUNTED = "counted"
_SYMBOLS = {"$": "USD", "us$": "USD", "£": "GBP", "€": "EUR", "¥": "JPY", "₹": "INR", "₩": "KRW"}
_SYMBOLS |= {"a$": "AUD", "c$": "CAD", "hk$": "HKD", "s$": "SGD", "rmb": "CNY"}
_CODES = "USD|EUR|GBP|JPY|CNY|RMB|KRW|INR|CHF|AUD|CAD|HKD|SGD"
_PER = {"日": "day", "d": "day", "h": "hour", "hr": "hour", "回": "dose", "liter": "l", "litre": "l"}
# Kanji that spell a quantity but are words: "enough", "unified", "the whole area".
_PROSE = frozenset({"十分", "一元", "一円", "一点", "一口", "一台"})
_MONEY_SCALES = frozenset({"m", "mm", "b", "t"})  # 5m is five million in money, and five metres elsewhere


def _units() -> dict[str, tuple[str, str, str]]:
    rows = (line.split(" ", 3) for line in _TABLE.strip().splitlines())
    return {spelling: (kind, unit, factor) for kind, unit, factor, texts in rows for spelling in texts.split("|")}


_UNITS = _units()


def _unit_pattern() -> str:
    texts = sorted(_UNITS, key=len, reverse=True)
    plural = [re.escape(text) + (r"s?\b" if re.search(r"[a-z]{2}$", text) else "") for text in texts if text != "g"]
    return "(?:(?i:" + "|".join(plural).replace(r"\ ", r"\s") + r")|g\b|i\.u\.)"  # 5G is no dose


_NUMBER = f"(?:{ENGLISH}|{MIXED})"
_PREFIX = rf"(?:(?:US|HK|A|C|S)?\$|[£€¥₹₩]|\b(?:{_CODES})\s?)"
_SIGN = r"(?:-|▲\s?|(?i:minus)\s|マイナス)"
_BETWEEN = r"(?:\s?(?:-|~|から|ないし)\s?|\s(?i:to|or|and)\s)"
_SCALE = r"(?i:[\s-]?(?P<word>hundred|thousand|million|billion|trillion)\b|\s?(?P<scale>[mb]n|mm|tn|[kmbt])\b)"
_PER_PATTERN = r"(?:(?:\s?/\s?|\sper\s)(?:(?i:kg|day|dose|dl|ml|lit(?:er|re)|l|m2|hour|hr|h|d|week|min)\b|日|回)){0,2}"
# RE2 finds it, in linear time; `re` reads what was found, and takes the same way through it.
PATTERN = (
    rf"(?P<sign>{_SIGN})?(?:(?P<prefix>{_PREFIX})(?P<minus>-)?(?P<n1>{_NUMBER}|\.\d+)"
    rf"|\b(?P<n2>{_NUMBER})|(?P<n3>{KANJI})|\B(?P<n4>\.\d+))"
    rf"(?:{_BETWEEN}(?P<prefix2>{_PREFIX})?(?P<second>{_NUMBER}|{KANJI}))?"
    rf"{_SCALE}?(?:[\s-]?(?P<unit>{_unit_pattern()})(?P<per>{_PER_PATTERN}))?"
)
_READ = re.compile(PATTERN, re.ASCII)


class _Unit(NamedTuple):
    """What follows or precedes a number: its kind, unit, what one is worth, and its power of ten."""

    kind: str
    name: str
    factor: str
    power: int
    end: int

    def key(self, number: str, power: int, *, negative: bool = False) -> tuple[str, ...]:
        value = plain(number, self.factor, power)
        named = (self.name,) if self.kind != "numbers" else ()
        return ("-" * negative + value, *named)


def read(text: str, start: int, end: int) -> Iterator[tuple[str, tuple[str, ...], int, int]]:
    """The one or two quantities that `PATTERN` found there in a folded text: kind, key, start and end.

    Numbers in words without a unit are of kind `words`, which sources may state and texts are not held to.

    >>> list(read("$5 to 7 million", 0, 15))
    [('amounts', ('5000000', 'USD'), 0, 2), ('amounts', ('7000000', 'USD'), 6, 15)]
    """
    if end - start <= _PLAIN and text[start:end].isdecimal():  # most of what a hostile text can hold
        yield "numbers", (text[start:end].lstrip("0") or "0",), start, end
        return
    match = _READ.match(text, start)
    if not match or match[0] in _PROSE:
        return
    group = next(name for name in ("n1", "n2", "n3", "n4") if match[name])
    first, second, unit = match[group], match["second"], _unit(match, group)
    before = text[start - 1 : start] if start else ""
    hyphen = text[start] == "-" and not _may_precede_minus(before)
    if hyphen and before.isalpha() and before.isascii() and unit.kind == "numbers" and len(first) < _YEAR:
        return  # COVID-19
    start += hyphen
    negative = bool(match["minus"] or (match["sign"] and not hyphen))
    if second is None:
        yield _kind(unit, first), unit.key(first, unit.power, negative=negative), start, unit.end
        return
    if _YEAR_AND.match(match[0]):  # in 2020 and 7 percent
        yield "numbers", (first,), start, match.end(group)
        yield _kind(unit, second), unit.key(second, unit.power), match.start("second"), unit.end
        return
    # "$5 to 7 million" shares its million, "$500 to 1 million" does not.
    power = unit.power if _below(first, second) else 0
    yield _kind(unit, first), unit.key(first, power, negative=negative), start, match.end(group)
    start = match.start("second" if match["prefix2"] is None else "prefix2")
    yield _kind(unit, second), unit.key(second, unit.power), start, unit.end


def _unit(match: re.Match[str], first: str) -> _Unit:
    symbol = (match["prefix"] or match["prefix2"] or "").strip()
    kind, name, factor = _named((match["unit"] or "").lower())
    if symbol and kind == "numbers":
        kind, name, factor = "amounts", _SYMBOLS.get(symbol.lower(), symbol), "1"
    scale = (match["word"] or match["scale"] or "").lower()
    if scale in _MONEY_SCALES and kind != "amounts":
        return _Unit(kind, name, factor, 0, match.end("second" if match["second"] else first))
    if match["per"]:
        per = re.findall(r"[a-z]+2?|[日回]", match["per"].lower().replace("per", ""))
        name = "/".join([name, *(_PER.get(part, part) for part in per)])
    return _Unit(kind, name, factor, SCALES.get(scale, 0), match.end())


def _named(unit: str) -> tuple[str, str, str]:
    text = re.sub(r"\s", " ", unit)
    return _UNITS.get(text) or _UNITS.get(text.removesuffix("s")) or ("numbers", "", "1")


def _kind(unit: _Unit, number: str) -> str:
    """A number in words needs a unit or a counter to be a fact: 三人 is one, "three" is prose."""
    bare = unit.kind == "numbers" and unit.name != _COUNTED
    return "words" if bare and not any(map(str.isdigit, number)) else unit.kind


def _below(first: str, second: str) -> bool:
    low, high = value(first), value(second)
    return low is not None and high is not None and low < high


def _may_precede_minus(before: str) -> bool:
    return not before or before.isspace() or before in "([{\"':=,/|、。は約"
