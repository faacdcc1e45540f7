"""The MNI152 brain that nilearn ships, loaded once a process: tissue fractions and T1 picture at 1, 2 or 3 mm; no simulation lives here.

Source: ICBM 2009a nonlinear symmetric template, Fonov et al., NeuroImage 54(1):313-327, 2011.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

ORIGIN = np.array([-98.0, -134.0, -72.0])  # mm of voxel (0, 0, 0)


def _file(kind: str) -> Path:
    """Path of a shipped map; found without importing nilearn, which takes seconds."""
    spec = find_spec("nilearn")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("nilearn is not installed: it ships the MNI152 maps. Install the project's requirements.")
    return Path(spec.submodule_search_locations[0]) / "datasets" / "data" / f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz"


@cache
def map_1mm(kind: str) -> np.ndarray:
    """One map at 1 mm. kind "t1", "gm" or "wm": (197, 233, 189) uint8, axes RAS, 255 = the most."""
    array = np.asarray(nib.load(_file(kind)).dataobj)
    array.setflags(write=False)
    return array


@cache
def fractions(spacing: int) -> np.ndarray:
    """Tissue fractions of the template.

    Args:
        spacing: 1, 2 or 3 mm; coarser maps average the finer ones, as a scanner does.

    Returns:
        (3, X, Y, Z) float32: cerebrospinal fluid, grey, white, each 0 to 1, sum 1 in the head's middle and 0 outside. Voxel (0, 0, 0)
        has its centre at ORIGIN + (spacing - 1) / 2 mm.
    """
    if spacing not in (1, 2, 3):
        raise ValueError(f"spacing must be 1, 2 or 3 mm, not {spacing!r}.")
    raw = [map_1mm(kind) for kind in ("t1", "gm", "wm")]
    if spacing > 1:
        raw = [_average(array, spacing) for array in raw]
    result = _sharpen(*raw)
    result.setflags(write=False)
    return result


@cache
def plane(height: int) -> np.ndarray:
    """Tissue fractions (3, 233, 197) at 1 mm of the axial slice at MNI z = `height` mm, as shown: row 0 anterior, column 0 right."""
    index = int(height - ORIGIN[2])
    result = _sharpen(*[map_1mm(kind)[::-1, ::-1, index].T for kind in ("t1", "gm", "wm")])
    result.setflags(write=False)
    return result


def _average(array: np.ndarray, factor: int) -> np.ndarray:
    """Mean over blocks of `factor` voxels a side; zeros fill the last block."""
    size = [-(-n // factor) for n in array.shape]
    padded = np.pad(array, [(0, s * factor - n) for s, n in zip(size, array.shape, strict=True)])
    blocks = padded.reshape(size[0], factor, size[1], factor, size[2], factor)
    return blocks.sum(axis=(1, 3, 5), dtype=np.uint32).astype(np.float32) / factor**3


def _sharpen(t1: np.ndarray, grey: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Fractions of fluid, grey, white from the template's maps (0 to 255).

    The template averages 152 people, so its sulci are blurred; a subject's are not. The fluid is deepened, then all is sharpened.
    """
    inside = ndimage.binary_fill_holes(t1 > 12).astype(np.float32)
    grey, white = grey.astype(np.float32) / 255, white.astype(np.float32) / 255
    total = np.maximum(grey + white, 1.0)
    grey, white = grey / total, white / total
    fluid = np.clip(1 - grey - white, 0, 1)
    weight = np.stack([(2.2 * fluid) ** 2, grey**2, (1.1 * white) ** 2])
    return weight * (inside / np.maximum(weight.sum(axis=0), 1e-6))
