"""Rule books: all that a constitution says is in them, in words, and nothing in them marks up or runs."""

import importlib.util
import json
import re
import subprocess
import sys
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support import constitution, principle

from guardrails import Constitution
from guardrails._visible import visible
from guardrails.authoring._approve import approve
from guardrails.cli import main
from guardrails.errors import ConfigurationError
from guardrails.reports import LANGUAGES, rulebook
from guardrails.reports._rulebook import linked
from guardrails.reports._rulebook_english import ENGLISH
from guardrails.reports._rulebook_japanese import JAPANESE
from guardrails.reports._rulebook_markdown import escaped, fence

ROOT = Path(__file__).resolve().parent.parent
GITHUB = MarkdownIt("commonmark", {"linkify": False}).enable(["table", "strikethrough"])
HOSTILE = '</details><script>alert(1)</script> | `x` *a* [b](javascript:c) ~~~ $y$ \u202e https://evil.example/ "q"'
RULE = principle(
    "acme-fees",
    title={"en": "No fee promises", "ja": "手数料免除の約束の禁止"},
    rule={"en": "Never promise to waive a fee.", "ja": "手数料の免除を約束してはならない。"},
    jurisdictions=["JP"],
    only_if={"open": True},
    owner="Fees team",
    escalate="fees@example.org",
    effective="2026-01-01",
    expires="2026-06-30",
    threshold=70,
    critique="Look for a promise in other words.",
    revision="Say that a branch decides.",
    preserve=["amounts"],
    authority=[
        {"cite": "Fees Policy (https://example.org/fees).", "verified": "primary", "checked_on": "2026-02-03"},
        {"cite": "Bulletin 7", "verified": "secondary", "note": "See https://example.org/7"},
        {"cite": "Custom"},
    ],
    checks=[
        {
            "pattern": r"\bwe(?:'ll| will) (waive|refund) (?:the|that) fee",
            "unless": {"before": ["if"], "sentence": [r"\?$"], "quoted": True},
            "fix": {"replace": {"en": r"a branch may \1 it"}},
        },
        {"pattern": "zzz"},
        {"require": "branch", "when_prompt": "fee", "append": {"en": "Ask your branch.", "ja": "支店へどうぞ。"}},
        {"grounded": ["amounts", "dates"]},
        {"personal_data": ["card"], "fix": {"mask": True}, "decides": True},
    ],
    examples=[
        {"violates": "Hello. We'll waive the fee.", "revised": "Hello. a branch may waive it.", "prompt": "A fee?"},
        {"violates": "手数料は免除いたします。"},
        {"complies": 'He said "we will waive the fee" to me.', "note": "a quotation"},
    ],
)


@pytest.fixture(scope="module")
def acme():
    return constitution(RULE, "acme-plain", variables={"open": True, "bank": "Acme"}, facts=["Fees are $5."])


