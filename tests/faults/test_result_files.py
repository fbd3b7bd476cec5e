"""Every malformed result file is refused with what is wrong, where it is, and what to do."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from malformed_results import ALL, Bad, true_bomb

from tutelage.errors import TutelageError
from tutelage.measure.results import read_results


@pytest.mark.parametrize("bad", ALL, ids=[f"{number}-{bad.name}" for number, bad in enumerate(ALL)])
def test_refused_with_place_and_cure(bad: Bad, tmp_path: Path) -> None:
    source = bad.make(tmp_path)
    with pytest.raises(TutelageError) as caught:
        read_results(source)
    assert bad.says in str(caught.value)
    assert bad.where in f"{caught.value.where}"
    assert caught.value.hint
    assert len(caught.value.what) < 600


def test_there_are_many_of_them() -> None:
    assert len(ALL) >= 100


def test_a_bomb_never_unfolds_in_memory(tmp_path: Path) -> None:
    source = true_bomb(tmp_path)
    tracemalloc.start()
    with pytest.raises(TutelageError):
        read_results(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_a_name_that_no_terminal_can_show(tmp_path: Path) -> None:
    with pytest.raises(TutelageError) as caught:
        read_results(str(tmp_path / "caf\udce9.csv"))
    str(caught.value).encode()
