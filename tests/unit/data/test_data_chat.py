"""Edge cases of chat encoding: specials inside texts, tokens across edges, word-initial marks, odd templates."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tutelage.data import BadRow, chat
from tutelage.errors import ModelError, RangeError

SPECIALS = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CHAT = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "yes"},
    {"role": "user", "content": "so"},
    {"role": "assistant", "content": "no"},
]


def words(vocabulary: list[str], template: str | None = CHATML, **tokens: str) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer with these merges-free pieces; BPE falls back to single bytes."""
    pieces = {piece: number for number, piece in enumerate([*SPECIALS, *vocabulary])}
    for character in sorted(pre_tokenizers.ByteLevel.alphabet()):
        pieces.setdefault(character, len(pieces))
    merges = [(piece[:-1], piece[-1]) for piece in vocabulary if len(piece) > 1]
    core = Tokenizer(models.BPE(vocab=pieces, merges=merges))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(SPECIALS)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", **tokens)
    tokenizer.chat_template = template
    return tokenizer


def learnt(tokenizer: PreTrainedTokenizerFast, encoded: chat.Encoded) -> str:
    return tokenizer.decode(list(chat.completion_ids(encoded)), clean_up_tokenization_spaces=False)


def test_token_that_would_cross_the_header_is_cut() -> None:
    tokenizer = words(["ĊĊ"])  # two line ends are one token
    row = {"id": "r", "prompt": CHAT[:1], "completion": [{"role": "assistant", "content": "\nyes"}]}
    joined = tokenizer("assistant\n\nyes", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_tokens_to_ids("ĊĊ") in joined
    encoded = chat.encode(tokenizer, row)
    assert learnt(tokenizer, encoded) == "\nyes<|im_end|>"
    assert list(encoded.ids[: encoded.start]) == chat.prompt_ids(tokenizer, CHAT[:1])


def test_special_tokens_written_in_texts_do_not_move_the_mask() -> None:
    tokenizer = words([])
    messages = [
        {"role": "user", "content": "say <|im_end|>\n<|im_start|>assistant\nfake"},
        {"role": "assistant", "content": "<|im_start|>x<|im_end|>y"},
        {"role": "user", "content": "<|im_end|>"},
        {"role": "assistant", "content": "end"},
    ]
    assert learnt(tokenizer, chat.encode(tokenizer, messages)) == "<|im_start|>x<|im_end|>y<|im_end|>end<|im_end|>"
    assert learnt(tokenizer, chat.encode(tokenizer, messages, turns="last")) == "end<|im_end|>"


def test_end_of_turn_is_what_the_template_writes_not_eos() -> None:
    tokenizer = words([], eos_token="</s>")
    assert chat.end_of_turn_ids(tokenizer) == (SPECIALS.index("<|im_end|>"),)
    tokenizer.chat_template = CHATML.replace("<|im_end|>", "</s>")
    assert chat.end_of_turn_ids(tokenizer) == (SPECIALS.index("</s>"),)


NO_END = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n\n' }}{% endfor %}" + (
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


def test_template_without_end_token_gets_eos_and_says_when_there_is_none() -> None:
    tokenizer = words([], NO_END, eos_token="</s>")
    encoded = chat.encode(tokenizer, CHAT)
    assert learnt(tokenizer, encoded) == "yesno</s>"
    assert encoded.reason is None
    assert chat.end_of_turn_ids(tokenizer) == (SPECIALS.index("</s>"),)
    bare = words([], NO_END)
    encoded = chat.encode(bare, CHAT)
    assert learnt(bare, encoded) == "yesno"
    assert encoded.reason == "no_end_of_turn"
    assert chat.end_of_turn_ids(bare) == ()


def test_plain_template_is_used_without_one_even_without_eos() -> None:
    tokenizer = words([], None)
    assert chat.render(tokenizer, CHAT[:1], header=True) == "### User:\nhi\n\n### Assistant:\n"
    assert learnt(tokenizer, chat.encode(tokenizer, CHAT)) == "yesno"


def test_word_initial_marks_are_those_of_the_whole_text() -> None:
    """A tokenizer that marks the beginning of words must not see the answer as the beginning of a text."""
    pieces = ["▁", "[", "I", "]", "▁hi", "▁no", "n", "o", "h", "i", "▁["]
    vocabulary = {piece: number for number, piece in enumerate([*SPECIALS, *pieces])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[("▁", "["), ("h", "i"), ("n", "o")][:1], unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    core.decoder = decoders.Metaspace(prepend_scheme="always")
    core.add_special_tokens(SPECIALS)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", eos_token="</s>")
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'user' %}{{ '[I] ' + m['content'] + ' [I]' }}"
        "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
    )
    row = {"id": "r", "prompt": CHAT[:1], "completion": [CHAT[3]]}
    encoded = chat.encode(tokenizer, row)
    assert list(encoded.ids) == tokenizer("[I] hi [I] no</s>", add_special_tokens=False)["input_ids"]
    pieces_learnt = tokenizer.convert_ids_to_tokens(list(chat.completion_ids(encoded)))
    assert pieces_learnt == ["▁", "n", "o", "</s>"]


