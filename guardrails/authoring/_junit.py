"""Results as JUnit XML, which every CI server reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from guardrails._visible import visible
from guardrails.authoring._run import Tested
from guardrails.authoring._tested import Failure
from guardrails.authoring._trial import Result

_NO_XML = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(found: Iterable[Tested]) -> bytes:
    """A test suite for each constitution, a test case for each labelled reply and each expected share that was missed.

    A breach that nobody judged is skipped.
    """
    whole = Element("testsuites")
    whole.extend(_suite(tested) for tested in found)
    return bytes(tostring(whole, encoding="utf-8", xml_declaration=True))


def _suite(tested: Tested) -> Element:
    failures = tested.failures
    by_result: dict[int, list[Failure]] = {}
    for failure in failures:
        by_result.setdefault(id(failure.result), []).append(failure)
    suite = Element("testsuite", name=tested.constitution.name)
    for result in tested.results:
        _case(suite, result, by_result.get(id(result), []))
    for failure in failures:
        if failure.result is None:
            case = SubElement(suite, "testcase", classname=failure.principle, name="expect")
            _failed(case, [failure], "")
    counts = {kind: len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "skipped")}
    suite.attrib.update(tests=str(len(suite)), failures=str(counts["failure"]), skipped=str(counts["skipped"]))
    return suite


def _case(suite: Element, result: Result, failures: Sequence[Failure]) -> None:
    case = SubElement(suite, "testcase", classname=result.label.principle, name=_plain(result.case.name))
    case.attrib.update(file=_plain(result.case.file), line=str(result.case.line))
    if failures:
        _failed(case, failures, result.case.exchange.reply)
    elif result.right is None and result.label.violates:
        SubElement(case, "skipped", message="not judged: the rules are silent")


def _failed(case: Element, failures: Sequence[Failure], text: str) -> None:
    element = SubElement(case, "failure", message=_plain("; ".join(failure.what for failure in failures)))
    said = [failure.result.said.critique for failure in failures[:1] if failure.result]
    element.text = _plain("\n".join(filter(None, [text, *said])))


def _plain(text: str) -> str:
    """What XML can hold."""
    return _NO_XML.sub("?", visible(text))
