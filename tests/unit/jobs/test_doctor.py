from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
import torch

from made_up_assets import Kit
from tutelage import assets
from tutelage.jobs import doctor
from tutelage.jobs.doctor import Check, examine, matmul_seconds


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_examine_looks_at_everything_and_finds_the_empty_kit(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DTYPES", (torch.float32,))  # the others can take seconds
    seen: list[str] = []
    checks = by_name(examine(seconds_per_dtype=0.001, progress=seen.append))
    wanted = {"python", "torch", "transformers", "peft", "threads", "memory", "disk", "gpu", "number format", "assets"}
    assert wanted <= set(checks)
    assert all(c.status in ("ok", "warn", "missing") and c.found for c in checks.values())
    assert all(c.advice for c in checks.values() if c.status != "ok")
    assert checks["torch"].found == metadata.version("torch")
    assert checks["assets"].status == "missing"
    assert checks["assets"].advice == "tutelage assets install small"
    assert "quiz, exam" in checks["assets"].found
    assert str(kit.home) in checks["disk"].found
    assert "float32" in checks["number format"].found
    assert not kit.home.exists()  # looking changes nothing
    assert "asset quiz" in seen


def test_a_whole_kit_is_ok_and_a_changed_file_is_named(kit: Kit) -> None:
    assets.install("small")
    assert by_name(list(doctor._assets(lambda what: None)))["assets"].status == "ok"
    file = assets.path("quiz") / "data/test/test.jsonl"
    file.write_bytes(file.read_bytes().replace(b"4", b"9"))
    check = by_name(list(doctor._assets(lambda what: None)))["asset quiz"]
    assert (check.status, check.advice) == ("missing", "tutelage assets install quiz")
    assert "test.jsonl" in check.found


def test_an_old_or_absent_package_comes_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "2.5.1+cpu", "transformers": None, "peft": "0.18.0", "accelerate": "10.0"}
    monkeypatch.setattr(doctor, "_version", lambda name: versions.get(name, "99"))
    checks = by_name(list(doctor._packages()))
    assert (checks["torch"].status, checks["torch"].advice) == ("warn", "pip install --upgrade 'torch>=2.6'")
    assert (checks["transformers"].status, checks["transformers"].advice) == (
        "missing",
        "pip install 'transformers>=5.23'",
    )
    assert checks["peft"].status == checks["accelerate"].status == "ok"


def test_required_versions_agree_with_the_project_file() -> None:
    requirements = metadata.requires("tutelage") or []
    for name, oldest in doctor.REQUIRED.items():
        assert any(
            r.replace(" ", "").startswith((f"{name}>={oldest}", f"{name}<6,>={oldest}")) for r in requirements
        ), name


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr(doctor.psutil, "cpu_count", lambda logical: 2)
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    for used, status, advice in ((2, "ok", ""), (1, "warn", "OMP_NUM_THREADS=2"), (8, "warn", "OMP_NUM_THREADS=2")):
        monkeypatch.setattr(doctor.torch, "get_num_threads", lambda used=used: used)
        check = doctor._threads()
        assert check.status == status
        assert advice in check.advice


def test_a_home_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "not" / "yet"))
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert doctor._disk().status == "missing"


def test_the_faster_number_format_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def timed(half: float | None):
        seconds = {torch.float32: 1e-3, torch.bfloat16: half, torch.float16: None}
        monkeypatch.setattr(doctor, "matmul_seconds", lambda dtype, device, budget: seconds[dtype])
        return doctor._dtypes(0.1)

    slow, fast, absent = timed(5e-3), timed(2e-4), timed(None)
    assert "float32" in slow.advice
    assert "bfloat16" in fast.advice
    assert "float32" in absent.advice
    assert "float32 453 GFLOP/s" in slow.found  # 2 * 256 * 576 * 1536 / 1e-3 / 1e9
    assert "float16 not supported" in slow.found


def test_matmul_seconds() -> None:
    seconds = matmul_seconds(torch.float32, "cpu", 0.01)
    assert seconds is not None
    assert 0 < seconds < 5


def test_a_number_format_without_a_product_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_, **__):
        raise RuntimeError("no kernel for this")

    monkeypatch.setattr(doctor.torch, "ones", refuse)
    assert matmul_seconds(torch.float16, "cpu", 0.01) is None
