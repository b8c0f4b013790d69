"""The protocol: what is broken on purpose here must be found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics._check import InputError
from ganetics.anomaly import evaluate as evaluate_module
from ganetics.anomaly import fit as fit_module
from ganetics.anomaly.detector import Detector
from ganetics.anomaly.detectors import build, load
from ganetics.anomaly.evaluate import evaluate
from ganetics.anomaly.fit import Prepared, fit, prepare_run
from ganetics.anomaly.protocol import places_of, refuse_seen, split_groups, threshold_at, threshold_between
from ganetics.anomaly.settings import AutoEncoderSettings, NeighboursSettings, Parts, Preprocessing, Settings
from ganetics.anomaly.testset import Options

from .conftest import Folder, textures

PATIENT = r"p\d+"
PIXELS = NeighboursSettings(features="pixels")
QUICK = AutoEncoderSettings(width=4, latent_dim=4, steps=4, check_every=2)
SMALL = Options(resamples=50, pictures=False)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 9), min_size=3, max_size=20), st.integers(0, 3), st.integers(0, 3))
def test_groups_are_split_whole_and_everywhere(sizes: list[int], kept: int, split: int) -> None:
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    only = {f"g{i}" for i in range(min(kept, len(sizes) - 2))}
    parts = split_groups(groups, test_only=only, split=split)
    everything = [*parts.fit, *parts.held_out, *parts.test]
    assert sorted(everything) == sorted(set(groups))
    assert all((parts.fit, parts.held_out, parts.test))
    assert only <= set(parts.test)
    assert parts == split_groups(list(reversed(groups)), test_only=only, split=split)


def test_parts_have_their_shares_and_other_splits_are_others() -> None:
    groups = [f"g{i // 4}" for i in range(400)]
    parts = split_groups(groups)
    shares = [len(places_of(groups, part)) / 400 for part in (parts.fit, parts.held_out, parts.test)]
    assert shares == pytest.approx([0.5, 0.2, 0.3], abs=0.02)
    assert split_groups(groups, split=1) != parts


def test_other_splits_are_others_where_groups_differ_in_size() -> None:
    groups = [f"g{i}" for i in range(1, 30) for _ in range(i)]
    parts = [split_groups(groups, split=split) for split in range(8)]
    for one in parts:
        shares = [len(places_of(groups, part)) / len(groups) for part in (one.fit, one.held_out, one.test)]
        assert shares == pytest.approx([0.5, 0.2, 0.3], abs=0.03)
    assert len({one.test for one in parts}) == 8
    assert not set.intersection(*(set(one.test) for one in parts))
    assert not set.intersection(*(set(one.fit) for one in parts))


@pytest.mark.parametrize(
    ("groups", "only", "message"),
    [
        (["a", "b", "b"], [], r"normal images must be of at least 3 groups \(to fit, to choose, to test\), got 2"),
        (["a", "b", "c"], ["a", "b"], "at least 2 groups of normal images must have no abnormal ones, got 1 of 3"),
    ],
)
def test_too_few_groups_are_refused(groups: list[str], only: list[str], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        split_groups(groups, test_only=only)


def test_a_group_of_two_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="a group must be in one part, got 'b' in 2"):
        Parts(fit=("a", "b"), held_out=("c",), test=("b",))


def test_a_seen_group_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"^abnormal: group 'b' is among those .* \(2 of 3 images, 1 groups\)"):
        refuse_seen(["a", "b", "b"], {"b", "c"}, "abnormal")
    refuse_seen(["a"], {"b"}, "abnormal")


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_threshold_leaves_the_share_below_it(scores: list[float], specificity: float) -> None:
    values = np.array(scores)
    threshold = threshold_at(values, specificity)
    assert threshold in values
    assert (values <= threshold).mean() >= specificity - 1e-9
    higher = values[values > threshold]
    needed = (len(values) + 1) * specificity
    # no lower one would keep the promise of split conformal prediction
    assert (values < threshold).sum() < needed
    assert len(higher) == 0 or (values <= threshold).sum() >= needed - 1e-6


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(0, 8), min_size=1, max_size=20), st.lists(st.integers(0, 8), min_size=1, max_size=20)
)  # fmt: skip
def test_youden_is_the_best_of_all_thresholds(normal: list[int], abnormal: list[int]) -> None:
    one, other = np.array(normal, dtype=float), np.array(abnormal, dtype=float)

    def gain(place: float) -> float:
        return float((other > place).mean() - (one > place).mean())

    assert gain(threshold_between(one, other)) == max(gain(place) for place in np.arange(-1, 9.5, 0.25))


# What a run must keep to. Each check is tried on the code as it is, and on the code broken on purpose.


def made(folder: Folder, tmp_path: Path, detector: Settings = PIXELS, name: str = "run") -> tuple[Path, Prepared]:
    normal = folder("normal", range(30))
    prepared = prepare_run(str(normal), detector, groups=PATIENT, preprocessing=Preprocessing(image_size=16))
    fit(tmp_path / name, prepared)
    return tmp_path / name, prepared


def check_no_group_leaks(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if an image that is learnt from or chosen with is of a group that is tested on."""
    given: list[torch.Tensor] = []
    learn = Detector.fit_parts

    def spy(self: Detector[Any], fit: torch.Tensor, held_out: torch.Tensor, **options: Any) -> Detector[Any]:
        given.extend((fit, held_out))
        return learn(self, fit, held_out, **options)

    monkeypatch.setattr(Detector, "fit_parts", spy)
    _, prepared = made(folder, tmp_path)
    tested = prepared.normals.at(places_of(prepared.normals.groups, prepared.config.parts.test).tolist())
    known = {image.numpy().tobytes() for part in given for image in part}
    assert len(known) == sum(map(len, given))
    assert not known & {image.numpy().tobytes() for image in tested.images}
    assert len(known) + len(tested) == len(prepared.normals)


