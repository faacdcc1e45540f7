"""The simulated images and volumes: determinism, shapes, and the physics that their truth promises."""

import dataclasses
import hashlib
import subprocess
import sys

import numpy as np
import pytest

from helpers import simulate

# name -> a cheap call; each is made twice with one seed and once with another
CALLS = {
    "brain": lambda seed: simulate.brain(lesions=3, spacing=3, bias=0.3, seed=seed),
    "brain_slice": lambda seed: simulate.brain_slice("flair", lesions=3, bias=0.3, seed=seed),
    "thorax": lambda seed: simulate.thorax(nodule_diameter_mm=15, spacing=6, seed=seed),
    "thorax_slice": lambda seed: simulate.thorax_slice(size=96, spacing=4, seed=seed),
    "radiograph": lambda seed: simulate.radiograph(spacing=6, consolidation=0.5, seed=seed),
    "sinogram": lambda seed: simulate.sinogram(np.full((32, 32), 0.01), 20, 1e3, seed=seed),
    "low_dose_ct": lambda seed: simulate.low_dose_ct(np.zeros((32, 32)), 0.5, angles=20, seed=seed),
    "undersample": lambda seed: simulate.undersample(np.eye(64), noise=0.1, seed=seed),
    "pet_slice": lambda seed: simulate.pet_slice(seed=seed),
    "nuclei": lambda seed: simulate.nuclei(seed=seed),
    "histology": lambda seed: simulate.histology(seed=seed),
    "ultrasound": lambda seed: simulate.ultrasound(seed=seed),
    "smooth_field": lambda seed: simulate.smooth_field((40, 40), seed=seed),
    "survival": lambda seed: simulate.survival(50, seed=seed),
    "cohort": lambda seed: simulate.cohort(20, seed=seed),
    "readers": lambda seed: simulate.readers(seed=seed),
    "heart_table": lambda seed: simulate.heart_table(20, seed=seed),
    "dicom": lambda seed: simulate.dicom(seed=seed),
    "dicom_series": lambda seed: simulate.dicom_series(3, seed=seed),
    "report": lambda seed: simulate.report(seed=seed),
}


