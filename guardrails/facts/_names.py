"""Facts that are names: dates, citations, addresses. Each form is a pattern and the key of its match."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from guardrails.facts._numerals import plain

Key = tuple[str, ...]

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925, "大正": 1911, "明治": 1867}
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_YEAR = r"(?:1[5-9]|20)\d\d"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_M = r"(?:1[0-2]|0?[1-9])"
_NTH = r"(?:st|nd|rd|th)?\b"
_N = "[〇一二三四五六七八九十百千]"  # kanji numerals: 第二十八条
_JP_N = rf"(?:\d{{1,4}}|{_N}{{1,7}})"
_JP_DAY = rf"(?P<m>\b{_M}|{_N}{{1,2}})月(?:\s?(?P<d>{_DAY}|{_N}{{1,3}})日)?"
_NAMED_LAW = (
    r"(?:(?:[一-龥々ァ-ヶー]{2,20}(?:の|及び|並びに)){0,3}[一-龥々ァ-ヶー]{1,20}に(?:関する|係る)"
    r"(?:[一-龥々]{1,8}(?:の|に関する)){0,2}[一-龥々]{0,10}(?:法律|[府省]?令|規則|条例)"
    r"|[一-龥々ァ-ヶー]{1,20}(?:法|[府省政]令|規則|条例)(?:施行令|施行規則)?)"
)
_SAME_LAW = frozenset({"同法", "本法", "同令", "同規則"})
# Short names that everybody uses, as the full name is read above.
_LAWS = {
    "金商法": "金融商品取引法",
    "個人情報保護法": "個人情報の保護に関する法律",
    "薬機法": "有効性及び安全性の確保等に関する法律",
}
_HEADING = re.compile(
    rf"^[ \t#]{{0,20}}(?:(?P<article>第{_JP_N}条(?:の{_JP_N}){{0,3}})(?:[ \t(]|$)|(?P<paragraph>第{_JP_N}項)[ \t]*$"
    rf"|(?P<item>{_N}{{1,5}}(?:の{_N}{{1,3}})?)[ \t]|第(?P<numbered>{_JP_N})号[ \t]*$"
    rf"|(?:[^\n]{{0,60}}(?:、|による))?(?P<law>{_NAMED_LAW})[ \t]*$)",
    re.ASCII | re.MULTILINE,
)
_PARTY = r"[A-Z][\w'.-]{0,20}"
_LINK = r"(?:of|the|and|&|for|ex rel\.)"
_LEADS = r"(?:(?:In|See|The|As|Under|But|Cf\.|And|Per|While|Also|E\.g\.),?\s)*"
_SUB = r"(?:\(\w{1,5}\))"


@dataclass(frozen=True, slots=True)
class Form:
    """One way of writing a fact. `key` reads a match; None says that it is no fact after all."""

    kind: str
    pattern: str
    key: Callable[[re.Match[str]], Key | None]


def read(text: str, start: int) -> Iterator[tuple[str, Key, int, int]]:
    """The fact that one of `FORMS` found there in a folded text: kind, key, start and end."""
    for form in FORMS:
        match = _compiled(form.pattern).match(text, start)
        if match:
            key = form.key(match)
            if key:
                yield form.kind, key, *match.span(match.re.groupindex.get("fact", 0))
            return


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


def _date(match: re.Match[str]) -> Key:
    groups = match.groupdict()
    year, month, day = (groups.get(name) or "" for name in ("y", "m", "d"))
    year = year or groups.get("y2") or groups.get("y3") or ""
    if month and not month.isdigit() and month.isascii():
        month = str(_MONTHS.index(month[:3].lower()) + 1)
    if groups.get("era"):
        year = str(_ERAS[groups["era"]] + int(plain("1" if year == "元" else year)))
    if len(year) == 2:  # noqa: PLR2004 - FY18
        year = "20" + year
    if groups.get("fiscal"):
        month = "FY"
    parts = [plain(part) if part and part != "FY" else part for part in (year, month, day)]
    while not parts[-1]:
        parts.pop()
    return tuple(parts)


def _slashed(match: re.Match[str]) -> Key:
    """3/15/2024 and 15/3/2024 say which is the month; 3/4/2024 is read as in the US."""
    first, second, year = (int(part) for part in match.group("a", "b", "y"))
    month, day = (second, first) if first > 12 else (first, second)  # noqa: PLR2004 - a year's months
    return str(year), str(month), str(day)


def _law(match: re.Match[str]) -> Key:
    """Article, paragraph, item: the coarser ones are prefixes, so that 第5条第1項 states 第5条."""
    article, *rest = re.findall(rf"(?:\d+|{_N}+)[条項号](?:の(?:\d+|{_N}+))*", match["place"].replace(" ", ""))
    return _law_name(match["law"] or "") + _place(article), *(_place(part) for part in rest)


def _law_name(name: str) -> str:
    return "" if name in _SAME_LAW else _LAWS.get(name, name)


def headings(text: str) -> Iterator[Key]:
    """What the headings of a folded source state: a law, then 第5条, then 第1項, then its items, a line each."""
    law = article = ""
    paragraph: Key = ()
    for match in _HEADING.finditer(text):
        if match["law"]:
            law, article, paragraph = _law_name(match["law"]), "", ()
        elif match["article"]:
            article, paragraph = _place(match["article"]), ()
        elif match["paragraph"]:
            paragraph = (_place(match["paragraph"]),)
        if law and article:
            item = match["item"] or match["numbered"]
            yield law + article, *paragraph, *([_place(item) + "号"] if item else [])


def _place(text: str) -> str:
    return re.sub(rf"\d+|{_N}+", lambda number: plain(number[0]), text.replace("第", "").replace(" ", ""))


def _section(match: re.Match[str]) -> Key:
    """Title, code and section, then each subsection: 15 U.S.C. § 78j(b) states 15 U.S.C. § 78j."""
    head = re.sub(r"[.§]", "", match["code"]).lower().replace("section", "").replace(" ", "")
    section, *rest = _subsections(match["section"])
    return f"{match['title']} {head.replace('part', '')} {section}", *rest


def _rule(match: re.Match[str]) -> Key:
    word = re.sub(r"^(?:§+|sections?|secs?\.?)$", "section", match["word"].lower())
    word = re.sub(r"^(?:articles?|arts?\.?)$", "article", word)
    number, *rest = _subsections(match["number"])
    return " ".join(filter(None, [(match["issuer"] or "").lower(), word.rstrip("s"), number])), *rest


def _subsections(text: str) -> list[str]:
    found = re.fullmatch(r"(.*?)((?:\([^()]*\))*)", text)
    return [found[1].lower(), *re.findall(r"\(([^()]*)\)", found[2])] if found else [text]


def _reporter(match: re.Match[str]) -> Key:
    reporter = re.sub(r"[\s.]", "", match["reporter"]).lower()
    pin = match.groupdict().get("pin")
    return f"{match['volume']} {reporter} {match['page']}", *([pin] if pin else [])


def _case(match: re.Match[str]) -> Key:
    """Parties by their first words, since the rest is abbreviated at will (Ins. Co., Insurance Company)."""
    sides = re.split(r"\sv(?:s?\.|\b)\s", match["fact"], maxsplit=1)
    return (" v ".join(re.sub(r"[.,]", "", side.split()[0]).removesuffix("'s").lower() for side in sides),)


def _author(match: re.Match[str]) -> Key:
    return (f"{match['author'].lower()} {match['year']}",)


def _squeezed(match: re.Match[str]) -> Key:
    return (re.sub(r"[\s:]+", " ", match[0]).lower(),)


def _identifier(match: re.Match[str]) -> Key:
    return (f"{match['scheme'].lower().strip(': ')} {match['id']}",)


def _url(match: re.Match[str]) -> Key:
    return (re.sub(r"(?i)^(?:https?://)?(?:www\.)?|/$", "", match[0]),)


def _nothing(_match: re.Match[str]) -> None:
    return None


# In order of precedence, where two start at the same place.
FORMS = (
    Form(
        "citations",
        r"(?i:doi:?\s?|https?://(?:dx\.)?doi\.org/)10\.\d{4,9}/[^\s\"<>、。]*[^\s\"<>、。.,;:)]",
        lambda m: ("doi " + m[0][m[0].index("10.") :].lower(),),
    ),
    Form("urls", r"(?i:https?://|\bwww\.)[^\s\"<>、。」』】]*[^\s\"<>、。」』】.,;:!?)\]}'*]", _url),
    Form(
        "emails", r"\b[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b", lambda m: (m[0].lower(),)
    ),
    Form("citations", r"\b(?P<scheme>(?i:pmid|pmc|arxiv)):?\s?(?P<id>\d{4,12}(?:\.\d{1,6})?)", _identifier),
    Form(
        "citations",
        r"\[(?:1[89]|20)\d\d\]\s(?:\d{1,3}\s)?[A-Z]{2,6}(?:\s(?:Civ|Crim))?\s\d{1,5}(?:\s\([A-Z][A-Za-z]{1,6}\))?",
        _squeezed,
    ),
    Form(
        "citations",
        rf"\b(?P<title>\d{{1,3}})\s(?P<code>(?:C\.?F\.?R|U\.?\s?S\.?C)\b\.?(?:\s?§+|\s(?i:part|section|sec\.))?)\s?(?P<section>\d[\w.]{{0,12}}(?:-\d+[a-z]?)?(?:{_SUB}{{0,5}}-\d{{1,3}})?{_SUB}{{0,6}})",
        _section,
    ),
    Form(
        "citations",
        r"\b(?P<volume>\d{4})\s(?P<reporter>(?:[A-Z][A-Za-z]{0,6}\.\s?){0,5}(?:LEXIS|WL))\s(?P<page>\d{3,9})\b"
        r"(?:,\s(?:at\s)?(?P<pin>\*\d{1,4}))?",
        _reporter,
    ),
    Form(
        "citations",
        r"\b(?P<volume>\d{1,4})\s(?P<reporter>(?:[A-Z][A-Za-z']{0,6}\.\s?){1,4}(?:(?:2d|3d|4th|5th)\s)?)\s?(?P<page>\d{1,5})\b",
        _reporter,
    ),
    Form(
        "citations",
        rf"\b(?P<issuer>FINRA|SEC|NASD|MSRB|CFTC|NYSE|FRCP|GDPR)?\s?\b(?P<word>Rules?|Regulation|Articles?|Art\.|Sections?|Sec\.|§+)\s?(?P<number>\d\w{{0,6}}(?:[.-]\w{{1,6}}){{0,3}}(?:{_SUB}{{1,5}}-\d{{1,3}})?{_SUB}{{0,6}})",
        _rule,
    ),
    Form(
        "citations",
        rf"\b{_LEADS}(?P<fact>{_PARTY}(?:,?\s(?:{_LINK}\s)?{_PARTY}){{0,5}}\sv(?:s?\.|\b)\s{_PARTY}(?:\s(?:{_LINK}\s)?{_PARTY}){{0,5}})",
        _case,
    ),
    Form(
        "citations",
        r"\b(?P<author>[A-Z][\w'-]{1,30})(?:\s(?:and|&)\s[A-Z][\w'-]{1,30}|\set\sal\.?),?\s\(?(?P<year>(?:1[89]|20)\d\d[a-z]?)\b\)?",
        _author,
    ),
    Form(
        "citations",
        rf"(?:(?P<law>{_NAMED_LAW})(?:\s?\([^()]{{0,40}}\))?[\s#]{{0,8}})?(?P<place>第\s?{_JP_N}条(?:の{_JP_N}){{0,3}}(?:[\s#]{{0,8}}第?{_JP_N}項)?(?:[\s#]{{0,8}}第?{_JP_N}号)?)",
        _law,
    ),
    Form("dates", rf"\b(?P<y>{_YEAR})[-/.](?P<m>{_M})[-/.](?P<d>{_DAY})\b", _date),
    Form("dates", rf"\b(?P<a>\d{{1,2}})/(?P<b>\d{{1,2}})/(?P<y>{_YEAR})\b", _slashed),
    Form("dates", rf"\b(?P<m>{_MONTH})\s?(?P<d>{_DAY}){_NTH}(?:,?\s(?P<y>{_YEAR})\b)?", _date),
    Form("dates", rf"\b(?P<d>{_DAY}){_NTH}\s(?:of\s)?(?P<m>{_MONTH})(?:,?\s(?P<y>{_YEAR})\b)?", _date),
    Form("dates", rf"\b(?P<m>{_MONTH}),?\s(?:of\s)?(?P<y>{_YEAR})\b", _date),
    Form("dates", rf"\b(?P<fiscal>FY|(?i:fiscal)(?:\s(?i:year))?)\s?(?P<y>{_YEAR}|\d\d)\b", _date),
    Form(
        "dates",
        rf"(?:(?P<era>{'|'.join(_ERAS)})\s?(?P<y>\d{{1,2}}|元|{_N}{{1,3}})|\b(?P<y2>{_YEAR})|(?P<y3>[一二][〇一二三四五六七八九]{{3}}))年(?:(?P<fiscal>度)|\s?{_JP_DAY})?",
        _date,
    ),
    Form("dates", _JP_DAY, _date),
    Form(
        "numbers",
        rf"(?:\b\d{{1,6}}|{_N}{{1,7}})分の(?:\d{{1,6}}|{_N}{{1,7}})",
        lambda m: ("/".join(plain(part) for part in reversed(m[0].split("分の"))),),
    ),
    # What looks like a number and is none: ordinals, vague amounts.
    Form("none", rf"\b\d{{1,6}}(?:st|nd|rd|th)\b|第(?:\d{{1,6}}|{_N}{{1,7}})|[数何幾][十百千万億兆]+", _nothing),
)