def check_nothing_is_tuned_on_the_test(folder: Folder, tmp_path: Path) -> None:
    """Fail if what is frozen, or a normal image's score, depends on which abnormal images are tested."""
    run, _ = made(folder, tmp_path, QUICK)
    before, _ = load(run / "checkpoint")
    rows = []
    for name, abnormal in (("mild", False), ("strong", True)):
        bad = folder(name, range(100, 110), abnormal=abnormal, seed=5)
        found = evaluate(run, Options(abnormal=str(bad), resamples=50, pictures=False))
        assert found.threshold == before.frozen.threshold
        lines = (run / "scores.csv").read_text().splitlines()
        rows.append([line for line in lines if line.startswith("normal/")])
    after, _ = load(run / "checkpoint")
    assert after.frozen == before.frozen
    assert rows[0] == rows[1]
    assert rows[0]


def check_scores_do_not_depend_on_the_batch(detector: Detector[Any]) -> None:
    """Fail if a score depends on what else is scored."""
    images = torch.cat([textures(12, 2), textures(12, 3, abnormal=True)])
    together = detector.score_samples(images)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
    np.testing.assert_allclose(detector.score_samples(images[order]), together[order.numpy()], atol=1e-4)
    alone = [float(detector.score_samples(image[None])[0]) for image in images]
    np.testing.assert_allclose(alone, together, atol=1e-4)


