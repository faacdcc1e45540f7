"""Real data and weights that installed packages ship: there after installation, with no network. Reads them where they lie."""

import importlib.util
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from helpers.data.core import Card, DataError, Dataset


def load(card: Card, **options: Any) -> Dataset:
    """Read a packaged set; the card's `options["reader"]` says how.

    Args:
        card: the manifest's entry.
        options: `resolution` (1 or 2 mm) for sets that have several; nothing for the others.

    Raises:
        DataError: the package is not installed, or its file is missing or unreadable.
    """
    reader = _READERS[card.options["reader"]]
    paths = files(card)
    try:
        return Dataset(card.name, card, paths=paths, **reader(paths, card, **options))
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{paths[0]} can't be read ({type(error).__name__}): install {card.options['package']} again") from error


def files(card: Card) -> list[Path]:
    """The packaged files on disk, in the card's order.

    Raises:
        DataError: the package is not installed or lacks a file.
    """
    package = card.options["package"]
    if "module" not in card.options:
        return _files_of_distribution(card, package)
    spec = importlib.util.find_spec(card.options["module"])
    if spec is None or not spec.origin:
        raise DataError(f"{card.name} comes with the package {package}, which is not installed: run `pip install {package}`")
    folder = Path(spec.origin).parent
    names = card.options["file"]
    paths = [folder / name for name in ([names] if isinstance(names, str) else names)]
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path.name} is missing from the installed package {package}: install {package} again")
    return paths


def _files_of_distribution(card: Card, package: str) -> list[Path]:
    try:
        listed = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        raise DataError(f"{card.name} comes with the package {package}, which is not installed: run `pip install {package}`") from None
    paths = [Path(path.locate()) for path in listed if path.match(card.options["file"])]
    if not paths or not paths[0].is_file():
        raise DataError(f"{card.options['file']} is missing from the installed package {package}: install {package} again")
    return paths


def _picture(paths: list[Path], card: Card) -> dict[str, Any]:
    from skimage.io import imread

    spacing = card.options.get("spacing")
    return {"image": imread(paths[0]), "spacing": tuple(spacing) if spacing else None}


def _phantom(paths: list[Path], card: Card) -> dict[str, Any]:
    from skimage import img_as_float32
    from skimage.io import imread

    return {"image": img_as_float32(imread(paths[0], as_gray=True))}


def _dicom(paths: list[Path], card: Card) -> dict[str, Any]:
    """Pixels in their unit: modality rescale applied, MONOCHROME1 turned so that high is bright; colour as (.., 3) uint8."""
    import pydicom

    header = pydicom.dcmread(paths[0])
    pixels = header.pixel_array
    if header.get("SamplesPerPixel", 1) == 1 and header.Modality != "SEG":
        scale = float(header.get("DoseGridScaling", header.get("RescaleSlope", None) or 1))
        pixels = (pixels * scale + float(header.get("RescaleIntercept", None) or 0)).astype(np.float32)
        if header.PhotometricInterpretation == "MONOCHROME1":
            pixels = pixels.max() + pixels.min() - pixels
    spacing = header.get("PixelSpacing", None)
    return {"image": pixels, "spacing": tuple(float(s) for s in spacing) if spacing and min(spacing) > 0 else None}


def _waveform(paths: list[Path], card: Card) -> dict[str, Any]:
    import pydicom

    return {"image": pydicom.dcmread(paths[0]).waveform_array(0).astype(np.float32)}


def _nifti(paths: list[Path], card: Card) -> dict[str, Any]:
    import nibabel as nib

    volume = nib.load(paths[0])
    spacing = tuple(float(zoom) for zoom in volume.header.get_zooms())
    return {"image": volume.get_fdata(dtype=np.float32), "affine": volume.affine, "spacing": spacing}


def _template(paths: list[Path], card: Card, resolution: int = 1) -> dict[str, Any]:
    """Volumes on one grid, 0 to 1; at 2 mm each voxel is the mean of 2 x 2 x 2 (an odd last plane is left out)."""
    import nibabel as nib

    if resolution not in (1, 2):
        raise DataError(f"{card.name} has no resolution {resolution!r}: choose 1 or 2 (mm)")
    volumes = {}
    for name, path in zip(card.options["volumes"], paths, strict=True):
        volume = nib.load(path)
        affine = volume.affine.copy()
        values = np.asanyarray(volume.dataobj)
        if resolution == 2:
            even = values[tuple(slice(n // 2 * 2) for n in values.shape)]
            x, y, z = (n // 2 for n in even.shape)
            values = even.reshape(x, 2, y, 2, z, 2).mean((1, 3, 5), dtype=np.float32)
            affine[:3, 3] += affine[:3, :3] @ np.full(3, 0.5)
            affine[:3, :3] *= 2
        volumes[name] = (values / np.float32(255)).astype(np.float32)
    first = next(iter(volumes.values()))
    return {"image": first, "volumes": volumes, "affine": affine, "spacing": (float(resolution),) * 3}


def _table(paths: list[Path], card: Card) -> dict[str, Any]:
    import pandas as pd

    return {"table": pd.read_csv(paths[0], **card.options.get("read_csv", {}))}


def _cytology(paths: list[Path], card: Card) -> dict[str, Any]:
    from sklearn.datasets import load_breast_cancer

    return {"table": load_breast_cancer(as_frame=True).frame}


def _weights(paths: list[Path], card: Card) -> dict[str, Any]:
    return {}


_READERS = {
    "picture": _picture,
    "phantom": _phantom,
    "dicom": _dicom,
    "waveform": _waveform,
    "nifti": _nifti,
    "template": _template,
    "table": _table,
    "cytology": _cytology,
    "weights": _weights,
}
