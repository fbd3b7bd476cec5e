import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.data.cards import FACES_AS_TEN, REGULAR_FACES, card_rows, solve_numbers
from tutelage.data.sokoban import MOVES, generate_level, level_rows, move_rows, parse_level, play, solve
from tutelage.errors import DataError, RangeError
from tutelage.verify import card_outcome, countdown, sokoban, sokoban_move

ROOM = """
#######
#_P___#
#_X_X_#
#O___O#
#######
"""


def after(text, *moves):
    level = parse_level(text)
    for move in moves:
        level = level.step(move)
    return str(level)


def test_a_step_walks_pushes_and_stops_as_the_rules_say():
    walk = "#######\n#PX_XO#\n#_O___#\n#######"
    assert after(walk, "Left") == walk  # a wall
    assert after(walk, "Right") == "#######\n#_PXXO#\n#_O___#\n#######"  # one box is pushed
    assert after(walk, "Right", "Right") == "#######\n#_PXXO#\n#_O___#\n#######"  # two are not
    assert after(walk, "Down") == "#######\n#_X_XO#\n#PO___#\n#######"
    assert after(walk, "Down", "Right") == "#######\n#_X_XO#\n#_S___#\n#######"  # the player stands on a target
    assert after(walk, "Down", "Right", "Up") == "#######\n#_X_XO#\n#_S___#\n#######"  # a box against a wall
    assert after("#####\n#PXO#\n#####", "Right") == "#####\n#_P√#\n#####"
    assert after("#####\n#PXO#\n#####", "Right", "Left") == "#####\n#P_√#\n#####"  # nothing is pulled


@settings(max_examples=60)
@given(st.integers(0, 50), st.lists(st.sampled_from(list(MOVES)), max_size=30))
def test_whatever_is_played_boxes_and_player_stay_on_free_cells(seed, moves):
    level = generate_level(6, 2, seed=seed % 5)
    first = level
    for move in moves:
        before, level = level, level.step(move)
        assert len(level.boxes) == len(first.boxes)
        assert (level.walls, level.targets) == (first.walls, first.targets)
        assert level.player not in level.boxes
        assert not (level.walls & (level.boxes | {level.player}))
        assert len(before.boxes - level.boxes) <= 1
    assert parse_level(str(level)) == level


def shortest(level):
    """Iterative deepening, without memory: the length of the shortest solution."""

    def reachable(position, depth):
        return position.solved or (depth > 0 and any(reachable(position.step(m), depth - 1) for m in MOVES))

    return next(depth for depth in range(12) if reachable(level, depth))


@pytest.mark.parametrize(
    "picture", ["#####\n#PXO#\n#####", "######\n#_P__#\n#_X__#\n#__O_#\n######", "#####\n#O__#\n#_X_#\n#__P#\n#####"]
)
def test_a_solution_solves_and_is_the_shortest(picture):
    level = parse_level(picture)
    path = solve(level)
    for move in path:
        assert not level.solved
        level = level.step(move)
    assert level.solved
    assert len(path) == shortest(parse_level(picture))


def distances(level):
    """Breadth-first over every position, without bound or pruning: moves to the nearest solved one, None without."""
    seen, edge, depth = {(level.player, level.boxes)}, [level], 0
    while edge:
        if any(one.solved for one in edge):
            return depth
        found = {(n.player, n.boxes): n for one in edge for n in (one.step(m) for m in MOVES)}
        edge = [found[key] for key in found.keys() - seen]
        seen |= found.keys()
        depth += 1
    return None


