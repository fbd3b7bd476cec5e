from itertools import product

from tutelage.data import plan_stages
from tutelage.papers.lab.countdown import countdown_pool, countdown_tokenizer, general_exercises
from tutelage.papers.recipes.sft_grpo_overlap import OVERLAPS, cpu
from tutelage.verify import countdown, expression, parse_expression

CONFIG = cpu(5)
POOL = countdown_pool()


def test_every_problem_has_a_right_answer_of_the_shortest_length():
    for row in POOL:
        assert countdown([], row["completion"][0]["content"], row["reference"]).score == 1.0
    for row in POOL[::97]:
        numbers, target = row["reference"].split(" = ")
        a, b, c = numbers.split()
        plain = any(parse_expression(f"{a}{p}{b}{q}{c}").value == int(target) for p, q in product("+-*", "+-*"))
        assert plain == (row["group"] == "easy") == ("(" not in row["completion"][0]["content"])


def test_the_pool_is_large_enough_for_every_condition_and_seed():
    pool = POOL[CONFIG.items :]
    for seed, share in product(CONFIG.seeds, OVERLAPS.values()):
        plan = plan_stages(
            [row["id"] for row in pool],
            CONFIG.n_sft,
            CONFIG.n_rl,
            share,
            strata=[row["group"] for row in pool],
            seed=seed,
        )
        assert abs(plan.overlap - share) < 0.01


def test_general_exercises_are_true():
    for one in general_exercises(300, 0):
        if one.kind == "write":
            assert expression([], one.reply, None).score == 1.0
            assert sorted(parse_expression(one.reply).numbers) == sorted(map(int, one.prompt.split()[:3]))
        else:
            assert parse_expression(one.prompt.removesuffix(" ?")).value == int(one.reply)


def test_a_token_is_a_character():
    tokenizer = countdown_tokenizer()
    text = "3 5 7 = 22"
    assert len(tokenizer(text, add_special_tokens=False)["input_ids"]) == len(text)
