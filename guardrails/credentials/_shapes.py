"""Credentials that have a shape: providers' keys, JWTs, PEM blocks, headers, and what URLs and commands carry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from guardrails.credentials._values import LONG, is_placeholder, is_random, is_template

_SEEDS = r"(?:(?:seed|recovery|mnemonic|backup|secret)[ _-]?(?:phrase|words)|mnemonic)"

HINTS = (
    r"sk-|[sr]k_(?:live|test)_|whsec_|AIza|AQ\.A|ya29\.|GOCSPX-|1//0|A[KS]IA[A-Z0-9]{16}|ABSK|gh[oprsu]_|github_pat_"
    r"|gl[a-z]{2,5}-|xox[a-z]-|xapp-|hf_|SG\.|SK[0-9a-f]{32}|key-[0-9a-f]{32}|[0-9a-f]{32}-us|npm_|pypi-|dckr_pat_"
    r"|do[opr]_v1_|shp[a-z]{2}_|sq0[a-z]{3}-|dapi[0-9a-f]{32}|lin_api_|ntn_|gsk_|xai-|pplx-|r8_|nvapi-|lsv2_|hv[sb]\."
    r"|:AA[\w-]{33}|ATATT|sntry|NRAK-|gl(?:sa|c)_|PMAK-|sbp_|sb_secret_|tskey-|rubygems_|AGE-SECRET|8Q~|eyJ"
    r"|(?:sk|key|pypi|gl[a-z]{2,5}|xox[a-z]|xapp|xai|pplx|nvapi|tskey)[‐‑‒–—−]"
    r"|hooks\.slack\.com|api/webhooks/|PRIVATE KEY|bearer[\s:]|(?:authorization|cookie)[^a-z ]|authorization +[:=-]"
    rf"|cookie +[:=-]|://[^\s/]*@|curl|{_SEEDS}"
)
"""For RE2, case ignored: a text with none of these holds no credential of a shape."""

_START = r"(?<![A-Za-z0-9])"
# Prefixes whose bodies hold no dash and no underscore, then those whose bodies may.
_SOLID = re.compile(
    rf"{_START}(?:(?:[sr]k_(?:live|test)_|whsec_|gh[oprsu]_|hf_|npm_|gsk_|xai-|pplx-|r8_|ntn_|lin_api_|do[opr]_v1_"
    r"|shp(?:at|ca|pa|ss)_|sbp_|rubygems_|NRAK-|gl(?:sa|c)_|sntry[a-z]_|AGE-SECRET-KEY-1)"
    r"[A-Za-z0-9+/=]{16,}+(?:_[0-9a-f]{8})?"
    r"|ABSK[A-Za-z0-9+/=]{60,}+|(?:SK|key-|dapi)[0-9a-f]{32}(?![A-Za-z0-9])|[0-9a-f]{32}-us\d{1,2}(?!\d))"
)
_LOOSE = re.compile(
    rf"{_START}(?:(?:sk-|AIza|AQ\.A|ya29\.|GOCSPX-|1//0|github_pat_|gl(?:pat|dt|rt|ptt|ft|soat|cbt|agent|imt|oas|ffct)-"
    r"|xox[a-z]-|xapp-|pypi-|dckr_pat_|sq0(?:atp|csp|idp)-|nvapi-|lsv2_|hv[sb]\.|PMAK-|sb_secret_|tskey-|ATATT)"
    r"(?:[A-Za-z0-9_=~-]|\.(?=[A-Za-z0-9_])){14,}+|SG\.[\w-]{16,40}\.[\w-]{16,80}|\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"
    r"|[A-Za-z0-9_~.]{3}8Q~[A-Za-z0-9_~.-]{31,40})"
)
_WEBHOOK = re.compile(r"(?:hooks\.slack\.com/(?:services|workflows)|/api/webhooks)/(?P<value>[A-Za-z0-9_/-]{24,}+)")
# The secret key often stands right behind its id, as in the file that AWS gives.
_AWS = re.compile(
    rf"{_START}A[KS]IA[A-Z0-9]{{16}}(?![A-Za-z0-9])(?:[\s,:;\"'|/]{{1,4}}[A-Za-z0-9/+]{{40}}(?![A-Za-z0-9/+=]))?"
)
_JWT = re.compile(  # RFC 7519; an encrypted one has five parts (RFC 7516)
    r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+){1,4}"
)
_PEM = re.compile(  # RFC 7468
    r"-{4,5} ?BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
    r"(?:(?:[^-]++|-(?!---))*+-{4,5} ?END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
    # Cut off before its end: headers, and lines too long for words.
    r"|(?:(?:[ \t\r]|\n(?![ \t\r]*\n)|\\[nr]|[\"'+,>])*+"
    r"(?:(?:Proc-Type|DEK-Info|Version|Comment): [^\n\\]*(?:\s*\n)?|[A-Za-z0-9+/=]{20,}+"
    r"|[A-Za-z0-9+/=]{1,19}(?=\s*+(?:\Z|[\"'\\`])|\s?\n\s?\n)))*+)"
)
_USERINFO = re.compile(  # RFC 3986, 3.2.1; people write an address for the user as it is
    r"://(?P<value>[^\s/:?#\"'<>]{0,200}+:(?!\d{1,5}[/?#])(?P<password>[^\s/\"'<>]{0,400})"
    r"|(?P<user>[^\s/:@?#\"'<>]{1,200}+))@(?=[\w.\[-])"
)
_CURL_USER = re.compile(
    r"(?<![\w-])(?:-u|--user|-U|--proxy-user)[ =]?[\"']?(?P<value>[^\s:\"']{1,100}:[^\s\"']{1,400})"
)
_CURL = re.compile(r"\bcurl\b", re.IGNORECASE)
_BEFORE = 300  # characters between a command and its option

_SCHEMES = r"bearer|basic|token|bot|api-?key|key|jwt|dpop|negotiate|ntlm|genie_?key|splunk|sharedkey(?:lite)?"
_PARAMS = r"digest|oauth|hawk|signature|aws4-hmac-sha256|scram-[a-z0-9-]+|googlelogin|hmac[a-z0-9-]*"
_PARAM = r"[\w-]{1,60}\s?=\s?(?:\\?\"[^\"\r\n]*+\"|[^\s,\"']++)"
# From a header's name to its value: as a line, a JSON key, a dict's key, a tuple, a keyword.
_GAP = r"[\"'`*\\\])]{0,4}\s{0,3}(?:=>|:|=|(?<=[\"']),|->)[\s*]{0,4}(?:[frb]?[\"'`\\]{1,4})?"
_AUTHORIZATION = re.compile(  # RFC 9110, 11.4
    rf"\bauthorization{_GAP}(?P<value>(?:{_PARAMS})\s+{_PARAM}(?:(?:,\s*+|[ \t]++){_PARAM})*+"
    rf"|(?:(?P<scheme>{_SCHEMES}):?\s{{1,3}})?(?P<given>[^\s\"'`<>\\,;]++))",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\bbearer[\s:]{1,3}(?P<value>[A-Za-z0-9._~+/=-]{16,}+)", re.IGNORECASE)  # RFC 6750
_COOKIE = re.compile(  # RFC 6265
    rf"\b(?:set-)?cookie{_GAP}(?P<value>[\w.$-]{{1,100}}=[^;\s\"'`\\]*+"
    r"(?:;[ ]?(?:[\w.$ -]{1,100}=[^;\"'`\\\r\n]*+|httponly|secure|partitioned))*+)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z]+|[A-Z][a-z]*|[A-Z]+")
_LINE_START = re.compile(r"(?:\A|\n)[^\w\n]*(?:proxy-)?\Z", re.IGNORECASE)
_MIN_BARE = 16  # characters of a credential that no scheme announces
# BIP 39: twelve to twenty-four words of three to eight letters.
_SEED = re.compile(
    rf"{_SEEDS}\W{{1,6}}(?:(?:is|are)\W{{1,3}})?"
    r"(?P<value>[a-z]{3,8}(?:[ ,\n]{1,2}[a-z]{3,8}){11,23}+)(?![a-z])",
    re.IGNORECASE,
)


def spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Where credentials of a shape stand, and of which kind: start, end, kind, in no order."""
    for kind, pattern, check in _SHAPES:
        group = "value" if "value" in pattern.groupindex else 0
        for match in pattern.finditer(text):
            if check is None or check(match):
                yield *match.span(group), kind


