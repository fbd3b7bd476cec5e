"""Prompts and replies: chats, instruction pairs, chat-formatted samples, prompts with verifiable constraints."""

from __future__ import annotations

from collections.abc import Iterator

from tutelage.assets.readers.record import Files, Item, Record, SetAside, identify, load_yaml, split_lines

__all__ = ["chat_sample", "conversations", "ifbench", "instruction_pairs"]


def conversations(data: Files) -> Iterator[Item]:
    """``prompt``, ``response`` (the first reply), ``replies`` (all), ``topic``, ``group`` (the prompt).

    The lists hold an opening line and the replies to it, mostly alternatives, sometimes the turns that follow; only
    the first pair is a safe example of question and answer.

    Args:
        data: YAML files with ``conversations``, a list of lists of lines.
    """
    for path in (path for paths in data.values() for path in paths):
        listed = load_yaml(path)["conversations"]
        for number, turns in enumerate(listed if isinstance(listed, list) else [], start=1):
            where = f"{path.name}, conversation {number}"
            lines = [str(turn).strip() for turn in turns if str(turn).strip()]
            if len(lines) < 2:
                yield SetAside(where, "fewer than two lines")
                continue
            columns = {
                "prompt": lines[0],
                "response": lines[1],
                "replies": lines[1:],
                "topic": path.stem,
                "group": identify(lines[0]),
            }
            yield Record(where, "all", (lines[0], lines[1]), columns)


def chat_sample(data: Files) -> Iterator[Item]:
    """``system``, ``prompt`` (the last user turn), ``answer``.

    A lone apostrophe that the source leaves at the end of a prompt is taken off.

    Args:
        data: JSON lines with ``input`` (messages) and ``ideal`` (str).
    """
    for split, where, raw in split_lines(data):
        answer = raw["ideal"].strip() if isinstance(raw["ideal"], str) else ""
        if not answer:
            yield SetAside(where, "no single answer")
            continue
        system = " ".join(m["content"] for m in raw["input"] if m["role"] == "system").strip()
        prompt = raw["input"][-1]["content"].strip()
        if prompt.count("'") == 1:
            prompt = prompt.removesuffix("'")
        yield Record(where, split, (prompt, answer), {"system": system, "prompt": prompt, "answer": answer})


def instruction_pairs(data: Files) -> Iterator[Item]:
    """``prompt``, ``response``, ``source``; the multiple-choice rows among them are set aside.

    Args:
        data: JSON lines with ``task_prompt``, ``task_output``, ``task_type``.
    """
    for split, where, raw in split_lines(data):
        prompt, response, source = (raw[k].strip() for k in ("task_prompt", "task_output", "task_type"))
        if source.endswith("mmlu") or not prompt or not response:
            yield SetAside(where, f"not an instruction pair ({source})")
            continue
        yield Record(where, split, (prompt,), {"prompt": prompt, "response": response, "source": source})


def ifbench(data: Files) -> Iterator[Item]:
    """``prompt``, ``instruction_id_list``, ``kwargs`` (one mapping per instruction, nulls left out), ``key``.

    Args:
        data: JSON lines with these fields.
    """
    for split, where, raw in split_lines(data):
        columns = {
            "prompt": raw["prompt"].strip(),
            "instruction_id_list": list(raw["instruction_id_list"]),
            "kwargs": [{k: v for k, v in kw.items() if v is not None} for kw in raw["kwargs"]],
            "key": str(raw["key"]),
        }
        yield Record(where, split, (raw["prompt"],), columns)