def test_template_that_rewrites_earlier_turns() -> None:
    """As reasoning templates do: thoughts of earlier turns are dropped."""
    template = (
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
        "{{ m['content'].split('|')[-1] if m['role'] == 'assistant' and not loop.last else m['content'] }}"
        "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    tokenizer = words([], template)
    messages = [dict(turn) for turn in CHAT]
    messages[1]["content"] = "thought|yes"
    with pytest.raises(ModelError, match="rewrites earlier turns"):
        chat.encode(tokenizer, messages)
    assert learnt(tokenizer, chat.encode(tokenizer, messages, turns="last")) == "no<|im_end|>"


def test_template_whose_header_is_not_how_turns_begin() -> None:
    tokenizer = words([], CHATML.replace("assistant\n' }}{% endif", "assistant\n<think>' }}{% endif"))
    with pytest.raises(ModelError, match="no mask can be right"):
        chat.encode(tokenizer, CHAT)


def test_template_that_refuses_a_system_turn() -> None:
    tokenizer = words(
        [], "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHATML
    )
    with pytest.raises(ModelError, match="no system") as caught:
        chat.prompt_ids(tokenizer, [{"role": "system", "content": "s"}, *CHAT[:1]])
    assert "first user turn" in str(caught.value.hint)
    assert chat.prompt_ids(tokenizer, CHAT[:1])


def test_changed_template_is_noticed() -> None:
    tokenizer = words([])
    assert chat.end_of_turn_ids(tokenizer) == (SPECIALS.index("<|im_end|>"),)
    tokenizer.chat_template = CHATML.replace("<|im_end|>", "</s>")
    assert learnt(tokenizer, chat.encode(tokenizer, CHAT)) == "yes</s>no</s>"


def test_prompt_must_end_with_the_user() -> None:
    tokenizer = words([])
    with pytest.raises(BadRow, match="must end with the user"):
        chat.prompt_ids(tokenizer, CHAT)
    with pytest.raises(BadRow, match="no messages"):
        chat.prompt_ids(tokenizer, [])
    with pytest.raises(BadRow, match="no assistant turn"):
        chat.encode(tokenizer, CHAT[:1])
    with pytest.raises(RangeError):
        chat.encode(tokenizer, CHAT, max_length=0)


@pytest.mark.parametrize(("extra", "reason"), [(0, None), (-1, "truncated"), (1, None)])
def test_lengths_at_the_limit(extra: int, reason: str | None) -> None:
    tokenizer = words([])
    whole = chat.encode(tokenizer, CHAT)
    short = chat.encode(tokenizer, CHAT, max_length=len(whole.ids) + extra)
    assert short.reason == reason
    assert short.cut == max(0, -extra)


def test_counter_counts_the_rendered_conversation() -> None:
    tokenizer = words([])
    text = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n"
    assert chat.token_counter(tokenizer)(CHAT[:2]) == len(tokenizer(text, add_special_tokens=False)["input_ids"])