def test_no_group_leaks(image_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_no_group_leaks(image_folder, tmp_path, monkeypatch)


def test_a_leak_is_found(image_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaky(groups: Any, **options: Any) -> Parts:
        parts = split_groups(groups, **options)
        return Parts.model_construct(fit=(*parts.fit, parts.test[0]), held_out=parts.held_out, test=parts.test)

    monkeypatch.setattr(fit_module, "split_groups", leaky)
    with pytest.raises(InputError, match=r"a group must be in one part, got .* in 2"):  # before anything is fitted
        check_no_group_leaks(image_folder, tmp_path, monkeypatch)


def test_a_leaking_split_by_images_is_found(
    image_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_but_the_first(self: Prepared, groups: tuple[str, ...]) -> Any:
        return self.normals.at(range(len(groups)))

    monkeypatch.setattr(Prepared, "part", all_but_the_first)
    with pytest.raises(AssertionError):
        check_no_group_leaks(image_folder, tmp_path, monkeypatch)


def test_nothing_is_tuned_on_the_test(image_folder: Folder, tmp_path: Path) -> None:
    check_nothing_is_tuned_on_the_test(image_folder, tmp_path)


def best_threshold_on_test(detector: Detector[Any], test: Any) -> None:
    scores, labels = detector.score_samples(test.images.images), np.array(test.labels)
    detector.set_threshold(threshold_between(scores[labels == 0], scores[labels == 1]), "the test set")


def scaled_over_test(detector: Detector[Any], test: Any) -> None:
    # as GANomaly's public code does: to the least and the largest score of the test set
    scores = detector.score_samples(test.images.images)
    frozen = detector.frozen
    low, high = float(scores.min()), float(scores.max())
    ((name, deviation),) = frozen.deviations.items()
    update = {
        "means": {name: frozen.means[name] + low * deviation},
        "deviations": {name: deviation * (high - low)},
    }
    detector._frozen = frozen.model_copy(update=update)


@pytest.mark.parametrize("tune", [best_threshold_on_test, scaled_over_test])
def test_tuning_on_the_test_is_found(
    tune: Callable[[Detector[Any], Any], None], image_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = evaluate_module._look

    def tuned(detector: Detector[Any], config: Any, test: Any, *rest: Any) -> Any:
        tune(detector, test)
        return look(detector, config, test, *rest)

    monkeypatch.setattr(evaluate_module, "_look", tuned)
    with pytest.raises(AssertionError):
        check_nothing_is_tuned_on_the_test(image_folder, tmp_path)


def quick() -> Detector[Any]:
    return build(QUICK).fit_parts(textures(20, 0), textures(20, 1))


def test_scores_do_not_depend_on_the_batch() -> None:
    check_scores_do_not_depend_on_the_batch(quick())


def test_a_dependence_on_the_batch_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = quick()
    detector.scorer.train()  # batch normalisation by the batch, as where eval() is forgotten
    with pytest.raises(AssertionError):
        check_scores_do_not_depend_on_the_batch(detector)
    other = quick()
    plain = other._look_at_all

    def sorted_scores(images: torch.Tensor, *, maps: bool) -> Any:
        components, found = plain(images, maps=maps)
        return {name: np.sort(values) for name, values in components.items()}, found

    monkeypatch.setattr(other, "_look_at_all", sorted_scores)
    with pytest.raises(AssertionError):
        check_scores_do_not_depend_on_the_batch(other)


def test_every_look_at_labels_is_noted(image_folder: Folder, tmp_path: Path) -> None:
    run, _ = made(image_folder, tmp_path)
    bad = image_folder("bad", range(100, 110), abnormal=True)
    options = Options(abnormal=str(bad), resamples=50, pictures=False)
    first = evaluate(run, options)
    again = evaluate(run, options, out=tmp_path / "elsewhere")
    assert (first.looks, again.looks) == (1, 2)
    assert first.first_look == again.first_look
    looks = json.loads((run / "looks.json").read_text())
    assert looks["count"] == 2
    assert looks["first"] == first.first_look
    assert len({look["test_set"] for look in looks["looks"]}) == 1
    assert json.loads((tmp_path / "elsewhere" / "run.json").read_text())["looks"] == 2
    (run / "looks.json").write_text("{")
    with pytest.raises(InputError, match=r"looks\.json: must say when labelled images were looked at, it is damaged$"):
        evaluate(run, options)


def test_the_training_seed_does_not_move_the_split(image_folder: Folder, tmp_path: Path) -> None:
    normal = str(image_folder("normal", range(30)))
    size = Preprocessing(image_size=16)
    one, other = (prepare_run(normal, PIXELS, groups=PATIENT, preprocessing=size, seed=seed) for seed in (0, 1))
    assert one.config.parts == other.config.parts
    assert one.config != other.config
