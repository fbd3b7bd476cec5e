"""The recipe on weak-to-strong, and the pieces of the digits laboratory that it stands on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tutelage.errors import RangeError, ShapeError
from tutelage.papers.lab.digit_classifiers import digit_parts
from tutelage.papers.lab.digit_encoder import EncoderSettings, pretrained_encoder
from tutelage.papers.lab.digit_supervision import digit_items, frozen_student, weak_supervisor
from tutelage.papers.lab.digit_views import bottom_half, moved, pooled, top_half
from tutelage.papers.recipes import weak_to_strong as recipe
from tutelage.training.probes import ProbeSettings


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    torch.set_num_threads(1)
    return recipe.run(replace(recipe.smoke(2)), tmp_path_factory.mktemp("weak"))


def test_gains_are_differences_of_accuracies(found):
    arms = found["arms"]
    for one in arms.values():
        assert one["gain"]["mean"] == pytest.approx(one["accuracy"]["mean"] - arms["weak"]["accuracy"]["mean"])
    assert arms["weak"]["gain"]["mean"] == 0


def test_the_share_is_the_gain_over_the_gap_of_the_same_kind_of_student(found):
    arms = found["arms"]
    for arm, top in (("hard", "ceiling"), ("scratch_hard", "scratch_ceiling")):
        gap = arms[top]["accuracy"]["mean"] - arms["weak"]["accuracy"]["mean"]
        assert arms[arm]["gap"] == pytest.approx(gap)
        if "recovered" in arms[arm]:
            assert arms[arm]["recovered"][0] == pytest.approx(arms[arm]["gain"]["mean"] / gap)


def test_moved_copies_are_shifts_of_the_image():
    images = torch.rand(40, 64)
    found = moved(images, pixels=1, noise=0.0, seed=3).reshape(-1, 8, 8)
    padded = torch.nn.functional.pad(images.reshape(-1, 8, 8), (1, 1, 1, 1))
    seen = set()
    for one, before in zip(found, padded, strict=True):
        shifts = [(i, j) for i in range(3) for j in range(3) if one.equal(before[i : i + 8, j : j + 8])]
        assert len(shifts) == 1
        seen |= set(shifts)
    assert len(seen) == 9
    noisy = moved(images, pixels=0, noise=0.1, seed=3) - images
    assert float(noisy.std()) == pytest.approx(0.1, rel=0.05)
    with pytest.raises(RangeError):
        moved(images, pixels=8, seed=0)


def test_halves_and_pools():
    images = torch.arange(64.0).repeat(2, 1)
    assert torch.cat([top_half(images), bottom_half(images)], 1).equal(images)
    assert pooled(images, 8).equal(images)
    assert pooled(images, 1)[0].item() == pytest.approx(31.5)
    assert pooled(images, 4)[0, 0].item() == pytest.approx(np.mean([0, 1, 8, 9]))
    with pytest.raises(RangeError):
        pooled(images, 3)
    with pytest.raises(ShapeError):
        top_half(images[:, :10])


def test_pretraining_sees_no_label_and_helps_a_probe_with_few():
    torch.set_num_threads(1)
    parts = digit_parts({"weak": 500, "test": 500}, seed=0)
    settings = EncoderSettings(width=64, hidden=128, epochs=30)
    encoder = pretrained_encoder(parts["weak"].images, settings, seed=1)
    again = pretrained_encoder(parts["weak"].images, replace(settings, epochs=1), seed=1)
    assert not encoder.body[0].weight.equal(again.body[0].weight)
    assert not any(one.requires_grad for one in encoder.parameters())
    test, few = digit_items(parts["test"]), digit_items(parts["weak"]).rows(np.arange(60))
    scores = []
    for one in (encoder, again):
        probe = frozen_student(one, ProbeSettings(epochs=20, batch_size=20))(0)
        probe.fit(few.inputs, np.eye(10)[few.truth])
        scores.append((probe.predict_proba(test.inputs).argmax(1) == test.truth).mean())
    assert scores[0] > scores[1] + 0.03


def test_fewer_labels_or_a_coarser_view_make_a_weaker_supervisor():
    parts = digit_parts({"weak": 400, "test": 800}, seed=2)
    test = digit_items(parts["test"])

    def coarse(images):
        return pooled(torch.as_tensor(images), 2).numpy()

    models = [weak_supervisor(parts["weak"], n) for n in (400, 60)] + [weak_supervisor(parts["weak"], 400, view=coarse)]
    scores = [(one.predict_proba(test.inputs).argmax(1) == test.truth).mean() for one in models]
    assert scores[0] > scores[1] + 0.05
    assert scores[0] > scores[2] + 0.2
