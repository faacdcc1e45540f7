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
    if spacing > 1:
        fine = fractions(1)
        size = [-(-n // spacing) for n in fine.shape[1:]]
        padded = np.pad(fine, [(0, 0), *[(0, s * spacing - n) for s, n in zip(size, fine.shape[1:], strict=True)]])
        blocks = padded.reshape(3, size[0], spacing, size[1], spacing, size[2], spacing)
        result = np.ascontiguousarray(blocks.mean(axis=(2, 4, 6), dtype=np.float32))
    else:
        inside = ndimage.binary_fill_holes(map_1mm("t1") > 0)
        grey, white = (map_1mm(kind).astype(np.float32) / 255 for kind in ("gm", "wm"))
        total = np.maximum(grey + white, 1.0)
        grey, white = grey / total, white / total
        result = np.stack([inside * np.clip(1 - grey - white, 0, 1), inside * grey, inside * white])
        # The template averages 152 people, so its sulci are blurred; a subject's are not. Deepen the fluid, then sharpen.
        weight = (result * np.array([2.2, 1.0, 1.1], dtype=np.float32)[:, None, None, None]) ** 2
        result = (inside * weight / np.maximum(weight.sum(axis=0), 1e-6)).astype(np.float32)
    result.setflags(write=False)
    return result
