"""The refiner that puts subtasks beside hard tasks, or in their place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tutelage.data.splits import group_of, normalised
from tutelage.data.steps import UNKNOWN, StepRow, segment
from tutelage.io import content_hash
from tutelage.refine.calls import CallCache, engine_identity
from tutelage.refine.case import Case, case_of
from tutelage.refine.engine import RowRefiner
from tutelage.refine.raft import unusable
from tutelage.refine.registered import refiners
from tutelage.refine.settings import RefineSettings
from tutelage.refine.subtasks import SUBTASK_PROMPT, SubTask, contiguous, near, parse_subtasks, problem_with
from tutelage.seeds import derive
from tutelage.types import Chat, Engine, Message, Refined, Row, Sampling

__all__ = ["SubtaskRefiner"]

RULES_VERSION = 1  # of parsing and filters; raise it when they change, so that finished rows are judged anew
LEAST, MOST = 2, 4
_ROOM = 256  # tokens, below which a reply of several problems is likely to be cut off


@dataclass(frozen=True)
class _Found:
    """The subtasks of a row, why others were refused, and what it took."""

    kept: tuple[SubTask, ...] = ()
    refused: tuple[str, ...] = ()
    tokens: int = 0
    tries: int = 0


@refiners.register("subtasks", paper="https://arxiv.org/abs/2410.20533")
class SubtaskRefiner(RowRefiner):
    """Each row with parts of its task as further rows, in ``trace["added"]``.

    ``settings.parts = "steps"`` cuts the answer's own lines (:func:`tutelage.refine.subtasks.contiguous`): no engine,
    no mistakes of its own. ``"engine"`` asks for 2 to 4 problems as JSON, the first time at ``temperature``, then up to
    ``retries`` times at ``retry_temperature``, until at least two pass every filter; the best try counts. With
    ``parents = "drop"`` the parts stand in the row's place. Rows without parts are kept, with the reason. Parts belong
    to their parent's ``group``, so that no split parts them.

    Args:
        engine: asked for subtasks; None for ``parts = "steps"``.
        settings: of the refinement.
        tests: questions of a test set, to which no part may come near.
        seed: of cuts and retries.
    """

    name = "subtasks"

    def __init__(
        self, engine: Engine | None, settings: RefineSettings | None = None, *, tests: Sequence[str] = (), seed: int = 0
    ) -> None:
        self.settings = settings or RefineSettings(method="subtasks")
        self.engine, self.seed, self.tests = engine, seed, tuple(tests)

    def fingerprint(self) -> str:
        """Hash of engine, wording, filters, settings and rules."""
        s = self.settings
        knobs = [s.parts, s.parents, s.retries, s.temperature, s.retry_temperature, s.max_new_tokens, s.instructions]
        who = "" if self.engine is None or s.parts == "steps" else engine_identity(self.engine)
        return content_hash([self.name, RULES_VERSION, who, SUBTASK_PROMPT, list(self.tests), knobs, self.seed])

    def warnings(self) -> list[str]:
        """Where replies are likely to be cut off."""
        room = self.settings.max_new_tokens
        if self.settings.parts == "steps" or room >= _ROOM:
            return []
        return [f"several problems with solutions seldom fit into {room} tokens: --set refine.max_new_tokens=512"]

    def refine(self, rows: Sequence[Row], calls: CallCache) -> list[Refined]:
        """One result per row, in order."""
        read = [case_of(row) for row in rows]
        whole = {i: _step_row(row, case) for i, (row, case) in enumerate(zip(rows, read, strict=True)) if _is(case)}
        if self.settings.parts == "steps":
            made = self._apart({i: _Found(tuple(contiguous(p, LEAST, MOST, seed=self.seed))) for i, p in whole.items()})
        else:
            made = self._asked(whole, calls)
        return [
            self._result(row, made[i]) if i in made else unusable(row, str(case))
            for i, (row, case) in enumerate(zip(rows, read, strict=True))
        ]

    def _asked(self, whole: dict[int, StepRow], calls: CallCache) -> dict[int, _Found]:
        assert self.engine is not None, "parts = 'engine' needs an engine"
        best = dict.fromkeys(whole, _Found())
        for number in range(1 + self.settings.retries):
            todo = [i for i in whole if len(best[i].kept) < LEAST]
            temperature = self.settings.retry_temperature if number else self.settings.temperature
            said = calls.generate(
                self.engine,
                [self._prompt(whole[i]) for i in todo],
                sampling=Sampling(self.settings.max_new_tokens, temperature),
                seed=derive(self.seed, "subtasks", number),
            )
            tried = {
                i: _judged(whole[i], one.text) if one.finish == "stop" else _Found(refused=("cut_off",))
                for i, one in zip(todo, said, strict=True)
            }
            for (i, found), one in zip(self._apart(tried).items(), said, strict=True):
                better = found if not number or len(found.kept) > len(best[i].kept) else best[i]
                best[i] = replace(better, tokens=best[i].tokens + one.tokens, tries=number + 1)
        return best

    def _apart(self, found: dict[int, _Found]) -> dict[int, _Found]:
        """Without the subtasks that come near to a question of the test set."""
        if not self.tests:
            return found
        places = [(i, one) for i, some in found.items() for one in some.kept]
        close = near([one.question for _, one in places], self.tests)
        leaks = {(i, one.id) for place, (i, one) in enumerate(places) if place in close}
        return {
            i: replace(
                some,
                kept=tuple(one for one in some.kept if (i, one.id) not in leaks),
                refused=some.refused + ("near_test",) * sum((i, one.id) in leaks for one in some.kept),
            )
            for i, some in found.items()
        }

    def _prompt(self, row: StepRow) -> Chat:
        text = SUBTASK_PROMPT.format(least=LEAST, most=MOST, question="\x00q", solution="\x00s")
        text = text.replace("\x00s", "\n".join(row.steps)).replace("\x00q", row.question)
        hint = self.settings.instructions.strip()
        return [{"role": "user", "content": f"{hint}\n{text}" if hint else text}]

    def _result(self, row: Row, found: _Found) -> Refined:
        added = [_as_row(row, one) for one in found.kept]
        trace = {"added": added, "refused": dict(Counter(found.refused)), "tries": found.tries, "tokens": found.tokens}
        if not added:
            reason = Counter(found.refused).most_common(1)[0][0] if found.refused else "too_few_steps"
            return Refined(row, "kept", f"no subtasks: {reason}", trace)
        if self.settings.parents == "drop":
            return Refined(None, "dropped", "replaced by its subtasks", trace)
        return Refined(row, "kept", "with its subtasks", trace)


def _judged(parent: StepRow, text: str) -> _Found:
    parsed = parse_subtasks(text, parent.id)
    if isinstance(parsed, str):
        return _Found(refused=(parsed,))
    kept, refused, seen = list[SubTask](), ["too_many"] * max(0, len(parsed) - MOST), set[str]()
    for one in parsed[:MOST]:
        why = problem_with(one, parent) or ("twice" if normalised(one.question) in seen else None)
        seen.add(normalised(one.question))
        if why is None:
            kept.append(one)
        else:
            refused.append(why)
    return _Found(tuple(kept), tuple(refused))


def _is(case: Case | str) -> bool:
    return isinstance(case, Case)


def _step_row(row: Row, case: Case | str) -> StepRow:
    assert isinstance(case, Case)
    steps = tuple(case.reference[a:b] for a, b in segment(case.reference, "\n"))
    return StepRow(row["id"], case.question, steps, (UNKNOWN,) * len(steps))


def _as_row(parent: Row, one: SubTask) -> Row:
    system = [turn for turn in parent["prompt"] if turn["role"] == "system"]
    return Row(
        id=one.id,
        prompt=[*system, Message(role="user", content=one.question)],
        completion=[Message(role="assistant", content="\n".join(one.steps))],
        group=group_of(parent),
    )
