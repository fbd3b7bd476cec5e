"""JUnit XML, as a CI system's parser reads it."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from example_comparison import example
from tutelage.report.comparison_junit import junit

ALLOWED = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
}
INSIDE = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "skipped", "system-out"},
}


def checked(text: str) -> ElementTree.Element:
    """The root, if every element and attribute is one that the common schema knows, where it may stand."""
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) <= ALLOWED[element.tag]
        assert {child.tag for child in element} <= INSIDE.get(element.tag, set())
    for suite in root:
        cases = suite.findall("testcase")
        for scope in (root, suite):
            assert int(scope.get("tests", "")) == len(cases)
            assert int(scope.get("failures", "")) == len(suite.findall("testcase/failure"))
            assert int(scope.get("skipped", "")) == len(suite.findall("testcase/skipped"))
        assert all(case.get("name") and case.get("classname") for case in cases)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
    return root


def test_one_case_a_rule():
    document = example()
    root = checked(junit(document))
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert set(cases) == {rule.name for rule in document.rules}
    for rule in document.rules:
        case = cases[rule.name]
        assert (case.find("failure") is not None) == (rule.decision == "fail")
        assert (case.find("skipped") is not None) == (rule.decision == "underpowered")
    failure = next(root.iter("failure"))
    assert "lost" in failure.get("message", "")
    assert {"fail", "pass"} & {line.partition(":")[0] for line in (failure.text or "").splitlines()}


def test_without_a_gate_one_case_a_metric_and_none_fails():
    root = checked(junit(example(gated=False)))
    assert [case.get("name") for case in root.iter("testcase")] == [m.name for m in example().metrics]
    assert root.get("failures") == "0"


@pytest.mark.parametrize(
    "text",
    ["]]></failure><x>", "a\x00b\x0b\x1f\x7f\x85", "\ud800\uffff\ufffe", "<&>\"'\n", "\u202e\u200f", "x" * 1_000_000],
)
def test_whatever_stands_in_names_and_findings_the_xml_is_well_formed(text):
    document = example()
    parts = tuple(replace(part, sentence=text) for part in document.rules[0].parts)
    rules = tuple(
        replace(rule, name="n " + text, sentence=text, statement=text, parts=parts) for rule in document.rules
    )
    nasty = replace(document, rules=rules, old=replace(document.old, name=text), new=replace(document.new, name=text))
    written = junit(nasty)
    checked(written)
    written.encode("utf-8")
    assert re.search("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", written) is None
