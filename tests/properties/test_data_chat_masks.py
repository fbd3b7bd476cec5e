"""The tokens to learn decode to exactly the assistant turns, for random chats and templates of several families.

The expected texts are written by hand below, not rendered from the templates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tutelage.data import BadRow, chat, check_chat
from tutelage.types import Message

SPECIALS = ["<|end|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>", "<|head|>", "<|/head|>", "<|eot|>"]
CORPUS = [
    "user assistant system the and of\n\n to in that it was",
    "you are a helpful model ### User: Assistant:\n\n\n",
] * 4


def byte_level() -> PreTrainedTokenizerFast:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="<|end|>")


CHATML = (
    "{% for m in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MARKED = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ '<|im_start|>assistant\n' }}"
    "{% generation %}{{ m['content'] }}{% endgeneration %}{{ '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HEADED = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|head|>' + m['role'] + '<|/head|>\n\n' + m['content'] | trim + '<|eot|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|head|>assistant<|/head|>\n\n' }}{% endif %}"
)
TAGGED = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
BRACKETED = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}{{ ' ' + m['content'] | trim + eos_token }}"
    "{% elif m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% else %}{{ '[SYS] ' + m['content'] + ' [/SYS]' }}{% endif %}{% endfor %}"
)


@dataclass(frozen=True)
class Family:
    name: str
    template: str | None
    render: Callable[[list[Message]], str]
    turn: Callable[[str], str]  # what is to be learnt of an answer
    tail: str = ""


def by_turns(pattern: Callable[[str, str], str]) -> Callable[[list[Message]], str]:
    return lambda messages: "".join(pattern(turn["role"], turn["content"]) for turn in messages)


def chatml(messages: list[Message]) -> str:
    start = "" if messages[0]["role"] == "system" else "<|im_start|>system\nBe kind.<|im_end|>\n"
    return start + by_turns(lambda role, text: f"<|im_start|>{role}\n{text}<|im_end|>\n")(messages)


def bracketed(role: str, text: str) -> str:
    forms = {"assistant": f" {text.strip()}</s>", "user": f"[INST] {text} [/INST]", "system": f"[SYS] {text} [/SYS]"}
    return forms[role]


FAMILIES = [
    Family("ChatML with a default system turn", CHATML, chatml, lambda text: text + "<|im_end|>", "\n"),
    Family(
        "ChatML with generation marks",
        MARKED,
        by_turns(lambda role, text: f"<|im_start|>{role}\n{text}<|im_end|>\n"),
        lambda text: text + "<|im_end|>",
        "\n",
    ),
    Family(
        "headers, trimmed",
        HEADED,
        lambda ms: "<s>" + by_turns(lambda role, text: f"<|head|>{role}<|/head|>\n\n{text.strip()}<|eot|>")(ms),
        lambda text: text.strip() + "<|eot|>",
    ),
    Family(
        "tags that are plain text",
        TAGGED,
        by_turns(lambda role, text: f"<|{role}|>\n{text}</s>\n"),
        lambda text: text + "</s>",
        "\n",
    ),
    Family(
        "brackets, no header",
        BRACKETED,
        lambda ms: "<s>" + by_turns(bracketed)(ms),
        lambda text: f" {text.strip()}</s>",
    ),
    Family(
        "no template",
        None,
        by_turns(
            lambda role, text: f"### {role.capitalize()}:\n{text}" + ("</s>" if role == "assistant" else "") + "\n\n"
        ),
        lambda text: text + "</s>",
        "\n\n",
    ),
]

TOKENIZER = byte_level()
# jinja's trim and str.strip agree on these; marks of special tokens are tested apart
TEXT = st.text(st.sampled_from(" \n\tabTheuser.#:é😀日…<|>[]") | st.characters(exclude_categories=["Cs"]), max_size=24)
SAID = TEXT.filter(
    lambda text: bool(text.strip(" \t\r\n\v\f\u00a0\u200b\u200c\u200d\u2060\ufeff")) and bool(text.strip())
)


@st.composite
def chats(draw: st.DrawFn) -> list[Message]:
    messages: list[Message] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(SAID)})
    for _ in range(draw(st.integers(1, 3))):
        messages.append({"role": "user", "content": draw(SAID)})
        messages.append({"role": "assistant", "content": draw(SAID)})
    return messages


def runs(encoded: chat.Encoded) -> list[list[int]]:
    """Unbroken runs of tokens to learn."""
    pairs = zip(encoded.ids, encoded.labels_mask, strict=True)
    return [[token for token, _ in run] for learn, run in groupby(pairs, key=lambda pair: pair[1]) if learn]


def text_of(ids: list[int] | tuple[int, ...]) -> str:
    return TOKENIZER.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name, scope="module")
def family(request: pytest.FixtureRequest) -> Family:
    return request.param


@settings(max_examples=20, deadline=None)
@given(messages=chats())
def test_masked_text_is_exactly_the_assistant_turns(family: Family, messages: list[Message]) -> None:
    TOKENIZER.chat_template = family.template
    encoded = chat.encode(TOKENIZER, messages)
    answers = [turn["content"] for turn in messages if turn["role"] == "assistant"]
    assert [text_of(run) for run in runs(encoded)] == [family.turn(answer) for answer in answers]
    assert text_of(encoded.ids) + family.tail == family.render(messages)
    assert encoded.reason is None


@settings(max_examples=20, deadline=None)
@given(messages=chats())
def test_training_sees_what_generation_starts_from(family: Family, messages: list[Message]) -> None:
    TOKENIZER.chat_template = family.template
    *prompt, answer = messages
    encoded = chat.encode(TOKENIZER, {"id": "r", "prompt": prompt, "completion": [answer]})
    assert list(encoded.ids[: encoded.start]) == chat.prompt_ids(TOKENIZER, prompt)
    assert encoded.labels_mask[encoded.start :] == (True,) * (len(encoded.ids) - encoded.start)
    assert text_of(chat.completion_ids(encoded)) == family.turn(answer["content"])
    assert encoded.ids[-1] == chat.end_of_turn_ids(TOKENIZER)[-1]


@settings(max_examples=20, deadline=None)
@given(messages=chats(), limit=st.integers(1, 60))
def test_truncation_is_always_reported(family: Family, messages: list[Message], limit: int) -> None:
    TOKENIZER.chat_template = family.template
    whole = chat.encode(TOKENIZER, messages)
    short = chat.encode(TOKENIZER, messages, max_length=limit)
    assert short.ids == whole.ids[:limit]
    assert short.labels_mask == whole.labels_mask[:limit]
    assert short.cut == max(0, len(whole.ids) - limit)
    assert (short.reason == "nothing_to_learn") == (True not in short.labels_mask)
    assert (short.reason is None) == (len(whole.ids) <= limit)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)
ALMOST = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "tool", None]) | JUNK, "content": JUNK}
    ),
    max_size=4,
)


@settings(max_examples=80, deadline=None)
@given(value=JUNK | ALMOST)
def test_anything_is_a_chat_or_a_bad_row(value: object) -> None:
    try:
        messages = check_chat(value)
    except BadRow:
        return
    assert messages
    assert all(set(turn) == {"role", "content"} and isinstance(turn["content"], str) for turn in messages)
