"""Simulated images, tables and texts with planted truth; no real patient is in here, and no teaching either.

`from helpers import simulate` costs nothing: each name below loads its module when you first use it.
Every function takes `seed: int`. The same arguments give the same bytes. Results are frozen dataclasses.

Conventions
    volume   (X, Y, Z), axes RAS: index grows to the patient's Right, Anterior, Superior; `affine` (4, 4) maps voxel to mm.
    slice    (rows, columns) as shown: row 0 is anterior, column 0 is the patient's right (radiological view).
    spacing  mm, one number a voxel axis.   displacement  (d, *shape) in mm, channel first.   masks  bool.

MR (physics: spin echo; anatomy: MNI152 2009a)
    brain(contrast="t1", *, lesions=0, spacing=2.0, bias=0.0, noise=0.02, variation=1.0, seed=0) -> Brain
        contrast "t1" | "t2" | "pd" | "flair"; `lesions` multiple-sclerosis-like blobs in white matter; spacing 1, 2 or 3 mm;
        bias: peak-to-peak of the smooth coil field (0.4 = +-20 %); noise: Rician sigma over the white-matter signal;
        variation: size of the subject's own deformation (0 = the template). Same seed, other contrast: the same head.
        .image f32 signal | .tissue u8 0 background 1 CSF 2 grey 3 white 4 lesion | .mask | .lesion bool | .bias | .field (3, X, Y, Z)
        mm, subject(x) = template(x + field(x)) | .affine | .spacing | .contrast | .tr .te .ti ms | .sigma | .seed
    brain_slice(contrast="t1", *, size=128, spacing=1.6, height=22.0, lesions=0, bias=0.0, noise=0.02, variation=1.0, seed=0) -> BrainSlice
        axial, `height` mm in MNI space; same fields without affine; .field (2, size, size) mm; about 10 ms
    TISSUES                    dict tissue -> (pd, t1 ms, t2 ms) at 1.5 T;  SEQUENCES: contrast -> (tr, te, ti) ms
    undersample(image, acceleration=4.0, center_fraction=0.08, *, noise=0.0, pattern="random", seed=0) -> KSpace
        Cartesian lines (pattern "random" or "regular"), centre always kept; orthonormal FFT with DC in the middle
        .kspace complex64 (H, W), zero where not measured | .mask bool (H, W) | .full complex64 | .image f32 | .acceleration (real)

X-ray, CT, PET
    thorax(*, nodule_diameter_mm=None, spacing=3.0, seed=0) -> Thorax           spacing: one number or (x, y, z)
        .hu f32 (X, Y, Z) | .masks: dict of bool: body, lungs, left_lung, right_lung, heart, spine, ribs, liver, airway, vessels, nodule
        | .affine | .spacing | .nodule_centre mm or None | .nodule_diameter_mm
    thorax_slice(*, size=192, spacing=2.0, nodule_diameter_mm=None, seed=0) -> ThoraxSlice
        .hu .masks .spacing .height mm .nodule_centre (row, column)
    radiograph(*, nodule_diameter_mm=None, consolidation=0.0, photons=20000.0, spacing=2.0, seed=0) -> Radiograph
        frontal film, Beer-Lambert along y; .image f32 0..1 (bone bright) | .counts (rows, cols) photons | .line_integral
        (-log transmission, noise-free) | .lungs bool | .opacity bool (consolidation) | .nodule bool | .spacing | .photons
    attenuation(hu)            1/mm at 70 keV, never below 0;  MU_WATER 1/mm
    sinogram(mu, angles=180, photons=None, *, spacing=1.0, seed=0) -> Sinogram     mu (N, N) 1/mm, zero outside the inscribed circle
        .line_integral (N, angles) noise-free | .measured (N, angles) from Poisson counts | .counts | .theta degrees | .spacing | .photons
    low_dose_ct(hu, dose=1.0, *, spacing=2.0, angles=360, photons=2e5, seed=0) -> LowDoseCT   filtered back-projection at `dose` x photons
        .image HU | .reference HU (same, no noise) | .sinogram Sinogram | .dose
    pet_slice(*, counts=1e5, size=128, spacing=2.0, lesions=1, seed=0) -> PetSlice  brain FDG; .image Poisson counts | .activity (expected
        counts, blurred) | .truth (before the blur) | .lesion bool | .total

Microscopy, ultrasound
    nuclei(*, count=30, shape=(256, 256), touching=0.3, noise=0.03, seed=0) -> Nuclei
        .image f32 0..1 | .labels int32 1..n | .touching (ids)
    histology(*, shape=(256, 256), count=90, seed=0) -> Histology
        .rgb u8 (H, W, 3) | .haematoxylin .eosin f32 density | .labels | .stains (2, 3)
    STAINS                     (2, 3) unit optical-density vectors of haematoxylin and eosin (Ruifrok & Johnston 2001)
    ultrasound(*, malignant=False, shape=(256, 256), spacing=0.15, seed=0) -> Ultrasound   malignant None: no lesion
        .image u8 (log-compressed, 50 dB) | .envelope f32 | .lesion bool | .malignant | .echogenicity f32

Deformation
    smooth_field(shape, amplitude_mm=5.0, smoothness_mm=20.0, *, spacing=1.0, seed=0) -> (d, *shape) f32
        mm; largest |u| = amplitude; never folds
    warp(image, field, *, spacing=1.0, order=1) -> image(x + u(x)); order 0 for labels
    jacobian(field, *, spacing=1.0) -> determinant of d(x + u)/dx;  > 0 means no folding

Tables, texts, DICOM
    survival(n=400, *, seed=0) -> Survival
        .table age stage biomarker treatment time (months) event | .log_hazard_ratios dict | .linear_predictor
    cohort(n=120, *, visits=(1, 4), size=32, prevalence=0.3, sites=3, seed=0) -> Cohort
        .images f32 (N, size, size) | .table patient visit site age sex label, one row an image | .lesion bool (N, size, size)
    readers(n=300, k=4, *, prevalence=0.3, seed=0) -> Readers   .labels (n, k) 0/1 | .truth (n,) | .sensitivity (k,) | .specificity (k,)
    heart_table(n_per_site=200, *, seed=0) -> DataFrame with UCI columns age sex cp trestbps chol fbs restecg thalach exang oldpeak slope ca
        thal target site; target 0-4; missing values; sites cleveland, hungary, switzerland, va
    dicom(*, seed=0) -> DicomFile              .dataset pydicom FileDataset (in memory) | .planted identifying strings
        | .uids | .dates | .hu
    dicom_series(slices=8, *, seed=0) -> list of DicomFile, one patient, study and series, in shuffled order
    report(findings=None, *, seed=0) -> Report .text .findings_text .impression | .findings dict name -> bool | .labels (FINDINGS order)
    FINDINGS                   names that a report can state

Offline stand-ins for public data sets
    stand_in(name, *, seed=0, n=None) -> {"train": (images, labels, patients), "val": ..., "test": ...}
        name "breastmnist" | "pneumoniamnist" | "bloodmnist" | "pathmnist" | "organamnist": u8 (N, 28, 28[, 3]),
        labels int64 (N,), patients str (N,)
        "adrenalmnist3d": u8 (N, 28, 28, 28), 0 or 255.   "hippocampus": images list of f32 (about 35, 51, 35), labels list of u8 0, 1, 2
        n: size of the training set (val and test scale with it). No patient is in two splits.
    STAND_INS                  the names;  CLASSES: name -> class names

Pictures of volumes
    axial(volume, index=None), coronal(volume, index=None), sagittal(volume, index=None) -> the slice as shown
"""

from importlib import import_module

_HOME = {
    "fields": "smooth_field warp jacobian axial coronal sagittal",
    "brains": "Brain BrainSlice brain brain_slice TISSUES SEQUENCES",
    "chests": "Thorax ThoraxSlice thorax thorax_slice",
    "projections": "Radiograph Sinogram LowDoseCT radiograph attenuation sinogram low_dose_ct MU_WATER",
    "signals": "KSpace PetSlice undersample pet_slice",
    "cells": "Nuclei Histology nuclei histology STAINS",
    "speckle": "Ultrasound ultrasound",
    "tables": "Survival Cohort Readers survival cohort readers",
    "hearts": "heart_table",
    "dicoms": "DicomFile dicom dicom_series",
    "texts": "Report report FINDINGS",
    "standins": "stand_in STAND_INS CLASSES",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"helpers.simulate has no '{name}'; it has {', '.join(__all__)}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
