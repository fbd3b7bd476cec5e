import pytest

from tutelage.errors import ConfigError, DataError, NumericalError
from tutelage.training.quality_study import Cell, quality_study

CELLS = [Cell(0, 0), Cell(0.5, 0.1), Cell(0.5, 0.4), Cell(0.9, 0.15), Cell(0.9, 0.6)]


def made(cells=CELLS, seeds=(1, 2, 3)):
    def train(cell, seed):
        found = Cell(cell.outcome, cell.step * 1.01)
        return found, {"accuracy": 0.9 - 0.1 * found.outcome - 0.7 * found.step + 0.01 * seed}

    return quality_study(cells, train, seeds)


def test_every_cell_under_every_seed_and_the_effects_apart():
    study = made()
    assert {(one.cell, one.seed) for one in study.students} == {(cell, seed) for cell in CELLS for seed in (1, 2, 3)}
    assert study.table("accuracy")[CELLS[0]] == pytest.approx([0.91, 0.92, 0.93])
    fit = study.fit("accuracy", resamples=300)
    assert fit.slopes["outcome"].value == pytest.approx(-0.1)
    assert fit.slopes["step"].value == pytest.approx(-0.7)
    assert fit.slopes["step"].n_clusters == 3


def test_what_is_refused():
    with pytest.raises(NumericalError):
        made(CELLS[:2]).fit("accuracy", resamples=300)
    with pytest.raises(DataError, match="measured: accuracy"):
        made().table("loss")
    for cells, seeds in (([], (1,)), (CELLS, ()), ([CELLS[0]] * 2, (1,)), (CELLS, (1, 1))):
        with pytest.raises(ConfigError):
            made(cells, seeds)
    for outcome, step in ((0.5, 0), (0, 0.1), (1.1, 0.5), (0.5, -0.1)):
        with pytest.raises(ConfigError):
            Cell(outcome, step)