def room(draw, size, boxes):
    inner = [(r, c) for r in range(1, size - 1) for c in range(1, size - 1)]
    cells = draw.sample(inner, 2 * boxes + 1 + len(inner) // 6)
    marks = dict(zip(cells, "X" * boxes + "O" * boxes + "P" + "#" * len(inner), strict=False))
    picture = [[marks.get((r, c), "_" if (r, c) in inner else "#") for c in range(size)] for r in range(size)]
    return parse_level("\n".join(map("".join, picture)))


def test_solutions_are_as_short_as_breadth_first_search_says_and_there_is_one_where_it_finds_one():
    draw, lengths = random.Random(0), []
    for number in range(80):
        level = room(draw, 6 + number % 2, 1 + number % 2)
        path = solve(level)
        lengths.append(None if path is None else len(path))
        assert lengths[-1] == distances(level)
        assert path is None or level.after(path).solved
    assert None in lengths
    assert max(one for one in lengths if one) > 10


def test_a_room_without_a_solution_has_none_and_a_huge_one_is_refused():
    assert solve(parse_level("#####\n#XP_#\n#__O#\n#####")) is None
    with pytest.raises(RangeError, match="positions"):
        solve(parse_level(ROOM), states=10)


@pytest.mark.parametrize(
    "picture",
    [
        "#####\n#P_O#\n#####",
        "#####\n#PX_#\n#####",
        "####\n#PXO\n####",
        "###\n#P",
        "#####\n#PXZ#\n#####",
        "######\n#PPXO#\n######",
    ],
)
def test_what_is_no_level_is_refused(picture):
    with pytest.raises(DataError):
        parse_level(picture)


def test_generated_levels_are_solvable_repeatable_and_as_asked():
    for size, boxes in ((6, 1), (10, 1), (6, 2)):
        level = generate_level(size, boxes, seed=4)
        assert level == generate_level(size, boxes, seed=4)
        assert (level.height, level.width, len(level.boxes), len(level.targets)) == (size, size, boxes, boxes)
        assert not level.solved
        assert solve(level)
    assert generate_level(6, 1, seed=1) != generate_level(6, 1, seed=2)
    with pytest.raises(RangeError):
        generate_level(4, 2)


def test_rows_are_the_states_of_a_shortest_solution_under_any_names():
    level = generate_level(6, 1, seed=2)
    rows = list(move_rows([level], {"Up": "oak", "Down": "elm", "Left": "fig", "Right": "ash"}))
    meant = {"oak": "Up", "elm": "Down", "fig": "Left", "ash": "Right"}
    assert len({row["id"] for row in rows}) == len(rows) == len(solve(level))
    for row in rows:
        assert str(level) in row["prompt"][0]["content"]
        assert "oak = upwards" in row["prompt"][0]["content"]
        level = level.step(meant[row["completion"][0]["content"]])
    assert level.solved
    with pytest.raises(DataError):
        list(move_rows([level], {"Up": "x", "Down": "x", "Left": "y", "Right": "z"}))


NAMES = {"Up": "oak", "Down": "elm", "Left": "fig", "Right": "ash"}


def test_moves_of_a_row_are_judged_by_whether_they_bring_the_end_nearer():
    levels = [generate_level(6, 1, seed=seed) for seed in range(4)]
    kinds = set()
    for row in move_rows(levels, NAMES):
        level = parse_level(row["reference"].partition("\n")[2])
        for move, name in NAMES.items():
            after = distances(level.step(move))
            nearer = after is not None and after == distances(level) - 1
            assert sokoban_move([], f"I go {name.upper()}.", row["reference"]).score == nearer
            kinds.add((nearer, name == row["completion"][0]["content"]))
        assert sokoban_move([], "Up", row["reference"]).detail == "not an action"
    assert (True, False) in kinds  # another move is as short as the label
    assert sokoban_move([], "", row["reference"]).score == 0.0


def test_a_whole_solution_is_judged_by_playing_it():
    row = next(level_rows([generate_level(6, 2, seed=3)], NAMES))
    answer, reference = row["completion"][0]["content"], row["reference"]
    assert sokoban([], answer, reference).score == 1.0
    assert sokoban([], answer.replace(" ", ", "), reference).score == 1.0
    assert sokoban([], answer.rpartition(" ")[0], reference).detail == "not solved"
    assert sokoban([], f"{answer} Right", reference).detail == "not an action"
    assert sokoban([], "", reference).detail == "no actions"
    assert sokoban([], "oak " * 1001, reference).detail == "too long"
    for wrong in (None, "", "oak elm fig\n#", "oak oak fig ash\n#####\n#PXO#\n#####", "oak elm fig ash\n#P#"):
        with pytest.raises(DataError):
            sokoban([], "oak", wrong)


def expert(prompts):
    """Plays by the training names, whatever the prompt declares."""
    pictures = [prompt.split("target\n")[1].split("\nActions")[0] for prompt in prompts]
    return [f"so {solve(parse_level(picture))[0]}" for picture in pictures]


def test_games_are_played_until_solved_and_a_probe_counts_what_ignores_the_prompt():
    levels = [generate_level(6, 1, seed=seed) for seed in range(5)]
    for level, episode in zip(levels, play(levels, expert), strict=True):
        assert (episode.solved, episode.invalid, len(episode.moves)) == (True, 0, len(solve(level)))
    assert [one.solved for one in play(levels, expert, NAMES, accepted={m: m for m in MOVES})] == [True] * 5
    blind = play(levels, expert, NAMES, turns=3)
    assert [(one.solved, one.invalid, one.moves) for one in blind] == [(False, 3, ())] * 5
    with pytest.raises(DataError, match="answers"):
        play(levels, lambda prompts: ["Up"])
    with pytest.raises(DataError, match="names"):
        play(levels, expert, {"Up": "x"})


def test_hands_can_be_solved_and_their_answers_are_right():
    for row in card_rows(15, REGULAR_FACES, seed=1):
        answer = row["completion"][0]["content"]
        assert countdown(row["prompt"], answer, row["reference"]).score == 1.0
        assert "J counts as 11" in row["prompt"][0]["content"]
    assert card_rows(3, seed=1) == card_rows(3, seed=1)
    assert all(len(row["reference"].split(" = ")[0].split()) == 5 for row in card_rows(2, cards=5))


def test_a_probe_can_be_solved_either_way_and_always_differs():
    for row in card_rows(10, REGULAR_FACES, counted=FACES_AS_TEN, seed=2):
        numbers = [int(n) for n in row["reference"].split(" = ")[0].split()]
        hand = row["prompt"][0]["content"].split("cards ")[1].split(",")[0].split()
        said = [REGULAR_FACES.get(c) or (1 if c == "A" else int(c)) for c in hand]
        assert Counter(said) != Counter(numbers)
        assert solve_numbers(said)
        assert solve_numbers(numbers)
        assert card_outcome(row["completion"][0]["content"], numbers) == "correct"


def test_bad_hands_are_refused():
    for numbers in ([], [1] * 7, [-1, 3]):
        with pytest.raises(RangeError):
            solve_numbers(numbers)
    with pytest.raises(RangeError):
        card_rows(0)
