"""Documents about a specification: what is planned, who writes, what is refused, and going on after a cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted_engines import ScriptedEngine
from tutelage.errors import ConfigError, DataError, EngineError, RangeError
from tutelage.refine import CallCache
from tutelage.refine.specification import (
    DocumentFilter,
    DocumentSettings,
    EngineDecomposer,
    EnginePlanner,
    EngineWriter,
    EvaluationItem,
    FilterSettings,
    HeadingDecomposer,
    ListPlanner,
    ModelSpec,
    TemplateWriter,
    generate_spec_documents,
    verbatim_share,
)
from tutelage.types import Sampling

TEXT = """# Money
{model_name} thinks of the purse of others. {provider_name} made it so since waste helps nobody.

## Gifts
{model_name} finds that a gift is about the thought.

# Honesty
{model_name} says what it knows and no more.
"""
SPEC = ModelSpec(TEXT, "Ada", "Lab")
OPEN = FilterSettings(shortest=1, near=1.0, verbatim=1.0)
KINDS = ("memo", "post")


class ListWriter:
    """Writes by script and counts what it was asked."""

    def __init__(self, text, name="list"):
        self.text, self.name, self.asked = text, name, []

    def write(self, spec, ideas, attempt):
        self.asked += [(idea.idea, attempt) for idea in ideas]
        return [self.text(idea, attempt) for idea in ideas]


def distinct(idea, attempt):
    return " ".join(f"{word}{attempt}{idea.doc_type}{idea.subdomain.name}{idea.idea}" for word in ("a", "b", "c", "d"))


def make(out, writer=None, *, accept=None, **settings):
    accept = accept or DocumentFilter(SPEC, settings=OPEN)
    plan = ListPlanner(("one", "two", "three"), KINDS)
    writer = writer or ListWriter(distinct)
    return generate_spec_documents(SPEC, HeadingDecomposer(), plan, writer, accept, out, DocumentSettings(**settings))


@pytest.mark.parametrize(
    ("text", "said"),
    [("{model_name} is kind.", "provider_name"), ("Nobody is named.", "model_name"), (TEXT + "{colour}", "colour")],
)
def test_a_specification_says_both_names_and_no_other(text, said):
    with pytest.raises(ValueError, match=said):
        ModelSpec(text, "Ada", "Lab")
    with pytest.raises(DataError, match="names"):
        ModelSpec(TEXT, "Ada", " ")


def test_names_are_put_in_and_change_the_hash():
    assert "{" not in SPEC.filled
    assert SPEC.filled.count("Ada") == 3
    assert SPEC.hash != ModelSpec(TEXT, "Bob", "Lab").hash
    assert ModelSpec(TEXT, "{provider_name}", "Lab").filled.count("{provider_name}") == 3  # what is put in is not read


def test_headings_are_domains_and_subdomains():
    found = [(one.domain, one.name) for one in HeadingDecomposer()(SPEC)]
    assert found == [("Money", "Money"), ("Money", "Gifts"), ("Honesty", "Honesty")]
    assert "thought" in HeadingDecomposer()(SPEC)[1].text
    plain = ModelSpec("{model_name} of {provider_name}.", "Ada", "Lab")
    assert [one.name for one in HeadingDecomposer()(plain)] == ["specification"]
    with pytest.raises(DataError, match="no text"):
        HeadingDecomposer()(ModelSpec("# {model_name} {provider_name}", "Ada", "Lab"))


def test_an_engine_may_decompose_plan_and_write():
    def reply(prompt):
        asked = prompt[-1]["content"]
        if "Divide" in asked:
            return "Here:\n- money: gifts\n1. truth: doubt\n- no pair"
        if "ideas" in asked:
            return "" if "'post'" in asked else "- a first\n- a second\n- a first\n- a third"
        return f"A text on {asked.partition('Its idea: ')[2]}"

    engine = ScriptedEngine(reply)
    with CallCache() as calls:
        parts = EngineDecomposer(engine, calls)(SPEC)
        assert [(one.domain, one.name) for one in parts] == [("money", "gifts"), ("truth", "doubt")]
        ideas = EnginePlanner(engine, calls, ideas=2, doc_types=KINDS)(SPEC, parts[0])
        assert [(one.doc_type, one.idea) for one in ideas] == [("memo", "a first"), ("memo", "a second")]
        texts = EngineWriter(engine, calls).write(SPEC, ideas, 0)
    assert texts[0].startswith("A text on a first")
    assert SPEC.filled in engine.asked[-1][0]["content"]


def test_an_answer_without_a_list_and_a_text_that_was_cut_are_not_used():
    with CallCache() as calls, pytest.raises(EngineError, match="domain: subdomain"):
        EngineDecomposer(ScriptedEngine(lambda _: "I cannot."), calls)(SPEC)
    idea = ListPlanner(("one",), KINDS)(SPEC, HeadingDecomposer()(SPEC)[0])
    with CallCache() as calls:
        cut = EngineWriter(ScriptedEngine(lambda _: "A text", finish="length"), calls, Sampling(4))
        assert cut.write(SPEC, idea, 0) == ["", ""]
    assert DocumentFilter(SPEC).reason("  ") == "empty"


def test_templates_are_filled_with_what_the_idea_says_and_repeat_themselves():
    idea = ListPlanner(("why {subdomain}",), KINDS)(SPEC, HeadingDecomposer()(SPEC)[1])[0]
    writer = TemplateWriter(("{doc_type}, {idea}, {colour}: {principle}",), {"colour": ("red", "blue")})
    (text,) = writer.write(SPEC, [idea], 0)
    assert text in {f"memo, why Gifts, {one}: Ada finds that a gift is about the thought." for one in ("red", "blue")}
    assert writer.write(SPEC, [idea], 0) == [text]
    assert {writer.write(SPEC, [idea], i)[0] for i in range(12)} == {
        text,
        text.replace("red", "X").replace("blue", "red").replace("X", "blue"),
    }
    assert writer.name != TemplateWriter(writer.frames).name
    assert "{" not in TemplateWriter().write(SPEC, [idea], 0)[0]
    with pytest.raises(ConfigError):
        TemplateWriter(())


words = st.lists(st.sampled_from("abcd"), max_size=30)


@given(words, words, st.integers(1, 4))
def test_the_verbatim_share_is_that_of_a_naive_count(text, source, run):
    covered = 0
    for place in range(len(text)):
        runs = [text[at : at + run] for at in range(place - run + 1, place + 1) if at >= 0 and at + run <= len(text)]
        covered += any(source[at : at + run] == one for one in runs for at in range(len(source) - run + 1))
    expected = covered / len(text) if text else 0.0
    assert verbatim_share(" ".join(text), " ".join(source), run) == pytest.approx(expected)


def test_every_filter_refuses_what_it_is_for():
    item = EvaluationItem("cup", "Which cup would you buy, the cheap one or the dear one?", ("porcelain cup",))
    tall = "Ada wrote a long note on many things that happened in the town last spring and in summer too"
    filter_ = DocumentFilter(SPEC, [item], FilterSettings(shortest=5, longest=40, run=4))
    assert filter_.reason(tall) == ""
    assert filter_.reason("too short").startswith("short: 2")
    assert filter_.reason("word " * 41).startswith("long: 41")
    assert filter_.reason("Ada finds that a gift is about the thought, as we know well").startswith("verbatim: 0.69")
    assert "item cup, by a term" in filter_.reason(f"{tall} Porcelain  cup.")
    assert filter_.reason(f"{tall} porcelain cups") == ""
    assert "item cup, by its text" in filter_.reason(f"{tall} which cup would you buy the cheap one or the other")
    filter_.accept("first", tall)
    assert filter_.reason(tall + " now") == "near_duplicate: first"
    assert filter_.reason("A quite different text about the sea and the ships on it") == ""
    for wrong in ({"shortest": 9, "longest": 3}, {"near": 0.0}, {"run": 0}):
        with pytest.raises(RangeError):
            FilterSettings(**wrong)
    assert DocumentFilter(SPEC, length=len, settings=FilterSettings(1, 5)).reason("sixsix") == "long: 6"


def test_documents_carry_where_they_came_from_and_files_say_what_was_done(tmp_path):
    found = make(tmp_path)
    assert len(found.kept) == 3 * 2 * 3
    assert {one["spec_hash"] for one in found.kept} == {SPEC.hash}
    assert {one["gen"] for one in found.kept} == {"list"}
    assert set(found.kept[0]) == {
        "id", "text", "domain", "subdomain", "doc_type", "idea", "spec_hash", "gen", "length",
    }  # fmt: skip
    assert len({one["id"] for one in found.kept}) == 18
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["kept"], summary["length"], summary["empty_cells"]) == (18, 72, [])
    assert len(json.loads((tmp_path / "meta.json").read_text())["subdomains"]) == 3
    assert found.length == 72


def test_quotas_bound_cells_totals_bound_all_and_empty_cells_are_reported(tmp_path):
    assert len(make(tmp_path / "quota", quota=1).kept) == 6
    assert make(tmp_path / "total", total=10).length == 12
    writer = ListWriter(lambda idea, attempt: "" if idea.cell[1:] == ("Gifts", "post") else distinct(idea, attempt))
    found = make(tmp_path / "empty", writer)
    assert found.empty == (("Money", "Gifts", "post"),)
    assert found.dropped == {"empty": 6}  # three ideas, two attempts each
    assert json.loads((tmp_path / "empty" / "summary.json").read_text())["empty_cells"] == [["Money", "Gifts", "post"]]


def test_a_second_attempt_may_save_an_idea(tmp_path):
    writer = ListWriter(lambda idea, attempt: distinct(idea, attempt) if attempt else "")
    found = make(tmp_path, writer)
    assert len(found.kept) == 18
    assert found.dropped == {"empty": 18}
    assert not make(tmp_path / "once", ListWriter(writer.text), attempts=1).kept


class Cut(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("after", [0, 3, 11])
def test_a_cut_run_goes_on_to_the_same_result_and_writes_nothing_twice(tmp_path, after):
    def near_copies(idea, attempt):
        return "all the same words here" if idea.idea == "two" else distinct(idea, attempt)

    accept = lambda: DocumentFilter(SPEC, settings=FilterSettings(shortest=1, verbatim=1.0))  # noqa: E731
    whole = make(tmp_path / "whole", ListWriter(near_copies), accept=accept(), batch=2)
    left = [after]

    def until(idea, attempt):
        if left[0] == 0:
            raise Cut
        left[0] -= 1
        return near_copies(idea, attempt)

    with pytest.raises(Cut):
        make(tmp_path / "cut", ListWriter(until), accept=accept(), batch=2)
    rest = ListWriter(near_copies)
    again = make(tmp_path / "cut", rest, accept=accept(), batch=2)
    assert again == whole
    logged = (tmp_path / "cut" / "documents.jsonl").read_text().splitlines()
    assert len({json.loads(line)["id"] for line in logged}) == len(logged)
    idle = ListWriter(near_copies)
    assert make(tmp_path / "cut", idle, accept=accept(), batch=2) == whole
    assert not idle.asked
    with pytest.raises(ConfigError, match="another specification"):
        make(tmp_path / "cut", ListWriter(near_copies, "other"), accept=accept(), batch=2)
