"""A comparison as JUnit XML, for continuous integration: one test case a rule."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from tutelage.report.comparison import Compared, ComparisonDocument, RuleResult
from tutelage.report.comparison_words import found
from tutelage.report.untrusted import one_line, visible

__all__ = ["junit"]

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(document: ComparisonDocument) -> str:
    """The document as JUnit XML in the form that CI systems read (``testsuites`` over one ``testsuite``).

    A rule that fails is a ``failure``, one that is not decided is ``skipped`` with what it needs. Without a gate there
    is one case a metric, and none fails: without a rule nothing is right or wrong.

    Args:
        document: the comparison.

    Returns:
        XML, with every character that XML forbids made visible or removed.
    """
    decisions = [rule.decision for rule in document.rules]
    counts = {
        "tests": str(len(document.rules) or len(document.metrics)),
        "failures": str(decisions.count("fail")),
        "errors": "0",
        "skipped": str(decisions.count("underpowered")),
        "time": "0",
    }
    root = ElementTree.Element("testsuites", {"name": "tutelage compare", **counts})
    pair = f"{one_line(document.old.name, 80)} -> {one_line(document.new.name, 80)}"
    stamp = {"timestamp": document.created.rstrip("Z"), "hostname": "unknown"} if document.created else {}
    suite = ElementTree.SubElement(root, "testsuite", {"name": _clean(pair), **counts, **stamp})
    properties = ElementTree.SubElement(suite, "properties")
    facts = {
        "answer": document.answer.sentence,
        "fingerprint": document.plan.fingerprint,
        "level": f"{document.plan.level:g}",
        "correction": document.plan.correction,
    }
    for key, value in facts.items():
        ElementTree.SubElement(properties, "property", {"name": key, "value": _clean(value)})
    for rule in document.rules:
        _rule(suite, rule)
    if not document.rules:
        for metric in document.metrics:
            _metric(suite, metric)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _rule(suite: ElementTree.Element, rule: RuleResult) -> None:
    case = ElementTree.SubElement(suite, "testcase", _case("tutelage.gate", rule.name))
    parts = "\n".join(f"{part.decision}: {part.sentence}" for part in rule.parts)
    told = _clean(f"{rule.statement}\n{parts}")
    if rule.decision == "fail":
        found_wrong = ElementTree.SubElement(case, "failure", {"type": "fail", "message": _clean(rule.sentence)})
        found_wrong.text = told
        return
    if rule.decision == "underpowered":
        ElementTree.SubElement(case, "skipped", {"message": _clean(f"underpowered: {rule.sentence}")})
    ElementTree.SubElement(case, "system-out").text = told


def _metric(suite: ElementTree.Element, metric: Compared) -> None:
    case = ElementTree.SubElement(suite, "testcase", _case("tutelage.metric", metric.name))
    told = f"{metric.moved}: {found(metric.change.delta, metric.unit)}"
    ElementTree.SubElement(case, "system-out").text = _clean(told)


def _case(kind: str, name: str) -> dict[str, str]:
    return {"classname": kind, "name": _clean(one_line(name, 200)), "time": "0"}


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", visible(text))
