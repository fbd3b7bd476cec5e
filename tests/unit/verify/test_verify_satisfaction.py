"""The rate of constraints that an answer meets: against a naive count, and what happens to checks that fail."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.types import Verdict
from tutelage.verify import (
    ConstantVerifierWarning,
    Constraint,
    Response,
    constraint_of,
    csr,
    get,
    symmetric,
    transitive,
    verifier,
)

ASKED = [{"role": "user", "content": "Say no more than 3 words about oak and pine."}]


def answers(*texts, prompt=ASKED):
    return [Response(f"r{i}", prompt, text, prompt_id="p") for i, text in enumerate(texts)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=6),
    st.lists(st.floats(0.1, 5), min_size=3, max_size=3),
)
def test_the_rate_is_the_weighted_mean(table, weights):
    checks = [
        Constraint(f"c{k}", "y", lambda text, k=k: float(table[int(text)][k]), weights[k]) for k in range(len(weights))
    ]
    with np.testing.suppress_warnings() as quiet:
        quiet.filter(ConstantVerifierWarning)
        found = csr(answers(*[str(i) for i in range(len(table))]), checks)
    for row, rate in zip(table, found.rates, strict=True):
        assert rate == pytest.approx(sum(w * v for w, v in zip(weights, row, strict=True)) / sum(weights))
    np.testing.assert_allclose(found.values, table)


def test_constraints_may_differ_by_prompt_and_what_does_not_apply_does_not_count():
    rows = [Response("a", ASKED, "oak", prompt_id="p"), Response("b", ASKED, "pine tree", prompt_id="q")]
    by = {
        "p": [constraint_of("words", get("words", most=1))],
        "q": [constraint_of("has", get("includes", keywords=["oak"]))],
    }
    found = csr(rows, by)
    assert found.rates.tolist() == [1.0, 0.0]
    assert np.isnan(found.values[0, 1])
    assert np.isnan(found.values[1, 0])
    assert found.scores("has").ids == ("b",)
    assert found.scores().clusters == ("p", "q")
    with pytest.raises(DataError, match="no constraint 'x'"):
        found.scores("x")


def test_a_check_that_raises_or_leaves_the_range_counts_as_0_and_is_logged(caplog):
    def broken(text):
        raise KeyError(text)

    checks = [verifier("y", name="broken")(broken), Constraint("high", "y", lambda text: 2.0 if text == "x" else 1.0)]
    with caplog.at_level(logging.WARNING), pytest.warns(ConstantVerifierWarning, match="broken"):
        found = csr(answers("x", "y"), checks)
    assert found.rates.tolist() == [0.0, 0.5]
    assert [(owner, name) for owner, name, _ in found.errors] == [("r0", "broken"), ("r0", "high"), ("r1", "broken")]
    assert "counts as 0" in caplog.text


def test_a_constant_check_warns_and_is_named():
    with pytest.warns(ConstantVerifierWarning, match="always"):
        found = csr(answers("a", "b"), [Constraint("always", "y", lambda text: True), Constraint("a", "y", "a".__eq__)])
    assert found.constant == ("always",)


def test_a_constraint_on_sets_gives_the_mean_over_the_groups_of_a_response():
    alike = verifier("set", name="alike")(lambda some: Verdict(float(len({one.text for one in some}) == 1)))
    found = csr(answers("a", "a", "b"), [alike], groups=[["r0", "r1"], ["r1", "r2"]])
    assert found.rates.tolist() == [1.0, 0.5, 0.0]
    with pytest.raises(DataError, match="no group holds it"):
        csr(answers("a", "b"), [alike], groups=[["r0"]])
    with pytest.raises(DataError, match="unknown response 'z'"):
        csr(answers("a"), [alike], groups=[["z"]])


def test_what_cannot_be_counted_is_refused():
    one = Constraint("one", "y", bool)
    with pytest.raises(DataError, match="one id"):
        csr([*answers("a"), *answers("b")], [one])
    with pytest.raises(DataError, match="one name"):
        csr(answers("a"), [one, one])
    with pytest.raises(DataError, match="no constraint applies"):
        csr(answers("a"), {"other": [one]})
    with pytest.raises(ConfigError, match="arity"):
        Constraint("x", "xyz", bool)
    with pytest.raises(RangeError, match="weight"):
        Constraint("x", "y", bool, weight=0.0)


def judged(response):
    if response.text not in ("yes", "no"):
        return None
    a, b = response.prompt[0]["content"].split()
    return a, b, response.text == "yes"


def asked(**said):
    return [Response(p, [{"role": "user", "content": p.replace("_", " ")}], t) for p, t in said.items()]


@pytest.mark.parametrize(
    ("check", "said", "score"),
    [
        (symmetric(judged), {"a_b": "yes", "b_a": "yes", "a_c": "no", "c_a": "yes"}, 0.5),
        (symmetric(judged), {"a_b": "yes", "c_d": "no"}, 1.0),
        (symmetric(judged), {"a_b": "perhaps", "b_a": ""}, 0.0),  # silence does not pay
        (symmetric(judged, kind="asymmetric"), {"a_b": "yes", "b_a": "yes"}, 0.0),
        (symmetric(judged, kind="asymmetric"), {"a_b": "no", "b_a": "no"}, 1.0),
        (transitive(judged), {"a_b": "yes", "b_c": "yes", "a_c": "yes"}, 1.0),
        (transitive(judged), {"a_b": "yes", "b_c": "yes", "a_c": "no"}, 0.0),
        (
            transitive(judged),
            {"a_b": "yes", "b_c": "yes", "a_c": "yes", "c_d": "yes", "b_d": "no", "a_d": "yes"},
            2 / 3,
        ),
        (transitive(judged), {"a_b": "yes", "b_a": "yes"}, 1.0),
    ],
)
def test_consistency_of_a_relation(check, said, score):
    assert check.check(asked(**said)).score == pytest.approx(score)


TREE = {"Living": None, "animal": "living", "dog": "animal", "thing": None}


@pytest.mark.parametrize(
    ("name", "parameters", "text", "score"),
    [
        ("regex", {"pattern": r"\d+", "whole": True}, " 12\n", 1.0),
        ("regex", {"pattern": r"\d+", "whole": True}, "12 x", 0.0),
        ("regex", {"pattern": r"\d+"}, "12 x", 1.0),
        ("json-schema", {"schema": {"type": "object", "required": ["a"]}}, '```json\n{"a": 1}\n```', 1.0),
        ("json-schema", {"schema": {"type": "object", "required": ["a"]}}, '{"b": 1}', 0.0),
        ("json-schema", {"schema": {"type": "number"}}, "NaN", 0.0),
        ("characters", {"least": 2, "most": 3}, " abc ", 1.0),
        ("characters", {"most": 3}, "abcd", 0.0),
        ("label-path", {"parents": TREE}, "Living / Animal/dog.", 1.0),
        ("label-path", {"parents": TREE}, "animal/dog", 0.0),
        ("label-path", {"parents": TREE}, "living/dog", 0.0),
        ("label-path", {"parents": TREE}, "living/cat", 0.0),
        ("label-path", {"parents": TREE}, "", 0.0),
        ("language", {"code": "en"}, "This is the house that was on the hill.", 1.0),
        ("language", {"code": "en"}, "Das ist nicht der Ort, an dem es war.", 0.0),
        ("language", {"code": "de"}, "Das ist nicht der Ort, an dem es war.", 1.0),
        ("language", {"code": "en"}, "", 0.0),
    ],
)
def test_bundled_constraints_with_parameters(name, parameters, text, score):
    assert get(name, **parameters)([], text, None).score == score


SOURCE = "The mill burnt down in 1843 and cost 1,250 pounds."


@pytest.mark.parametrize(
    ("name", "text", "score"),
    [
        ("quotes-source", 'It says "burnt  down in 1843".', 1.0),
        ("quotes-source", 'It says "burnt down" and "was rebuilt".', 0.5),
        ("quotes-source", "cost 1,250 pounds.", 1.0),
        ("quotes-source", "  ", 0.0),
        ("numbers-kept", "1250 pounds, in 1843", 1.0),
        ("numbers-kept", "1250 pounds", 0.0),
        ("numbers-kept", "1250 pounds, in 1843, not 1844", 0.0),
    ],
)
def test_bundled_verifiers_of_source_and_text(name, text, score):
    assert get(name)([], text, SOURCE).score == score
    assert get(name)([{"role": "user", "content": SOURCE}], text, None).score == score


def test_a_schema_is_checked_and_fetches_nothing():
    with pytest.raises(ConfigError, match="JSON Schema"):
        get("json-schema", schema={"type": "nothing"})
    with pytest.raises(ConfigError, match="regular expression"):
        get("regex", pattern="(")
    far = constraint_of("far", get("json-schema", schema={"$ref": "http://127.0.0.1:9/x.json"}))
    found = csr(answers("1"), [far])
    assert found.rates[0] == 0.0
    assert "Unresolvable" in found.errors[0][2]
