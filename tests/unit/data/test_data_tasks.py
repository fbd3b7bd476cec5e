"""The ESCO task: balanced from the start, always in the same order, and readable by the loader."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tutelage.data import domain_rows, load_dataset_rows, write_task
from tutelage.data import tasks as room
from tutelage.data.tasks import ESCO_GROUPS, skill_group_rows, tasks
from tutelage.errors import DataError, RangeError, RegistryError

SIZES = {"S1": 9, "S2": 5, "S3": 4, "S4": 4, "S5": 3, "S6": 6, "S7": 3, "S8": 7}
SKILLS = [
    {"id": f"{code}-{number}", "label": f"skill {code} {number}", "group": f"c{code}{number}", "group_code": code}
    for code, size in SIZES.items()
    for number in range(size)
] + [{"id": "none", "label": "other", "group": "c", "group_code": ""}]


@pytest.fixture
def made_up_esco(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.assets, "rows", lambda name: SKILLS if name == "esco-skills" else [])


def test_every_beginning_is_balanced() -> None:
    rows = skill_group_rows(SKILLS)
    assert len(rows) == sum(SIZES.values())
    for end in range(1, 8 * min(SIZES.values()) + 1):
        counts = Counter(row["reference"] for row in rows[:end])
        assert max(counts.values()) - min(counts[name] for name in ESCO_GROUPS.values()) <= 1


def test_order_does_not_depend_on_the_order_given() -> None:
    assert skill_group_rows(reversed(SKILLS)) == skill_group_rows(SKILLS)


def test_row_is_a_question_with_its_choices() -> None:
    row = next(row for row in skill_group_rows(SKILLS) if row["id"] == "S6-0")
    assert row["completion"] == [{"role": "assistant", "content": "handling"}]
    assert row["reference"] == "handling"
    assert row["group"] == "cS60"
    assert row["choices"] == list(ESCO_GROUPS.values())
    question = row["prompt"][0]["content"]
    assert '"skill S6 0"' in question
    assert all(choice in question for choice in row["choices"])


@pytest.mark.usefixtures("made_up_esco")
def test_written_task_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "task.jsonl"
    assert write_task(path, "esco-skill-groups", n=16) == 16
    assert load_dataset_rows(path).rows == domain_rows("esco-skill-groups", n=16)


@pytest.mark.usefixtures("made_up_esco")
def test_bad_requests() -> None:
    with pytest.raises(RegistryError, match="no task"):
        domain_rows("esco-skill-group5")
    with pytest.raises(RangeError):
        domain_rows("esco-skill-groups", n=0)
    with pytest.raises(DataError, match="41 rows, not 42"):
        domain_rows("esco-skill-groups", n=42)
    with pytest.raises(DataError, match="eight groups"):
        skill_group_rows(SKILLS[-1:])
    assert "esco-skill-groups" in tasks.names()


@pytest.mark.needs_asset("esco-skills")
def test_real_esco() -> None:
    rows = domain_rows("esco-skill-groups")
    assert len(rows) > 8_000
    assert len({row["id"] for row in rows}) == len(rows)
    assert set(Counter(row["reference"] for row in rows[:1_600]).values()) == {200}