def _is_given(match: re.Match[str]) -> bool:
    """Whether an authorization holds a credential, and is not a word of a sentence or a placeholder."""
    given = match["given"]
    if given is None or len(given) > LONG:
        return True
    if is_placeholder(given):
        return False
    if not match["scheme"]:
        return len(given) >= _MIN_BARE and is_random(given)
    if not _WORD.fullmatch(given):
        return True
    # A word is one where a header is written, and none where a sentence is.
    text, start, after = match.string, match.start(), match.string[match.end() : match.end() + 1]
    header = match["scheme"].lower() == "bearer" or bool(_LINE_START.search(text[max(0, start - 20) : start]))
    return after in {'"', "'"} or (header and after in {"", "\n", "\r"})


def _is_login(match: re.Match[str]) -> bool:
    if match["password"]:
        return not is_template(match["password"])
    return len(match["user"] or "") >= _MIN_BARE and is_random(match["user"])


def _is_curl(match: re.Match[str]) -> bool:
    start = match.start()
    return bool(_CURL.search(match.string, max(0, start - _BEFORE), start))


_SHAPES: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], bool] | None], ...] = (
    ("private_key", _PEM, None),
    ("authorization", _AUTHORIZATION, _is_given),
    ("cookie", _COOKIE, None),
    ("userinfo", _USERINFO, _is_login),
    ("userinfo", _CURL_USER, _is_curl),
    ("api_key", _WEBHOOK, None),
    ("api_key", _SOLID, None),
    ("api_key", _LOOSE, lambda match: is_random(match[0])),
    ("api_key", _AWS, None),
    ("token", _JWT, None),
    ("token", _BEARER, lambda match: is_random(match["value"])),
    ("seed_phrase", _SEED, None),
)
