"""A conversation through a tokenizer's chat template: the one place that renders, for training and for generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tutelage.errors import ModelError
from tutelage.types import Chat

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["PLAIN_TEMPLATE", "plain_chat", "render", "template_of", "token_ids"]

PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '### ' + message['role'] | capitalize + ':\n' + message['content'] }}"
    "{{ (eos_token or '') if message['role'] == 'assistant' else '' }}{{ '\n\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Assistant:\n' }}{% endif %}"
)
"""The format for tokenizers without a template: ``### User:`` and ``### Assistant:`` headings, answers ended by EOS."""


def template_of(tokenizer: PreTrainedTokenizerBase) -> str:
    """The tokenizer's chat template, or :data:`PLAIN_TEMPLATE` where it has none."""
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return str(template) if template else PLAIN_TEMPLATE


def render(tokenizer: PreTrainedTokenizerBase, chat: Chat, *, header: bool = False) -> str:
    """The text that the tokenizer's template makes of a conversation, with the assistant's ``header`` at the end.

    Raises:
        ModelError: the template refuses it, for instance because it knows no system turn.
    """
    try:
        text = tokenizer.apply_chat_template(
            plain_chat(chat), chat_template=template_of(tokenizer), tokenize=False, add_generation_prompt=header
        )
    except Exception as error:  # jinja2 raises what the template's author chose
        roles = ", ".join(turn["role"] for turn in chat)
        raise ModelError(
            f"the chat template refuses a conversation of the turns {roles}: {error}",
            where=str(tokenizer.name_or_path) or None,
            hint="many templates know no system turn: move its text into the first user turn",
        ) from error
    return str(text)


def plain_chat(chat: Chat) -> list[dict[str, Any]]:
    """Only what templates read: role and content of every turn."""
    return [{"role": turn["role"], "content": turn["content"]} for turn in chat]


def token_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Ids of rendered text; special tokens are those that stand in it, none is added."""
    return [int(token) for token in tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]]
