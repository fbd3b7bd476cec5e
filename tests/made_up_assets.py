"""A made-up catalogue whose archives are made here, so that nothing is fetched and no real asset is needed."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tutelage.assets import entries

CATALOGUE = """
[distributions.made-up-quiz]
version = "1.0"
channel = "pip"
archive = "made_up_quiz-1.0-py3-none-any.whl"
sha256 = "{quiz}"
bytes = 1000
licence_members = ["made_up_quiz-1.0.dist-info/LICENSE"]

[distributions.made-up-encoder]
version = "2.0"
channel = "pip"
archive = "made_up_encoder-2.0-py3-none-any.whl"
sha256 = "{encoder}"
bytes = 1000

[assets.quiz]
kind = "text"
distribution = "made-up-quiz"
tier = "small"
reader = "choice"
bytes = 100
role = "questions for tests"
members.validation = ["quiz/validation.jsonl"]
members.test = ["quiz/test.jsonl"]
licence.spdx = "MIT"
licence.url = "https://example.org/quiz"
licence.attribution = "nobody"

[assets.exam]
kind = "eval"
distribution = "made-up-quiz"
tier = "small"
reader = "choice"
bytes = 100
role = "questions that are never trained on"
members.test = ["quiz/test.jsonl"]
licence.spdx = "CC-BY-NC-4.0"
licence.url = "https://example.org/exam"
licence.attribution = "nobody"
licence.noncommercial = true

[assets.encoder]
kind = "encoder"
distribution = "made-up-encoder"
tier = "optional"
recipe = "folder"
bytes = 100
role = "a folder"
members.model = ["encoder/model/"]
licence.spdx = "Apache-2.0"
licence.url = "https://example.org/encoder"
licence.attribution = "nobody"
"""

QUIZ = {
    "quiz/__init__.py": "raise RuntimeError('must never be imported')",
    "quiz/validation.jsonl": json.dumps({"question": "1+1?", "options": "A. 1\nB. 2", "answer": "B. 2"}) + "\n",
    "quiz/test.jsonl": json.dumps({"question": "2+2?", "options": "A. 4\nB. 5", "answer": "A. 4"}) + "\n",
    "made_up_quiz-1.0.dist-info/LICENSE": "do as you like",
    "made_up_quiz-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: made-up-quiz\nVersion: 1.0\n",
    "made_up_quiz-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "made_up_quiz-1.0.dist-info/RECORD": "",
}
ENCODER = {"encoder/model/config.json": "{}", "encoder/model/1_Pooling/config.json": "[]", "encoder/other.txt": "no"}


def make_zip(path: Path, members: Mapping[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, text in members.items():
            file.writestr(name, text)
    return path


@dataclass(frozen=True)
class Kit:
    home: Path
    wheels: Path

    @property
    def quiz_wheel(self) -> Path:
        return self.wheels / "made_up_quiz-1.0-py3-none-any.whl"

    @property
    def encoder_wheel(self) -> Path:
        return self.wheels / "made_up_encoder-2.0-py3-none-any.whl"


def make_kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kit:
    """An empty home, a folder of wheels that TUTELAGE_ASSETS names, and a catalogue with their pins."""
    made = Kit(tmp_path / "home", tmp_path / "wheels")
    made.wheels.mkdir()
    pins = {
        "quiz": hashlib.sha256(make_zip(made.quiz_wheel, QUIZ).read_bytes()).hexdigest(),
        "encoder": hashlib.sha256(make_zip(made.encoder_wheel, ENCODER).read_bytes()).hexdigest(),
    }
    parsed = entries.parse(CATALOGUE.format(**pins))
    monkeypatch.setattr(entries, "_builtin", lambda: parsed)
    monkeypatch.setenv("TUTELAGE_HOME", str(made.home))
    monkeypatch.setenv("TUTELAGE_ASSETS", str(made.wheels))
    return made