class Page(HTMLParser):
    """What a page shows, and the elements it is made of."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.words, self._open = [], [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        if self._open != "style":
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))

    def tags(self):
        return {tag for tag, _ in self.elements}


def shown(made, layout):
    """A rule book as its readers see it."""
    return Page(made if layout == "html" else GITHUB.render(made))


@pytest.mark.parametrize("layout", ["html", "markdown"])
def test_everything_that_a_principle_says_is_told(acme, layout):
    text = shown(rulebook(acme, layout), layout).text
    for said in (
        *("No fee promises", "acme-fees", "Never promise to waive a fee.", "手数料の免除を約束してはならない。"),
        *("High", "JP", "open is true", "2026-01-01", "2026-06-30", "Fees team", "fees@example.org"),
        *("confidence of 70%", "Look for a promise in other words.", "Say that a branch decides.", "amounts"),
        *("Read in the primary source on 2026-02-03.", "Quoted by a secondary source", "Not verified."),
        *("Hello.", "We'll waive the fee.", "手数料は免除いたします。", "A fee?", "a quotation", "Near miss"),
        *("Ask your branch.", "支店へどうぞ。", "Fees are $5.", "bank", "Acme"),
        *(acme.digest, "version 1", r"\bwe(?:'ll| will) (waive|refund) (?:the|that) fee", "zzz", "No approval"),
    ):
        assert said in text, said


@pytest.mark.parametrize("layout", ["html", "markdown"])
def test_a_check_is_told_by_what_it_finds_in_the_examples(acme, layout):
    """A pattern by the wording that it matches, an excuse by the example that it saves, what becomes of it in words."""
    text = shown(rulebook(acme, layout), layout).text
    assert re.search(r"such as: “We'll waive the fee” → replaced by “a branch may … it”", text)
    assert 'no breach: “He said "we will waive the fee" to me.”' in text
    assert "one of these among the three words before it: if" in text
    assert "other wording, which no example here shows" in text  # zzz
    assert "last message says something such as: “A fee?”" in text
    assert "amounts, dates" in text
    assert "payment card numbers → masked but for its last characters" in text


def test_a_principle_without_checks_is_left_to_a_model(acme):
    text = shown(rulebook(acme, "html", principle="acme-plain"), "html").text
    assert "No check can tell" in text
    assert "acme-fees" not in text


def test_a_book_in_japanese_has_no_english_of_its_own(acme):
    """The book's words are Japanese, its texts are Japanese where the constitution has them, its examples go first."""
    made = rulebook(acme, "html", language="ja")
    text = shown(made, "html").text
    assert '<html lang="ja">' in made
    assert text.index("手数料の免除を約束してはならない。") < text.index("Never promise to waive a fee.")
    assert text.index("手数料は免除いたします。") < text.index("Hello. ")
    for words in ("違反となる例", "根拠", "2026-02-03 に原典で確認済み。", "カード番号"):
        assert words in text
    assert not [words for words in ENGLISH.values() if len(words) > 12 and words in text]


def test_both_languages_have_the_same_words_with_the_same_names_in_them():
    def names(text):
        return set(re.findall(r"\{(\w+)\}", text))

    assert ENGLISH.keys() == JAPANESE.keys()
    assert {key: names(text) for key, text in ENGLISH.items()} == {key: names(text) for key, text in JAPANESE.items()}


def test_the_cover_says_who_approved_this_wording_and_what_was_approved_before(tmp_path):
    file = tmp_path / "constitution.yaml"
    file.write_text('name: acme\nversion: "1"\nprinciples: [{id: p, title: T, severity: low, rule: R}]\n')
    approve(tmp_path, by="Jane <b>Doe</b>", note="with | care")
    old = Constitution.load(tmp_path)
    file.write_text(file.read_text().replace('"1"', '"2"'))
    for layout in ("html", "markdown"):
        before = shown(rulebook(old, layout), layout).text
        assert "Approved by Jane <b>Doe</b>," in before
        assert "with | care" in before
        after = shown(rulebook(Constitution.load(tmp_path), layout), layout).text
        assert "No approval of this wording is recorded." in after
        assert f"Version 1, {old.digest[:12]}, approved by Jane <b>Doe</b>" in after


def test_a_date_tells_what_is_in_force_and_no_date_leaves_none(acme):
    assert "2026-06-30: no longer in force" in rulebook(acme, "markdown", made=date(2026, 11, 24))
    assert "2026-01-01: not in force yet" in rulebook(acme, "markdown", made=date(2025, 11, 24))
    assert "in force: " not in rulebook(acme, "markdown")
    assert rulebook(acme, "html") == rulebook(acme, "html")


@pytest.mark.parametrize("layout", ["html", "markdown"])
def test_nothing_in_a_constitution_becomes_markup(layout):
    """The same elements, whatever the texts say; every text is there as it stands."""
    texts = ("rule", "title", "critique", "revision", "owner", "escalate")

    def made(words):
        checks = [{"pattern": "zzz", "fix": {"replace": words}}, {"require": "yyy", "append": words}]
        examples = [
            {"violates": f"{words} zzz", "prompt": words, "context": [words], "note": words},
            {"complies": words, "note": words},
        ]
        one = {**principle("p", checks=checks, examples=examples), **dict.fromkeys(texts, words)}
        one["authority"] = [{"cite": words, "note": words}]
        return constitution(one, version=words, variables={words: words}, facts=[words], fallback=words)

    plain, hostile = (
        shown(rulebook(made(words), layout), layout) for words in ("plain https://evil.example/ words", HOSTILE)
    )
    assert [tag for tag, _ in hostile.elements if tag != "span"] == [tag for tag, _ in plain.elements if tag != "span"]
    assert not hostile.tags() & {"script", "iframe", "img", "form", "object"}
    for _, attributes in hostile.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert re.match(r"#|https?://|$", attributes.get("href") or "")
    assert HOSTILE.partition("\u202e")[0] in hostile.text
    assert "\u202e" not in hostile.text


lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=60)


@given(lines | st.text("\\`*_[]~#<>&|$@-+=1.) \n!h:/w", max_size=40))
@example("1. x")
@example("---")
@example("    code")
@example("a\n\n<b>")
@example("https://x.example www.x.example")
def test_escaped_markdown_reads_as_it_stands(text):
    """In a paragraph, a cell of a table, a heading and a quotation: what is shown is the text, and nothing marks up."""
    words = "\n".join(visible(line).replace("\t", " ").strip() for line in text.strip().split("\n"))
    for form in ("{}", "| a | b |\n|---|---|\n| c | {} |", "# x {}", "> {}", "- x {}"):
        html = GITHUB.render(form.format(escaped(text)))
        tags = set(re.findall(r"<(\w+)", html))
        assert tags <= {"p", "br", "table", "thead", "tbody", "tr", "th", "td", "h1", "blockquote", "ul", "li"}
        read = "".join(Page(html.replace("<br>", "&#10;")).words)
        assert "".join(words.split()) in "".join(read.split())


@given(st.text("`~ab\n", max_size=40))
def test_a_block_of_code_ends_where_its_text_does(text):
    html = GITHUB.render(f"{fence(text, 'text')}\n\nafter")
    assert html.endswith("<p>after</p>\n")
    assert html.count("<pre>") == 1


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://example.org/a_(b).", ["https://example.org/a_(b)"]),
        ("(https://example.org/a)", ["https://example.org/a"]),
        ("https://example.org/法令", ["https://example.org/"]),
        ("javascript:alert(1) ftp://example.org example.org", []),
        ("http://a.example、https://b.example。", ["http://a.example", "https://b.example"]),
    ],
)
def test_only_addresses_that_are_written_become_links(text, links):
    pieces = list(linked(text))
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, is_link in pieces if is_link] == links
    for layout in ("html", "markdown"):
        one = constitution(principle("p", authority=[{"cite": text}]))
        found = [
            attrs["href"]
            for tag, attrs in shown(rulebook(one, layout), layout).elements
            if tag == "a" and "href" in attrs
        ]
        assert [address for address in found if not address.startswith("#")] == links


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["finance", "general"])
def test_every_link_within_a_book_leads_to_its_principle(name, language):
    loaded = Constitution.load(name)
    for layout in ("html", "markdown"):
        page = shown(rulebook(loaded, layout, language=language), layout)
        ids = {attrs.get("id") for _, attrs in page.elements}
        targets = {attrs["href"][1:] for _, attrs in page.elements if attrs.get("href", "").startswith("#")}
        assert targets == set(loaded.by_id)
        assert targets <= ids


def test_a_page_needs_nothing_else_and_runs_nothing(acme):
    page = shown(rulebook(acme, "html"), "html")
    policy = next(attrs["content"] for tag, attrs in page.elements if attrs.get("http-equiv"))
    assert policy.startswith("default-src 'none';")
    assert not page.tags() & {"script", "img", "link", "iframe"}
    assert not [attrs for _, attrs in page.elements if "src" in attrs or "style" in attrs]


def test_another_layout_or_language_is_refused(acme):
    with pytest.raises(ConfigurationError, match="'en', 'ja'"):
        rulebook(acme, "html", language="fr")
    with pytest.raises(ConfigurationError, match="'html', 'markdown'"):
        rulebook(acme, "pdf")