def digest(value) -> str:
    """A hash of everything that a result holds."""
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.name != "seed"}
    if isinstance(value, dict):
        text = "".join(f"{key}:{digest(item)}" for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        text = "".join(digest(item) for item in value)
    elif isinstance(value, np.ndarray):
        text = f"{value.dtype}{value.shape}" + hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    elif hasattr(value, "to_csv"):
        text = value.to_csv()
    else:
        text = str(value)
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("name", CALLS)
def test_same_seed_same_bytes(name):
    first, again, other = digest(CALLS[name](5)), digest(CALLS[name](5)), digest(CALLS[name](6))
    assert first == again, f"{name} is not deterministic"
    assert first != other, f"{name} ignores its seed"


def test_the_package_is_lazy_and_complete():
    code = """
import sys
import helpers
before = set(sys.modules)
from helpers import simulate
new = set(sys.modules) - before
assert not new & {"scipy", "skimage", "pandas", "nibabel", "pydicom", "torch", "monai", "nilearn"}, new
[getattr(simulate, name) for name in simulate.__all__]
assert not (set(sys.modules) - before) & {"torch", "monai", "nilearn", "matplotlib"}
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    for name in simulate.__all__:
        assert name in simulate.__doc__ or name[0].isupper(), f"{name} is not in the package's documentation"
    with pytest.raises(AttributeError, match="has no 'brian'"):
        _ = simulate.brian


@pytest.mark.parametrize("seed", [-1, 1.5, True, None])
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be an integer"):
        simulate.brain_slice(seed=seed)


# --- magnetic resonance


def mean_by_tissue(picture) -> list[float]:
    return [float(picture.image[picture.tissue == k].mean()) for k in (1, 2, 3)]


def test_contrasts_order_the_tissues_as_in_the_clinic():
    csf, grey, white = mean_by_tissue(simulate.brain_slice("t1", seed=1))
    assert white > 1.1 * grey > 1.1 * csf
    csf, grey, white = mean_by_tissue(simulate.brain_slice("t2", seed=1))
    assert csf > 1.3 * grey > 1.3 * white
    csf, grey, white = mean_by_tissue(simulate.brain_slice("flair", seed=1))
    assert csf < 0.4 * min(grey, white)


def test_flair_nulls_water_and_shows_lesions():
    flair = simulate.brain_slice("flair", lesions=5, noise=0, seed=2)
    assert flair.image[flair.lesion].mean() > 2 * flair.image[flair.tissue == 3].mean()
    tr, te, ti = simulate.SEQUENCES["flair"]
    t1 = simulate.TISSUES["csf"][1]
    assert abs(1 - 2 * np.exp(-ti / t1) + np.exp(-tr / t1)) < 0.002


def test_pure_voxels_obey_the_spin_echo_equation():
    volume = simulate.brain("t2", noise=0, spacing=2, seed=0)
    pd, t1, t2 = simulate.TISSUES["white"]
    expected = pd * (1 - np.exp(-volume.tr / t1)) * np.exp(-volume.te / t2)
    assert np.isclose(np.percentile(volume.image[volume.tissue == 3], 5), expected, rtol=0.02)
    assert volume.image.shape == (99, 117, 95)
    assert volume.affine[:3, :3].tolist() == np.diag([2.0, 2.0, 2.0]).tolist()


def test_same_seed_is_the_same_head_in_every_contrast():
    a, b = simulate.brain("t1", lesions=4, spacing=3, seed=3), simulate.brain("t2", lesions=4, spacing=3, seed=3)
    assert (a.tissue == b.tissue).all() and (a.lesion == b.lesion).all() and a.lesion.any()
    assert set(np.unique(a.tissue)) == {0, 1, 2, 3, 4}
    assert (a.lesion <= a.mask).all()
    assert not (simulate.brain("t1", spacing=3, seed=4).tissue == a.tissue).all()


def test_affine_puts_the_brain_where_mni_has_it():
    volume = simulate.brain(spacing=3, variation=0, noise=0, seed=0)
    centre = np.argwhere(volume.mask).mean(axis=0)
    assert np.allclose(volume.affine[:3, :3] @ centre + volume.affine[:3, 3], [0, -19, 12], atol=6)


def test_noise_is_rician():
    noisy, clean = (simulate.brain("t1", spacing=2, noise=level, variation=0, seed=5) for level in (0.05, 0.0))
    air = noisy.image[:10]
    assert np.isclose(air.mean(), noisy.sigma * np.sqrt(np.pi / 2), rtol=0.01)
    assert np.isclose(air.std(), noisy.sigma * np.sqrt(2 - np.pi / 2), rtol=0.01)
    inside = noisy.tissue == 3
    power = (noisy.image[inside].astype(float) ** 2 - clean.image[inside].astype(float) ** 2).mean()
    assert np.isclose(power, 2 * noisy.sigma**2, rtol=0.2)


def test_bias_multiplies_and_has_the_size_asked_for():
    plain, biased = (simulate.brain_slice(bias=b, noise=0, seed=6) for b in (0.0, 0.4))
    assert np.isclose(np.ptp(biased.bias[biased.mask]), 0.4, atol=1e-3)
    assert np.isclose(biased.bias[biased.mask].mean(), 1, atol=1e-3)
    assert np.allclose(biased.image, plain.image * biased.bias, atol=1e-5)


def test_the_field_is_the_true_deformation_of_the_template():
    template, subject = (simulate.brain("t1", spacing=3, variation=v, noise=0, seed=7) for v in (0, 1))
    moved = simulate.warp(template.image, subject.field, spacing=3)
    assert np.abs(moved - subject.image).mean() < 0.01 * subject.image.max()
    assert simulate.jacobian(subject.field, spacing=3).min() > 0
    flat = simulate.brain_slice(seed=7, noise=0)
    moved = simulate.warp(simulate.brain_slice(seed=7, noise=0, variation=0).image, flat.field, spacing=flat.spacing)
    assert np.abs(moved - flat.image).mean() < 0.01 * flat.image.max()


def test_kspace_is_zero_where_not_measured_and_exact_where_it_is():
    image = simulate.brain_slice(seed=1).image
    for pattern in ("random", "regular"):
        k = simulate.undersample(image, 4, 0.08, pattern=pattern, seed=1)
        assert (k.kspace[~k.mask] == 0).all() and np.allclose(k.kspace[k.mask], k.full[k.mask])
        assert k.mask[:, 59:69].all() and (k.mask.all(axis=0) == k.mask.any(axis=0)).all()
    assert np.isclose(simulate.undersample(image, 4, seed=1).acceleration, 4, atol=0.2)
    back = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(k.full), norm="ortho"))
    assert np.allclose(back.real, image, atol=1e-4)
    noise = (simulate.undersample(image, 1, noise=0.1, seed=1).kspace - k.full).real.std()
    assert np.isclose(noise, 0.1 * np.sqrt((image**2).mean()), rtol=0.03)


def test_scans_may_share_their_lines_and_not_their_noise():
    image = np.random.default_rng(0).random((64, 64))
    one, two = (simulate.undersample(image, 4, noise=0.1, seed=seed, lines_seed=0) for seed in (1, 2))
    assert np.array_equal(one.mask, two.mask)
    noise = [(scan.kspace - scan.full)[scan.mask] for scan in (one, two)]
    assert abs(np.corrcoef(noise[0].real, noise[1].real)[0, 1]) < 0.1, "each scan has noise of its own"


# --- X-ray, CT, PET


def test_attenuation_of_air_and_water():
    assert simulate.attenuation(np.array([-1000, -3000, 0])).tolist() == [0, 0, simulate.MU_WATER]
    assert np.isclose(simulate.attenuation(1000.0), 2 * simulate.MU_WATER)


@pytest.fixture(scope="module")
def chest():
    return simulate.thorax(nodule_diameter_mm=20, spacing=4, seed=11)


def test_thorax_has_plausible_organs(chest):
    litres = {name: mask.sum() * 4**3 / 1e6 for name, mask in chest.masks.items()}
    assert 3 < litres["lungs"] < 7 and 0.35 < litres["heart"] < 1.1
    assert chest.hu[chest.masks["lungs"]].mean() < -700
    assert 20 < np.median(chest.hu[chest.masks["heart"]]) < 60
    assert np.isclose(litres["nodule"] * 1e6, 4 / 3 * np.pi * 10**3, rtol=0.25)
    x = chest.affine[0, 0] * np.argwhere(chest.masks["right_lung"])[:, 0].mean() + chest.affine[0, 3]
    assert x > 20, "the right lung lies at positive x in RAS"
    y = [np.argwhere(chest.masks[name])[:, 1].mean() for name in ("spine", "heart")]
    assert y[0] < y[1], "the spine lies behind the heart"
    index = np.round(np.linalg.inv(chest.affine) @ [*chest.nodule_centre, 1])[:3].astype(int)
    assert chest.masks["nodule"][tuple(index)] and chest.hu[tuple(index)] > -50


def test_nodules_lie_in_the_lung():
    for seed in range(4):
        with_nodule = simulate.thorax_slice(nodule_diameter_mm=12, seed=seed)
        without = simulate.thorax_slice(seed=seed)
        row, column = (round(v) for v in with_nodule.nodule_centre)
        assert with_nodule.masks["nodule"][row, column]
        assert np.isclose(2 * np.sqrt(with_nodule.masks["nodule"].sum() / np.pi) * 2, 12, atol=2.5)
        assert not without.masks["nodule"].any() and without.nodule_centre is None
        ring = with_nodule.hu[max(row - 6, 0) : row + 7, max(column - 6, 0) : column + 7]
        assert np.percentile(ring, 10) < -600


def test_radiograph_is_beer_lambert(chest):
    film = simulate.radiograph(spacing=4, photons=1e4, seed=11)
    volume = simulate.thorax(spacing=4, seed=11)
    line = simulate.attenuation(volume.hu).sum(axis=1, dtype=float) * 4
    assert np.allclose(film.line_integral, line[::-1, ::-1].T, atol=1e-3)
    ratio = (film.counts - 1e4 * np.exp(-film.line_integral)) / np.sqrt(1e4 * np.exp(-film.line_integral))
    assert abs(ratio.mean()) < 0.05 and abs(ratio.std() - 1) < 0.05
    assert film.image.min() >= 0 and film.image.max() <= 1
    assert film.image[film.lungs].mean() < film.image[~film.lungs & (film.line_integral > 1)].mean()


def test_consolidation_adds_fluid_where_the_mask_says():
    clear, ill = (simulate.radiograph(spacing=5, consolidation=c, seed=3) for c in (0, 0.9))
    more = ill.line_integral - clear.line_integral
    assert not clear.opacity.any() and ill.opacity.any()
    assert (more[ill.opacity] > 0.9 * 10 * simulate.MU_WATER).all() and more.min() > -1e-4


def test_sinogram_of_a_disc_is_known():
    axis = np.arange(129) - 64
    disc = (axis[:, None] ** 2 + axis[None] ** 2 <= 40**2) * 0.02
    data = simulate.sinogram(disc, 30, spacing=2.0, seed=0)
    assert np.isclose(data.line_integral[64].mean(), 80 * 2 * 0.02, rtol=0.02)
    assert np.allclose(data.line_integral.sum(axis=0), disc.sum() * 2, rtol=0.01)
    noisy = simulate.sinogram(disc, 60, 500.0, spacing=2.0, seed=0)
    assert np.isclose(noisy.counts[:10].var(), 500, rtol=0.15)


def test_filtered_back_projection_returns_hu_and_noise_grows_as_dose_falls():
    hu = simulate.thorax_slice(size=96, spacing=4, seed=4).hu
    spread = []
    for dose in (1.0, 0.25, 0.0625):
        ct = simulate.low_dose_ct(hu, dose, spacing=4, angles=120, seed=0)
        spread.append((ct.image - ct.reference)[30:66, 30:66].std())
    assert abs(np.median((ct.reference - hu)[30:66, 30:66])) < 20
    assert spread[0] > 1 and np.isclose(spread[1] / spread[0], 2, rtol=0.15) and np.isclose(spread[2] / spread[1], 2, rtol=0.2)


def test_pet_counts_are_poisson():
    pet = simulate.pet_slice(counts=5e5, lesions=2, seed=1)
    assert np.isclose(pet.activity.sum(), 5e5) and pet.image.dtype.kind == "i"
    bright = pet.activity > 20
    z = (pet.image - pet.activity)[bright] / np.sqrt(pet.activity[bright])
    assert abs(z.mean()) < 0.08 and abs(z.std() - 1) < 0.06
    assert pet.truth[pet.lesion].mean() > 1.5 * pet.truth[pet.truth > 0].mean()
