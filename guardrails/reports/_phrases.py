"""What the library itself writes into records, in English, and what it means in other languages.

The record is quoted as it is; these stand beside it. A phrase that is not here is quoted alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Phrases = tuple[tuple[re.Pattern[str], str], ...]
"""Whole phrases, each with its meaning, into which goes what the groups of the phrase matched."""

_KINDS = {
    "amounts": "金額",
    "percentages": "割合",
    "dates": "日付",
    "durations": "期間",
    "doses": "用量",
    "citations": "引用",
    "urls": "URL",
    "emails": "メールアドレス",
    "numbers": "数値",
    "card": "カード番号",
    "iban": "IBAN",
    "ssn": "社会保障番号",
    "my number": "個人番号",
    "email": "メールアドレス",
    "phone": "電話番号",
    "ip": "IPアドレス",
}

_JAPANESE: Phrases = tuple(
    (re.compile(pattern, re.DOTALL), meaning)
    for pattern, meaning in (
        ("it is data, which is judged and never edited", "データ形式の回答であり、判定のみを行い修正の対象としない"),
        ("revisions ran out", "修正回数の上限に達した"),
        ("its judge gave no verdict", "判定者から判定が得られなかった"),
        ("the judge could not tell", "判定者が判断できなかった"),
        (r"confidence (?P<is>\d+) is below the threshold of (?P<of>\d+)", "確信度 {is} は、しきい値 {of} を下回る"),
        (r"raised (?P<error>\w+)", "処理中に例外 {error} が発生した"),
        ("a required statement is missing", "必要な記載がない"),
        ("the edits delete the whole reply", "修正により回答全体が削除される"),
        ("says “(?P<text>.*)”", "「{text}」との記載がある"),
        (
            r"states (?P<kind>[a-z ]+) that the conversation and its context do not hold",
            "会話及び参照資料にない事項（{kind}）の記載がある",
        ),
        (r"shows personal data \((?P<kind>[a-z ]+)\)", "個人情報（{kind}）の記載がある"),
        (r"sentence (?P<n>\d+) adds “(?P<text>.*)” \((?P<kind>\w+)\)", "第{n}文に「{text}」（{kind}）を加えている"),
        (r"sentence (?P<n>\d+) drops “(?P<text>.*)” \((?P<kind>\w+)\)", "第{n}文から「{text}」（{kind}）を除いている"),
        (r"the appended text adds “(?P<text>.*)” \((?P<kind>\w+)\)", "追記に「{text}」（{kind}）を加えている"),
        ("and more", "ほか"),
    )
)

# Where a phrase ends and another begins: what is quoted in one may hold a semicolon, too.
_NEXT = re.compile(r"; (?=says “|a required |states |shows |sentence \d+ (?:adds|drops) “|the appended |and more$)")

PHRASES: Mapping[str, Phrases] = {"en": (), "ja": _JAPANESE}


def meaning(text: str, phrases: Phrases) -> str:
    """What a text of the library means, part by part; empty where a part of it is not known.

    >>> meaning("revisions ran out", PHRASES["ja"])
    '修正回数の上限に達した'
    >>> meaning("says “risk-free”; it is wrong", PHRASES["ja"])
    ''
    """
    parts = [_part(part, phrases) for part in _NEXT.split(text)]
    return "；".join(parts) if all(parts) else ""


def _part(text: str, phrases: Phrases) -> str:
    for pattern, said in phrases:
        if found := pattern.fullmatch(text):
            groups = found.groupdict()
            return said.format_map({**groups, "kind": _KINDS.get(groups.get("kind", ""), groups.get("kind", ""))})
    return ""