@pytest.fixture
def show(tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(tmp_path)

    def show(*arguments):
        monkeypatch.setattr(sys, "argv", ["guardrails", "show", *arguments])
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        else:
            code = 0
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return show


def test_show_prints_a_book_or_writes_one_and_never_over_another_file(show, tmp_path):
    code, out, _ = show("general", "--format", "markdown", "--language", "ja")
    assert code == 0
    assert out.startswith("# ")
    assert "## 原則\n" in out
    code, out, _ = show("general", "--format", "html", "--out", "book.html", "--json")
    assert code == 0
    assert json.loads(out)["constitution"]["name"] == "general"
    written = (tmp_path / "book.html").read_bytes()
    assert written.startswith(b"<!doctype html>")
    code, out, err = show("general", "--format", "html", "--out", "book.html")
    assert (code, out) == (2, "")
    assert "stays as it is" in err
    assert (tmp_path / "book.html").read_bytes() == written


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["general", "--out", "x.html"], "--format html"),
        (["general", "--format", "html", "--json"], "--out"),
        (["general", "--format", "html", "--language", "fr"], "'en', 'ja'"),
        (["general", "--language", "de"], "--language de: general has no text in it. There is: en, ja."),
        (["general", "--language", "de", "--json"], "There is: en, ja."),
        (["general", "gen-nothing", "--format", "html"], "no principle 'gen-nothing'"),
    ],
)
def test_show_says_what_cannot_be_made(show, arguments, advice):
    code, out, err = show(*arguments)
    assert code == 2
    assert advice in out + err


def test_show_tells_in_text_what_is_kept_and_not_acted_upon(show, tmp_path):
    (tmp_path / "one.yaml").write_text(
        'name: one\nversion: "1"\nprinciples:\n  - {id: p, title: T, severity: low, rule: R, owner: Fees team, '
        "escalate: the desk, effective: 2026-01-01, expires: 2027-01-01, critique: Look twice.}\n"
    )
    _, out, _ = show("one.yaml", "p")
    for line in ("owner: Fees team", "escalate: the desk", "effective: 2026-01-01", "expires: 2027-01-01"):
        assert f"  {line}\n" in out
    assert "how to look for it: Look twice." in out
    assert "owner" not in show("one.yaml")[1]
    assert json.loads(show("one.yaml", "--json")[1])["principles"][0]["owner"] == "Fees team"


def test_show_says_in_words_what_is_only_switched_on(show, tmp_path):
    (tmp_path / "one.yaml").write_text(
        'name: one\nversion: "1"\nprinciples:\n  - {id: p, title: T, severity: low, rule: R, checks: [{pattern: abc, '
        "decides: true, unless: {before: [no], quoted: true}, fix: {sentence: true, delete: true}}]}\n"
    )
    _, out, _ = show("one.yaml", "p")
    assert "    decides: yes\n" in out
    assert "    unless: before no; in quotation marks\n" in out
    assert "    fix: deleted; the whole sentence\n" in out


def test_show_sends_nothing_to_the_terminal_that_is_not_seen(show, tmp_path):
    (tmp_path / "one.yaml").write_text(
        'name: one\nversion: "\\e[31mX"\ntitle: "\\e[31m"\nprinciples:\n  - {id: p, title: "\\e[31m", severity: low, '
        'rule: "R\\e[1m", owner: "\\e[1m", authority: [{cite: "\\e[1m"}], examples: [{complies: "b\\e", note: "n\\e"}]}'
    )
    for layout in ("text", "html", "markdown"):
        for arguments in (["one.yaml"], ["one.yaml", "p"]):
            code, out, _ = show(*arguments, "--format", layout)
            assert (code, "\x1b" in out) == (0, False)
    assert "one <U+001B>[31mX" in show("one.yaml")[1]


@pytest.mark.parametrize("layout", ["html", "markdown"])
def test_a_reply_that_is_revised_once_is_not_revised_1_times(layout):
    once = rulebook(constitution(principle("p"), settings={"max_revisions": 1}), layout)
    assert "judged again: once." in once
    assert "1 times" not in once


def test_the_shipped_rule_books_are_what_the_constitutions_say():
    spec = importlib.util.spec_from_file_location("make_principles", ROOT / "docs" / "make_principles.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.stale_pages() == [], "python docs/make_principles.py"


def test_the_script_knows_no_other_option():
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "make_principles.py", "--chekc"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ")
