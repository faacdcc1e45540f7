"""Simulated microscopy, ultrasound and deformations: the physics and the geometry that their truth promises."""

import numpy as np
import pytest
from scipy import stats

from helpers import simulate

# --- microscopy and ultrasound


def test_nuclei_are_counted_and_touch_as_asked():
    for count, touching in ((30, 0.3), (12, 0.0), (40, 0.6)):
        cells = simulate.nuclei(count=count, touching=touching, seed=2)
        assert np.unique(cells.labels).tolist() == list(range(count + 1))
        assert len(cells.touching) >= round(touching * count) and (touching > 0 or not cells.touching)
        assert cells.image[cells.labels > 0].mean() > 3 * cells.image[cells.labels == 0].mean()
    with pytest.raises(ValueError, match="do not fit"):
        simulate.nuclei(count=900, shape=(40, 40))


def test_histology_is_beer_lambert_in_colour():
    section = simulate.histology(seed=1)
    density = section.haematoxylin[..., None] * section.stains[0] + section.eosin[..., None] * section.stains[1]
    assert np.abs(section.rgb - 252 * np.exp(-density)).mean() < 2
    measured = -np.log(np.maximum(section.rgb.astype(float), 1) / 252).reshape(-1, 3)
    unmixed = np.linalg.lstsq(section.stains.T, measured.T, rcond=None)[0]
    assert np.corrcoef(unmixed[0], section.haematoxylin.ravel())[0, 1] > 0.98
    assert (
        section.labels.max() > 20 and section.haematoxylin[section.labels > 0].mean() > 4 * section.haematoxylin[section.labels == 0].mean()
    )


def test_speckle_is_fully_developed():
    ratio = np.concatenate(
        [(u.envelope**2 / u.echogenicity)[60::12, ::16].ravel() for u in map(lambda s: simulate.ultrasound(seed=s), range(8))]
    )
    assert np.isclose(ratio.mean(), 1, atol=0.12)
    amplitude = np.sqrt(ratio)
    assert np.isclose(amplitude.mean() / amplitude.std(), 1.91, atol=0.15), "Rayleigh: mean over standard deviation is 1.91"
    assert stats.kstest(ratio[::3] / ratio.mean(), "expon").pvalue > 1e-3


def test_lesions_differ_in_shape_and_shadow():
    def ratio(mask):
        rows, columns = np.nonzero(mask)
        return np.ptp(rows) / np.ptp(columns)

    benign, malignant = ([simulate.ultrasound(malignant=m, seed=s) for s in range(6)] for m in (False, True))
    assert np.mean([ratio(u.lesion) for u in benign]) < 0.85 < np.mean([ratio(u.lesion) for u in malignant])
    assert not simulate.ultrasound(malignant=None, seed=0).lesion.any()
    for picture in benign + malignant:
        assert picture.image[picture.lesion].mean() < picture.image.mean()


# --- deformation


@pytest.mark.parametrize("shape, spacing", [((64, 80), 1.0), ((40, 44, 36), (2.0, 2.0, 3.0))])
def test_fields_are_smooth_and_never_fold(shape, spacing):
    for seed in range(3):
        field = simulate.smooth_field(shape, 8.0, 15.0, spacing=spacing, seed=seed)
        assert field.shape == (len(shape), *shape)
        assert np.isclose(np.sqrt((field**2).sum(axis=0)).max(), 8.0, rtol=1e-4)
        assert simulate.jacobian(field, spacing=spacing).min() > 0
    assert not simulate.smooth_field(shape, 0.0, seed=0).any()


def test_warp_is_inverse_warping_in_mm():
    image = np.zeros((20, 20), dtype=np.float32)
    image[10, 5] = 1
    field = np.zeros((2, 20, 20), dtype=np.float32)
    field[0] = 4.0  # mm: the new image at x shows what lay at x + 4 mm, two voxels further down
    assert np.argwhere(simulate.warp(image, field, spacing=2.0) > 0.5).tolist() == [[8, 5]]
    labels = simulate.warp((image * 7).astype(np.uint8), field / 3, spacing=2.0, order=0)
    assert labels.dtype == np.uint8 and set(np.unique(labels)) <= {0, 7}
    with pytest.raises(ValueError, match="needs a field"):
        simulate.warp(image, field[:1])


def test_views_show_the_patient_as_radiologists_do():
    volume = np.zeros((5, 6, 7))
    volume[-1, -1, 3] = 1  # right, anterior
    assert simulate.axial(volume)[0, 0] == 1
    volume[:] = 0
    volume[-1, 3, -1] = 1  # right, superior
    assert simulate.coronal(volume)[0, 0] == 1
    volume[:] = 0
    volume[2, -1, -1] = 1
    assert simulate.sagittal(volume)[0, 0] == 1
