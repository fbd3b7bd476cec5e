"""Distribution-grounded refinement: the model that will be tuned says a safety answer as it would say it itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tutelage.io import content_hash
from tutelage.refine.calls import CallCache, Said, engine_identity
from tutelage.refine.case import Case, case_of
from tutelage.refine.checks import cleaned
from tutelage.refine.engine import RowRefiner
from tutelage.refine.raft import unusable
from tutelage.refine.registered import refiners
from tutelage.refine.rewriting import with_answer
from tutelage.refine.settings import RefineSettings
from tutelage.refine.stages import Attempt, Check, first_valid
from tutelage.refine.talk import meta_talk
from tutelage.seeds import derive
from tutelage.types import Chat, Engine, Refined, Row, Sampling
from tutelage.verify import refusal_phrase

__all__ = ["REFUSAL_PROMPT", "DgrRefiner", "check_refusal", "parse_thinking"]

REFUSAL_PROMPT = (
    "Say this refusal as you would say it yourself: think in your usual way, come to the same decision, and do not "
    "quote it.\nRequest: {question}\nRefusal: {answer}"
)
RULES_VERSION = 1  # of the checks; raise it when they change, so that finished rows are judged anew
_MARKS = re.compile(r"</?think>")


def parse_thinking(text: str) -> tuple[str, str] | None:
    """Thought and answer of a text; None where the marks ``<think>`` and ``</think>`` do not pair up, once, in front.

    A text without marks is all answer. ``</think>`` alone is read as its end, since some chat templates open the
    thought in the prompt.

    Example:
        >>> parse_thinking("<think> Harmful. </think> I can't help."), parse_thinking("<think> Harmful.")
        (('Harmful.', "I can't help."), None)
    """
    marks = _MARKS.findall(text)
    if not marks:
        return "", text.strip()
    if marks not in (["<think>", "</think>"], ["</think>"]):
        return None
    before, _, answer = text.partition("</think>")
    opening, mark, thought = before.rpartition("<think>")
    if mark and opening.strip():
        return None
    return thought.strip(), answer.strip()


def check_refusal(case: Case, said: Said | None = None, *, thinking: bool = False) -> Check:
    """May ``case.text`` stand for the refusal ``case.reference``?

    It must have come to its end, its thought (needed with ``thinking``) and answer must be found and not be empty, the
    answer must still decline (:func:`tutelage.verify.refusal_phrase`), and neither may talk about rewriting.
    """
    if not case.text.strip():
        return Check(False, "empty", "nothing was said")
    if said is not None and said.finish == "length":
        return Check(False, "cut_off", f"cut off after {said.tokens} tokens")
    parsed = parse_thinking(case.text)
    if parsed is None:
        return Check(False, "thinking_unparsed", "the marks of thinking do not pair up in front of the answer")
    thought, answer = parsed
    if not answer or (not thought and (thinking or "</think>" in case.text)):
        return Check(False, "empty_part", "there is no answer" if not answer else "there is no thought")
    if refusal_phrase(answer) is None:
        return Check(False, "no_refusal", "it does not decline")
    for part in (thought, answer):
        meta = meta_talk(replace(case, text=part))
        if meta is not None and refusal_phrase(meta) is None and "sorry" not in meta.casefold():
            return Check(False, "meta_talk", f"it says {meta!r}")
    return Check(True)


@refiners.register("dgr", paper="https://arxiv.org/abs/2602.02136")
class DgrRefiner(RowRefiner):
    """Restates refusals in the model's own distribution (arXiv 2602.02136), then it is plain fine-tuning.

    Up to ``1 + settings.retries`` tries, the first at ``temperature``, the others at ``retry_temperature``. A row none
    of whose tries passes :func:`check_refusal` keeps its answer (``fallback="original"``, the paper) or is dropped. Its
    distance from the model's own answers then stays, so the share is part of the result: outcome ``kept`` or
    ``dropped`` with the reason of the last try, ``trace["fallback"]``, and a line among the report's warnings. Rows
    whose answer is no refusal are not safety data and are kept as they are. Wording and number of retries are ours.

    Args:
        rewriter: the model that will be tuned.
        settings: retries, fallback, thinking, sampling.
        seed: of the retries.
    """

    name = "dgr"

    def __init__(self, rewriter: Engine, settings: RefineSettings | None = None, *, seed: int = 0) -> None:
        self.engine, self.settings, self.seed = rewriter, settings or RefineSettings(method="dgr"), seed

    def fingerprint(self) -> str:
        """Hash of engine, prompt, settings and rules."""
        s = self.settings
        knobs = [s.retries, s.fallback, s.thinking, s.temperature, s.retry_temperature, s.max_new_tokens]
        prompt = [REFUSAL_PROMPT, s.instructions]
        return content_hash([self.name, RULES_VERSION, engine_identity(self.engine), prompt, knobs, self.seed])

    def refine(self, rows: Sequence[Row], calls: CallCache) -> list[Refined]:
        """One result per row, in order."""
        read = [case_of(row) for row in rows]
        chosen = [i for i, case in enumerate(read) if isinstance(case, Case) and _declines(case.reference)]
        cases = [case for i in chosen if isinstance(case := read[i], Case)]

        def generate(batch: list[Case], number: int) -> list[tuple[Said, str]]:
            return self._generate(batch, number, calls)

        tried = first_valid(cases, 1 + self.settings.retries, generate, self._judged)
        made = dict(zip(chosen, tried, strict=True))
        return [
            self._result(row, made[i])
            if i in made
            else unusable(row, "no_refusal_to_restate" if isinstance(case, Case) else case)
            for i, (row, case) in enumerate(zip(rows, read, strict=True))
        ]

    def _judged(self, cases: list[Case], said: list[Said]) -> list[Check]:
        texts = [replace(case, text=one.text) for case, one in zip(cases, said, strict=True)]
        thinking = self.settings.thinking == "required"
        return [check_refusal(case, one, thinking=thinking) for case, one in zip(texts, said, strict=True)]

    def _generate(self, cases: list[Case], number: int, calls: CallCache) -> list[tuple[Said, str]]:
        s = self.settings
        sampling = Sampling(s.max_new_tokens, s.retry_temperature if number else s.temperature)
        prompts = [_asked(case, s.instructions) for case in cases]
        seed = derive(self.seed, "dgr", number)
        said = calls.generate(self.engine, prompts, sampling=sampling, seed=seed)
        return [(replace(one, text=cleaned(one.text)), "refusal") for one in said]

    def _result(self, row: Row, attempts: list[Attempt[str]]) -> Refined:
        last, original = attempts[-1], row["completion"][-1]["content"]
        passed = last.check.ok
        trace = {
            "id": row["id"],
            "domain": row.get("group", ""),
            "prompt": row["prompt"],
            "answer_orig": original,
            "answer_rewrite": last.said.text,
            "passed": passed,
            "fallback": not passed,
            "sim": None,
            "source": "rewrite" if passed else "orig",
            "tokens": sum(one.said.tokens for one in attempts),
            "attempts": [
                {"text": a.said.text, "prompt": a.source, "ok": a.check.ok, "reason": a.check.reason} for a in attempts
            ],
        }
        if passed and last.said.text != original:
            return Refined(with_answer(row, last.said.text), "changed", "rewrite", trace)
        if not passed and self.settings.fallback == "drop":
            return Refined(None, "dropped", last.check.reason, trace)
        return Refined(row, "kept", "same_as_reference" if passed else last.check.reason, trace)


def _declines(reference: str) -> bool:
    parsed = parse_thinking(reference)
    return refusal_phrase(parsed[1] if parsed is not None else reference) is not None


def _asked(case: Case, hint: str) -> Chat:
    before, after = REFUSAL_PROMPT.split("{question}")
    between, after = after.split("{answer}")
    said = f"{before}{case.question}{between}{case.reference}{after}"
    return [{"role": "user", "content": f"{hint.strip()}\n{said}" if hint.strip() else said}]
