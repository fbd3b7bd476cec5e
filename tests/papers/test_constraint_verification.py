"""What is particular to ACT: two readers of one rule agree, none rewards an answer without content."""

import pytest

from tutelage.papers.lab.ruled_lists import (
    CLOSINGS,
    HELD_OUT,
    KNOWN,
    MEMBERS,
    OPENINGS,
    SLOTS,
    TRAINED,
    requests,
    writers,
)
from tutelage.papers.recipes.constraint_verification import CLAIMS, checks_of
from tutelage.verify.satisfaction import Response, csr

EVERY = requests(400, 7)


def names(request):
    return [rule.name for rule in request.rules]


def test_kinds_are_split_and_never_mixed():
    assert not set(TRAINED) & set(HELD_OUT)
    assert len(TRAINED) + len(HELD_OUT) == 12
    assert {name for one in requests(300, 0, names=TRAINED) for name in names(one)} == set(TRAINED)
    assert {name for one in requests(300, 0, names=HELD_OUT) for name in names(one)} == set(HELD_OUT)
    slot = {name: slot for slot, some in SLOTS.items() for name in some}
    assert all(slot[a] != slot[b] for a, b in map(names, EVERY))
    assert len(set(KNOWN)) == 3 * len(MEMBERS)
    assert not set(KNOWN) & {*OPENINGS, *CLOSINGS}


def test_the_measuring_reader_sees_what_was_heeded_and_what_was_not():
    for one in EVERY:
        whole = one.reply(one.right, names(one))
        assert all(one.heeds(rule, whole) for rule in one.rules), (one.prompt, whole)
        plain = one.reply(one.right, [])
        assert not any(one.heeds(rule, plain) for rule in one.rules), (one.prompt, plain)
        first = one.reply(one.right, names(one)[:1])
        assert [one.heeds(rule, first) for rule in one.rules] == [True, False], (one.prompt, first)
        assert one.answered(whole)
        assert one.answered(plain)


def test_the_training_checks_agree_with_the_measuring_reader_though_they_share_no_code():
    asked = requests(200, 3, names=TRAINED)
    for one in asked:
        for heeded in ([], names(one)[:1], names(one)):
            text = one.reply(one.right, heeded)
            checks = checks_of(one)
            found = [check([], text, None).score for check in checks]
            assert found == [*(float(one.heeds(rule, text)) for rule in one.rules), 1.0], (one.prompt, text)


@pytest.mark.parametrize("text", ["", "!", "sure", "3 !", "[ ]", "pig", "sure pig pig pig pig pig"])
def test_an_answer_without_content_never_gets_full_marks(text):
    for one in requests(60, 5, names=TRAINED):
        prompt = [{"role": "user", "content": one.prompt}]
        row = Response("a", prompt, text, prompt_id=one.id)
        assert csr([row], checks_of(one)).rates[0] < 1.0
        assert not one.answered(text)


def test_careful_and_careless_writers_are_both_there():
    some = writers(400, 1)
    asked = {one.id: one for one in requests(400, 1, label="writers")}
    kept = [sum(asked[e.id].heeds(rule, e.reply) for rule in asked[e.id].rules) for e in some]
    share = sum(kept) / 800
    assert 0.38 < share < 0.55
    assert kept.count(2) / 400 > share**2 + 0.05  # kept together more often than by chance


def test_the_claims_are_separate():
    assert [one.id for one in CLAIMS] == ["A1", "A2", "A3", "A4"]
    assert CLAIMS[1].parts[0].margin == 0.03
