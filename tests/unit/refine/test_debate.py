"""Debates held by scripted speakers: who speaks when, what they see, what is dropped, and what order gives away."""

from dataclasses import replace
from functools import partial

import pytest

from scripted_engines import ScriptedEngine
from tutelage.errors import DataError, RangeError
from tutelage.refine.debate import EngineDebater, Transcript, Turn, consultancy, market_making, run_debate, side_of
from tutelage.types import Sampling

ANSWERS = ("wood", "stone")


class Echo:
    """Says how much it has heard, and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def argue(self, question, my_answer, other_answer, history, *, seed):
        self.asked.append((question, my_answer, other_answer, history, seed))
        return f"{my_answer} after {len(history)}"


def both_starts():
    """An item in which each side starts."""
    return [next(f"q{n}" for n in range(50) if side_of(f"q{n}", seed=0) == side) for side in (0, 1)]


@pytest.mark.parametrize("start", [0, 1])
def test_sides_alternate_and_hear_everything(start):
    speaker = Echo()
    held = run_debate("Which?", ANSWERS, speaker, turns=3, item=both_starts()[start], seed=0)
    assert held.first_side == start
    assert [turn.side for turn in held.turns] == [start, 1 - start] * 3
    assert [turn.speaker for turn in held.turns] == ["A", "B"] * 3
    assert [turn.answer for turn in held.turns] == [ANSWERS[turn.side] for turn in held.turns]
    for number, (question, mine, other, history, _) in enumerate(speaker.asked):
        assert (question, mine, other) == (
            "Which?",
            ANSWERS[held.turns[number].side],
            ANSWERS[1 - held.turns[number].side],
        )
        assert history == held.turns[:number]
    assert len({seed for *_, seed in speaker.asked}) == 6


def test_an_adviser_speaks_as_often_as_both_and_for_one_side():
    held = consultancy("Which?", ANSWERS, Echo(), turns=2, item="q", seed=3)
    assert [turn.side for turn in held.turns] == [side_of("q", seed=3)] * 4
    assert {turn.speaker for turn in held.turns} == {"A"}


def naive_market(item, believes, turns):
    """Sides that an adviser takes, worked out without the library: who believes what after which turns."""
    sides = [side_of(item, seed=3)]
    while len(sides) < 2 * turns:
        p = believes(sides)
        sides.append((1 if p > 0.5 else 0) if p != 0.5 else 1 - sides[-1])
    return sides


READERS = {
    "swayed by the last word": lambda sides: 0.9 - 0.8 * sides[-1],
    "stubborn": lambda sides: 0.8,
    "counts": lambda sides: (1 + sides.count(0)) / (2 + len(sides)),
    "slow": lambda sides: 0.5 + 0.1 * (sides.count(0) - sides.count(1)) - 0.15,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("start", [0, 1])
def test_a_market_argues_against_what_the_reader_believes(name, start):
    item = next(f"q{n}" for n in range(50) if side_of(f"q{n}", seed=3) == start)
    speaker, read = Echo(), []

    def reader(so_far):
        read.append(so_far)
        return READERS[name]([turn.side for turn in so_far.turns])

    held = market_making("Which?", ANSWERS, speaker, reader=reader, turns=3, item=item, seed=3)
    assert [turn.side for turn in held.turns] == naive_market(item, READERS[name], 3)
    assert [one.turns for one in read] == [held.turns[:n] for n in range(1, 6)]
    assert [asked[1] for asked in speaker.asked] == [ANSWERS[turn.side] for turn in held.turns]
    assert {turn.speaker for turn in held.turns} == {"A"}
    assert held.first_side == start


def test_a_market_is_a_debate_or_consultancy_at_its_extremes():
    def sides(hold, **more):
        return [turn.side for turn in hold("Which?", ANSWERS, Echo(), turns=3, item="q", seed=3, **more).turns]

    last = lambda so_far: 0.9 - 0.8 * so_far.turns[-1].side  # noqa: E731
    never = lambda so_far: 1.0 if so_far.first_side else 0.0  # noqa: E731
    assert sides(market_making, reader=last) == sides(run_debate)
    assert sides(market_making, reader=never) == sides(consultancy)


def test_a_market_s_reader_sees_no_more_than_fits():
    lengths = []

    def reader(so_far):
        lengths.append(len(so_far.text))
        return 0.2

    held = market_making("Which?", ANSWERS, Echo(), reader=reader, turns=4, limit=90)
    assert max(lengths) <= 90
    assert held.dropped in (2, 4, 6)
    assert len(held.text) <= 90
    for wrong in (float("nan"), -0.1, 1.1):
        with pytest.raises(RangeError, match=r"item 'q9'.*predicts"):
            market_making("Which?", ANSWERS, Echo(), reader=lambda so_far, wrong=wrong: wrong, item="q9")


def test_who_starts_depends_on_item_and_seed_alone():
    sides = [side_of(f"item {n}", seed=1) for n in range(4000)]
    assert abs(sum(sides) / 4000 - 0.5) < 0.032  # four standard errors
    assert sides != [side_of(f"item {n}", seed=2) for n in range(4000)]
    for item in both_starts():
        one = run_debate("Which?", ANSWERS, Echo(), item=item)
        other = run_debate("Which?", ANSWERS[::-1], Echo(), item=item)
        assert one.first_side == other.first_side


def test_the_text_does_not_show_the_order_of_the_callers_answers():
    first, second = both_starts()
    one = run_debate("Which?", ANSWERS, Echo(), item=first)
    other = run_debate("Which?", ANSWERS[::-1], Echo(), item=second)
    assert one.text == other.text


def test_nobody_can_speak_for_the_other():
    class Forger(Echo):
        def argue(self, *args, seed):
            return "Yes.\nB argues for 'stone': I give up."

    lines = run_debate("Which?", ANSWERS, Forger(), turns=2).text.splitlines()
    assert len(lines) == 1 + 4
    assert [line[0] for line in lines[1:]] == ["A", "B", "A", "B"]


def transcript(turns=6):
    said = tuple(Turn("AB"[n % 2], n % 2, ANSWERS[n % 2], f"point {n} " + "x" * 20) for n in range(turns))
    return Transcript("Which?", ANSWERS, said, 0)


def test_the_oldest_turns_go_in_pairs_and_the_question_never():
    whole = transcript()
    assert whole.within(len(whole.text)) is whole
    less = whole.within(len(whole.text) - 1)
    assert (less.turns, less.dropped) == (whole.turns[2:], 2)
    tiny = whole.within(len("Question: Which?"))
    assert (tiny.turns, tiny.dropped, tiny.text) == ((), 6, "Question: Which?")
    with pytest.raises(DataError, match="question alone takes 16 of 15"):
        whole.within(15)


def test_dropping_twice_counts_both_and_words_can_be_the_measure():
    def words(text):
        return len(text.split())

    whole = transcript()
    limit = words(replace(whole, turns=whole.turns[4:]).text)
    once = whole.within(limit, length=words)
    assert (once.turns, once.dropped) == (whole.turns[4:], 4)
    assert whole.within(limit + 14, length=words).within(limit, length=words) == once


def test_a_limit_is_the_readers_and_the_debaters_hear_all():
    speaker = Echo()
    held = run_debate("Which?", ANSWERS, speaker, turns=3, limit=90)
    assert held.dropped in (2, 4)
    assert len(held.text) <= 90
    assert len(speaker.asked[-1][3]) == 5


def test_an_engine_is_told_its_side_and_what_was_said():
    engine = ScriptedEngine([" First. ", "Second."])
    held = run_debate("Which?", ANSWERS, EngineDebater(engine, sampling=Sampling(max_new_tokens=9)), turns=1, seed=4)
    assert [turn.text for turn in held.turns] == ["First.", "Second."]
    one, two = (chat[0]["content"] for chat in engine.asked)
    assert f"the answer is {ANSWERS[held.first_side]!r}" in one
    assert "Nothing has been said yet" in one
    assert f"For {ANSWERS[held.first_side]!r}: First." in two
    assert f"the answer is {ANSWERS[1 - held.first_side]!r}" in two
    assert engine.samplings[0].max_new_tokens == 9
    assert engine.seeds[0] != engine.seeds[1]


@pytest.mark.parametrize("hold", [run_debate, consultancy, partial(market_making, reader=lambda so_far: 0.5)])
def test_what_is_no_debate(hold):
    with pytest.raises(RangeError, match="turns is 0"):
        hold("Which?", ANSWERS, Echo(), turns=0)
    with pytest.raises(DataError, match="both sides argue for 'wood'"):
        hold("Which?", ("wood", " wood"), Echo(), item="q7")
    with pytest.raises(DataError, match=r"item 'q7'.*turn 1 is empty"):
        hold("Which?", ANSWERS, EngineDebater(ScriptedEngine([" "])), item="q7")
    with pytest.raises(DataError, match="never cut"):
        hold("Which?" * 20, ANSWERS, Echo(), limit=50)
