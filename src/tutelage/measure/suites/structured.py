"""The same questions, asked for as JSON of a given form: is the answer right, is the form right, are both?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutelage import assets, verify
from tutelage.measure.asking import Item, Speaking, each
from tutelage.measure.results.table import MetricFacts
from tutelage.measure.retention.generated import problems
from tutelage.measure.retention.ranked import question
from tutelage.measure.retention.sizes import chosen
from tutelage.measure.suite import Suite, Task
from tutelage.measure.suites.mixing import in_turn
from tutelage.measure.suites.registry import count, suites
from tutelage.types import Completion, Sampling
from tutelage.verify.answers import normalised_answer

__all__ = ["Form", "structured"]

VERSION = "1"
_ASSETS = ("asdiv", "openbookqa")
_MATHS = {"smoke": 3, "quick": 40, "standard": 160, "full": 400}
_CHOICE = {"smoke": 3, "quick": 40, "standard": 160, "full": 500}
_TOKENS = {"smoke": 24, "quick": 64, "standard": 64, "full": 96}


@dataclass(frozen=True)
class Form:
    """A form of answer: exactly these keys, each of its kind; ``instruction`` asks for it."""

    name: str
    keys: Mapping[str, str]
    """``number``, ``text`` or ``option`` (one of the listed answers, word for word) by key."""

    @property
    def instruction(self) -> str:
        """The sentence that asks for it.

        A pattern, because small models that are told the keys in words never write the object alone (0 of 80).
        """
        pattern = ", ".join(f'"{key}": {kind.upper()}' for key, kind in self.keys.items())
        meant = ", where OPTION is one of the options, word for word" if "option" in self.keys.values() else ""
        return f"Reply with nothing but JSON of this form: {{{pattern}}}{meant}"

    def read(self, text: str) -> dict[str, Any] | None:
        """The JSON object that the whole text is (a code fence around it is allowed), or None."""
        if not verify.json_keys([])([], text, None).score:
            return None
        found: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1])
        return found

    def fits(self, found: Mapping[str, Any] | None, options: tuple[str, ...] = ()) -> bool:
        """Whether an object has exactly the keys, and values of their kinds."""
        if found is None or set(found) != set(self.keys):
            return False
        return all(_is(kind, found[key], options) for key, kind in self.keys.items())


def _is(kind: str, value: Any, options: tuple[str, ...]) -> bool:
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "option":
        return value in options
    return isinstance(value, str) and bool(value.strip())


FORMS = {
    "maths": (Form("one key", {"answer": "number"}), Form("two keys", {"steps": "text", "answer": "number"})),
    "choice": (Form("one key", {"answer": "option"}), Form("two keys", {"reason": "text", "answer": "option"})),
}


def judged(form: Form, item: Item, said: Completion) -> dict[str, float]:
    """Whether the answer is right, whether the form is, and whether both are.

    The answer is that under the key ``answer`` where the reply is a JSON object that has one, else whatever the whole
    reply says: a right answer in the wrong form is right.
    """
    found = form.read(said.text)
    text = str(found["answer"]) if found is not None and "answer" in found else said.text
    judge = verify.get("choice", choices=item.choices) if item.choices else verify.get("number")
    right = judge(item.chat, text, item.target).score
    fits = float(form.fits(found, item.choices))
    return {"task_right": right, "format_right": fits, "both": right * fits}


def _maths_items(n: int) -> list[tuple[Item, Form]]:
    found = []
    for k, problem in enumerate(problems(n)):
        form = FORMS["maths"][k % 2]
        prompt = f"{problem.question}\n{form.instruction}"
        groups = {"question": "maths", "form": form.name}
        found.append((Item(problem.id, prompt, str(problem.answer), groups=groups), form))
    return found


def _choice_items(n: int) -> list[tuple[Item, Form]]:
    found = []
    rows = [row for row in assets.rows("openbookqa") if len(set(map(normalised_answer, row["choices"]))) > 3]
    for k, row in enumerate(chosen(rows, n, "format")):
        ranked, form = question("openbookqa", row), FORMS["choice"][k % 2]
        options = "\n".join(f"- {choice}" for choice in ranked.choices)
        prompt = f"{row['question']}\nOptions:\n{options}\n{form.instruction}"
        groups = {"question": "choice", "form": form.name}
        found.append((Item(ranked.id, prompt, ranked.choices[ranked.right], ranked.choices, groups), form))
    return found


@suites.register("format", assets=_ASSETS)
def structured(size: str) -> Suite:
    """Word problems and OpenBookQA with the answer asked for as JSON: task right, format right, both."""
    maths, choice = _maths_items(count(_MATHS, size)), _choice_items(count(_CHOICE, size))
    pairs = in_turn([maths, choice])
    forms = {item.id: form for item, form in pairs}
    names = ("both", "task_right", "format_right")
    method = Speaking(
        Sampling(max_new_tokens=count(_TOKENS, size), temperature=0.0),
        {name: MetricFacts(unit="share") for name in names},
        each(lambda item, said: judged(forms[item.id], item, said)),
    )
    task = Task("format", tuple(item for item, _ in pairs), method, VERSION)
    notes = ("a right answer in the wrong form counts as task right; 'both' is what a program that parses it gets",)
    return Suite("format", VERSION, (task,), "the answer as JSON of a given form", _ASSETS, notes)
