from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from ganetics._check import InputError, MissingDependencyError
from ganetics.data import channels_of, load
from ganetics.data.audit import audit
from ganetics.data.decode import read_image
from ganetics.data.folder import list_images
from ganetics.data.load import listed
from ganetics.data.measure import measure_all

pydicom = pytest.importorskip("pydicom", reason="the extra `medical` is not installed")
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.pixels.decoders.base import Decoder  # noqa: E402
from pydicom.sequence import Sequence  # noqa: E402
from pydicom.uid import (  # noqa: E402
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

Values = npt.NDArray[Any]


def dicom(path: Path, pixels: Values, *, bits: int = 12, syntax: str = ExplicitVRLittleEndian, **tags: Any) -> Path:
    """Write an image of ``bits`` stored bits; ``tags`` by keyword, None: left out."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    dataset.Rows, dataset.Columns = pixels.shape[:2] if pixels.ndim == 2 or colour else pixels.shape[1:]
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = 8 * pixels.dtype.itemsize
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(dataset, name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tags that break the standard, as some tests want
        dataset.save_as(path, enforce_file_format=True)
    return path


GRAY = np.array([[0, 1, 100], [2048, 4000, 4095]], dtype=np.uint16)
FULL = GRAY / 4095.0


def as_16_bits(shares: Values) -> list[list[list[int]]]:
    found: list[list[list[int]]] = np.rint(np.clip(shares, 0, 1) * 65535)[None].astype(int).tolist()
    return found


def test_without_a_window_the_range_of_the_stored_bits_is_kept(tmp_path: Path) -> None:
    found = read_image(dicom(tmp_path / "i", GRAY))  # known by its content: many have no ending
    assert found.dtype == np.uint16
    assert found.tolist() == as_16_bits(FULL)
    assert read_image(dicom(tmp_path / "i", GRAY[:1])).tolist() == as_16_bits(FULL[:1])  # not by its own brightest
    signed = np.array([[-2048, 0, 2047]], dtype=np.int16)
    assert read_image(dicom(tmp_path / "i", signed)).tolist() == as_16_bits((signed + 2048) / 4095.0)


def test_rescaling_alone_changes_the_sign_at_most(tmp_path: Path) -> None:
    """Slope and intercept move the range along with the values."""
    found = read_image(dicom(tmp_path / "i", GRAY, RescaleSlope=2, RescaleIntercept=-1024))
    assert found.tolist() == as_16_bits(FULL)
    found = read_image(dicom(tmp_path / "i", GRAY, RescaleSlope=-1, RescaleIntercept=0))
    assert found.tolist() == as_16_bits(1 - FULL)


def linear(values: Values, center: float, width: float) -> Values:
    """PS3.3, C.11.2.1.2.1, for an output from 0 to 1."""
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"WindowCenter": 2000, "WindowWidth": 1000}, linear(GRAY, 2000, 1000)),
        ({"WindowCenter": [2000, 50], "WindowWidth": [1000, 80]}, linear(GRAY, 2000, 1000)),
        (
            {"WindowCenter": 40, "WindowWidth": 400, "RescaleSlope": 1, "RescaleIntercept": -1024},
            linear(GRAY - 1024.0, 40, 400),
        ),
        (
            {"WindowCenter": -80, "WindowWidth": 100, "RescaleSlope": 0.5, "RescaleIntercept": -100},
            linear(GRAY / 2 - 100, -80, 100),
        ),
        (
            {"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": "LINEAR_EXACT"},
            np.clip((GRAY - 2000.0) / 1000 + 0.5, 0, 1),
        ),
        (
            {"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": "SIGMOID"},
            1 / (1 + np.exp(-4 * (GRAY - 2000.0) / 1000)),
        ),
    ],
    ids=["one", "the first of two", "after rescaling", "fractions", "exact", "sigmoid"],
)
def test_the_window_of_the_file_is_applied(tags: dict[str, Any], expected: Values, tmp_path: Path) -> None:
    found = read_image(dicom(tmp_path / "i.dcm", GRAY, **tags))
    assert np.abs(found[0] / 65535.0 - expected).max() <= 1 / 65535
    inverted = read_image(dicom(tmp_path / "i.dcm", GRAY, PhotometricInterpretation="MONOCHROME1", **tags))
    assert np.abs(inverted[0] / 65535.0 - (1 - expected)).max() <= 1 / 65535


def test_the_table_of_the_file_is_applied_where_it_has_no_window(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor = [4, 1, 10]  # of four values from 1 on, 10 bits
    table.LUTData = np.array([1023, 500, 20, 0], dtype=np.uint16).tobytes()
    pixels = np.array([[0, 1, 2], [3, 4, 4095]], dtype=np.uint16)  # beyond its ends the table goes on with these
    found = read_image(dicom(tmp_path / "i.dcm", pixels, VOILUTSequence=Sequence([table])))
    assert found.tolist() == as_16_bits(np.array([[1023, 1023, 500], [20, 0, 0]]) / 1023)
    tags = {"VOILUTSequence": Sequence([table]), "RescaleSlope": 1, "RescaleIntercept": 1}
    moved = read_image(dicom(tmp_path / "i.dcm", pixels, PhotometricInterpretation="MONOCHROME1", **tags))
    assert moved.tolist() == as_16_bits(1 - np.array([[1023, 500, 20], [0, 0, 0]]) / 1023)
    window = {"VOILUTSequence": Sequence([table]), "WindowCenter": 2, "WindowWidth": 3}
    assert read_image(dicom(tmp_path / "i.dcm", pixels, **window)).tolist() == as_16_bits(linear(pixels, 2, 3))


def test_8_bits_stay_8_and_colours_are_colours(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    found = read_image(dicom(tmp_path / "i.dcm", pixels, bits=8))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, pixels.transpose(2, 0, 1))
    gray = read_image(dicom(tmp_path / "i.dcm", pixels[..., 0].copy(), bits=8))
    np.testing.assert_array_equal(gray[0], pixels[..., 0])
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)).reshape(5, 4, 3)  # the same bytes, plane after plane
    found = read_image(dicom(tmp_path / "i.dcm", planes, bits=8, PlanarConfiguration=1))
    np.testing.assert_array_equal(found, pixels.transpose(2, 0, 1))


def test_palettes_become_their_colours(tmp_path: Path) -> None:
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for number, name in enumerate(("Red", "Green", "Blue")):
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [4, 0, 8]
        tags[f"{name}PaletteColorLookupTableData"] = bytes([number * 10 + entry for entry in range(4)])
    found = read_image(dicom(tmp_path / "i.dcm", np.array([[0, 3]], dtype=np.uint8), bits=8, **tags))
    assert found[:, 0].T.tolist() == [[0, 10, 20], [3, 13, 23]]


def test_compressed_pixels_are_decoded(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 32 * 32).reshape(32, 32).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(smooth).save(file, "JPEG", quality=95)
    path = dicom(
        tmp_path / "jpeg.dcm", smooth, bits=8, syntax=JPEGBaseline8Bit, PixelData=encapsulate([file.getvalue()])
    )
    assert np.abs(read_image(path)[0].astype(int) - smooth).max() <= 4
    plain = pydicom.dcmread(dicom(tmp_path / "rle.dcm", GRAY))
    plain.compress(RLELossless)
    plain.save_as(tmp_path / "rle.dcm")
    assert read_image(tmp_path / "rle.dcm").tolist() == as_16_bits(FULL)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"NumberOfFrames": 2}, "must hold one frame, got 2; write each frame that is an image to its own file"),
        ({"PixelData": None}, "it holds no image"),
        ({"WindowCenter": 5, "WindowWidth": 0.5}, "The .+Window Width must be greater than or equal to 1 .+"),
        ({"Rows": 60_000, "Columns": 60_000}, r"Image size \(3600000000 pixels\) exceeds limit of \d+ pixels"),
        ({"PhotometricInterpretation": "ODD"}, ".+ODD.+"),
        ({"PixelData": GRAY.tobytes()[:-2]}, ".+"),
    ],
)
def test_what_is_no_single_image_is_refused_in_one_line(tags: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = dicom(tmp_path / "i.dcm", GRAY, **tags)
    if tags.get("PixelData", ...) is None:
        dataset = pydicom.dcmread(path)
        del dataset.PixelData
        dataset.save_as(path)
    with pytest.raises(InputError, match=rf"^cannot be read: {message}$") as caught:
        read_image(path)
    assert not isinstance(caught.value, MissingDependencyError)


def test_a_cut_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = dicom(tmp_path / "i.dcm", GRAY)
    for size in (131, 200, path.stat().st_size - 5):
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(InputError, match=r"^cannot be read: [^\n]+$"):
            read_image(path)


def test_a_folder_of_dicom_keeps_its_bits(tmp_path: Path) -> None:
    for number in range(3):
        dicom(tmp_path / f"{number}.dcm", np.full((6, 6), 1000 * number, dtype=np.uint16))
    found = load(str(tmp_path), split="all", image_size=4)
    assert found.images.shape == (3, 1, 4, 4)
    assert found.images[:, 0, 0, 0].tolist() == [0, round(1000 * 65535 / 4095), round(2000 * 65535 / 4095)]
    assert channels_of(str(tmp_path)) == 1
    dicom(tmp_path / "colour.dcm", np.zeros((6, 6, 3), dtype=np.uint8), bits=8)
    assert channels_of(str(tmp_path)) == 3


def test_a_codec_that_is_missing_stops_and_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Decoder, "is_available", property(lambda _: False))  # whatever is installed here
    for number in range(40):
        Image.fromarray(np.full((2, 3), number, dtype=np.uint8)).save(tmp_path / f"{number:02d}.png")
    dicom(tmp_path / "a.dcm", GRAY, syntax=JPEGLosslessSV1, PixelData=encapsulate([b"\xff\xd8\xff\xd9"]))
    with pytest.raises(MissingDependencyError) as caught:  # not left out as one bad image among many
        load(str(tmp_path), split="all")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}: a.dcm: its compression (JPEG Lossless")
    assert message.endswith("needs a decoder that is not installed: pip install python-gdcm")
    assert "\n" not in message


def test_without_pydicom_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dicom(tmp_path / "a.dcm", GRAY)
    dicom(tmp_path / "b.dcm", GRAY)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    monkeypatch.delitem(sys.modules, "ganetics.data.dicom", raising=False)
    told = r"pydicom is not installed: DICOM images need it: pip install pydicom"
    with pytest.raises(MissingDependencyError, match=rf"^{tmp_path}: a\.dcm: {told}$"):
        load(str(tmp_path), split="all")


def test_files_called_by_their_uid_are_found_and_the_list_of_them_is_not(tmp_path: Path) -> None:
    dicom(tmp_path / "1.2.840.113", GRAY)
    dicom(tmp_path / "IM0001", GRAY)
    dicom(tmp_path / "DICOMDIR", GRAY)
    (tmp_path / "disc").mkdir()
    dicom(tmp_path / "disc" / "dicomdir", GRAY)
    (tmp_path / "README").write_text("no image")
    (tmp_path / "notes.2024").write_text("no image")
    assert [file.name for file in list_images(tmp_path)] == ["1.2.840.113", "IM0001"]


def test_a_group_may_be_in_the_header(tmp_path: Path) -> None:
    for number in range(40):
        dicom(tmp_path / f"{number:02d}.dcm", GRAY, PatientID=f"p{number // 5}")
    found = load(str(tmp_path), split="all", groups="dicom:PatientID")
    assert found.groups == tuple(f"p{number // 5}" for number in range(40))
    dicom(tmp_path / "40.dcm", GRAY, PatientID="")
    with pytest.raises(InputError, match=r"^groups: 'dicom:PatientID' must be in every header, got none in '40.dcm'$"):
        load(str(tmp_path), split="all", groups="dicom:PatientID")
    with pytest.raises(InputError, match=r"^groups: 'dicom:Patient' must be the keyword of a DICOM attribute"):
        load(str(tmp_path), split="all", groups="dicom:Patient")


def test_what_has_no_readable_header_is_no_image_and_hinders_no_other(tmp_path: Path) -> None:
    for number in range(40):
        dicom(tmp_path / f"{number:02d}.dcm", GRAY, PatientID=f"p{number // 5}")
    (tmp_path / "20.dcm").write_bytes((tmp_path / "20.dcm").read_bytes()[:150])
    found = load(str(tmp_path), split="all", groups="dicom:PatientID")
    assert [one.path for one in found.skipped] == ["20.dcm"]
    assert len(found.groups) == 39
    assert len(set(found.groups)) == 8


def test_patients_across_splits_are_an_error_until_they_are_groups(tmp_path: Path) -> None:
    for number in range(40):
        dicom(tmp_path / f"IM{number:04d}", GRAY + np.uint16(number), PatientID=f"p{number // 5}")

    def errors(groups: str | None = None) -> dict[str, float]:
        listing = listed(str(tmp_path), groups=groups)
        return {one.rule: one.value for one in audit(listing, measure_all(listing)).errors}

    assert errors() == {"patients-across-splits": 6}
    assert errors("dicom:PatientID") == {}
    for number in range(40):  # what all have says nothing
        dicom(tmp_path / f"IM{number:04d}", GRAY + np.uint16(number), PatientID="ANON")
    assert errors() == {}


def test_text_in_the_pixels_is_told(tmp_path: Path) -> None:
    for number in range(40):
        burned = {"BurnedInAnnotation": "YES" if number < 3 else "NO"}
        dicom(tmp_path / f"{number:02d}.dcm", GRAY + np.uint16(number), PatientID=f"p{number}", **burned)
    listing = listed(str(tmp_path), groups="dicom:PatientID")
    found = {one.rule: one for one in audit(listing, measure_all(listing)).findings}
    assert found["burned-in-text"].files == (("00.dcm",), ("01.dcm",), ("02.dcm",))


def test_folders_of_studies_are_no_classes(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"study{number // 5}").mkdir(exist_ok=True)
        dicom(tmp_path / f"study{number // 5}" / f"{number}.dcm", GRAY, PatientID=f"p{number // 10}")
    found = load(str(tmp_path), split="all", groups="dicom:PatientID")
    assert (found.classes, len(set(found.groups))) == ((), 4)
