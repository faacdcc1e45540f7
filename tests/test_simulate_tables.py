"""Simulated tables, texts, DICOM files and the stand-ins of public data sets: what was planted can be found again."""

import io

import numpy as np
import pydicom
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import simulate


def test_hazard_ratios_come_back_from_a_cox_model():
    from lifelines import CoxPHFitter

    inside = 0
    for seed in range(5):
        data = simulate.survival(600, seed=seed)
        fit = CoxPHFitter().fit(data.table, "time", "event")
        interval = fit.confidence_intervals_
        inside += sum(interval.loc[name].iloc[0] < beta < interval.loc[name].iloc[1] for name, beta in data.log_hazard_ratios.items())
        assert np.sign(fit.params_[list(data.log_hazard_ratios)]).tolist() == [1, 1, 1, -1]
    assert inside >= 16, f"{inside} of 20 planted values lie in their 95 % intervals"
    assert 0.35 < data.table["event"].mean() < 0.65 and (data.table["time"] > 0).all()


def test_cohort_has_several_images_a_patient():
    data = simulate.cohort(100, prevalence=0.3, seed=1)
    assert len(data.images) == len(data.table) == len(data.lesion) > 150
    patients = data.table.groupby("patient")
    assert len(patients) == 100 and patients["label"].nunique().max() == 1 and patients["site"].nunique().max() == 1
    assert patients["label"].first().sum() == 30 and patients.size().max() > 1
    assert (data.lesion.any(axis=(1, 2)) == (data.table["label"] == 1)).all()


def test_a_split_by_image_leaks():
    data = simulate.cohort(80, visits=(2, 4), seed=2)
    flat = data.images.reshape(len(data.images), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    similar = np.corrcoef(flat)
    np.fill_diagonal(similar, -1)
    nearest = data.table["patient"].to_numpy()[similar.argmax(axis=1)]
    assert (nearest == data.table["patient"]).mean() > 0.9


def test_readers_err_as_often_as_planted():
    data = simulate.readers(20000, 3, prevalence=0.4, seed=0)
    assert data.truth.mean() == 0.4
    assert np.allclose(data.labels[data.truth == 1].mean(axis=0), data.sensitivity, atol=0.02)
    assert np.allclose(1 - data.labels[data.truth == 0].mean(axis=0), data.specificity, atol=0.02)
    ill = data.labels[data.truth == 1]
    assert abs(np.corrcoef(ill.T)[0, 1]) < 0.04, "readers err independently, given the truth"


def test_heart_table_is_learnable_and_its_sites_differ():
    table = simulate.heart_table(300, seed=0)
    share = (table["target"] > 0).groupby(table["site"]).mean()
    assert share["hungary"] < share["cleveland"] < share["va"] < share["switzerland"]
    assert table["ca"].isna().mean() > 0.5 and not table["age"].isna().any()
    assert (table.loc[table["site"] == "switzerland", "chol"] == 0).all()
    names = "age sex cp trestbps chol fbs restecg thalach exang oldpeak slope ca thal target site"
    assert list(table.columns) == names.split()
    for site in ("cleveland", "hungary", "va"):
        part = table[table["site"] == site]
        features, label = part.drop(columns=["target", "site"]), part["target"] > 0
        model = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), LogisticRegression())
        auc = roc_auc_score(label, cross_val_predict(model, features, label, cv=5, method="predict_proba")[:, 1])
        assert 0.75 < auc < 0.95, (site, auc)


def test_planted_identity_is_in_the_file_and_the_file_is_valid():
    file = simulate.dicom(seed=3)
    buffer = io.BytesIO()
    file.dataset.save_as(buffer, enforce_file_format=True)
    raw = buffer.getvalue().decode("latin-1")
    assert all(text in raw for text in (*file.planted, *file.dates, *file.uids))
    assert raw.count(file.planted[0]) >= 2 and raw.count(file.uids[0]) >= 3 and raw.count(file.uids[1]) >= 2
    buffer.seek(0)
    back = pydicom.dcmread(buffer)
    assert np.array_equal(back.pixel_array * float(back.RescaleSlope) + float(back.RescaleIntercept), file.hu)
    assert any(element.tag.is_private for element in back) and "RequestAttributesSequence" in back
    top = " ".join(str(element.value) for element in back if element.VR != "SQ" and not element.tag.is_private)
    assert any(text not in top for text in file.planted), "some of it is only found in nested or private elements"


def test_a_series_sorts_by_position_and_shares_its_study():
    files = simulate.dicom_series(6, seed=1)
    heights = [float(f.dataset.ImagePositionPatient[2]) for f in files]
    assert heights != sorted(heights) and np.allclose(np.diff(sorted(heights)), 6)
    by_number = sorted(files, key=lambda f: f.dataset.InstanceNumber)
    assert [float(f.dataset.ImagePositionPatient[2]) for f in by_number] == sorted(heights, reverse=True)
    assert len({f.dataset.StudyInstanceUID for f in files}) == 1 and len({f.dataset.SOPInstanceUID for f in files}) == 6
    a, b = (f.hu for f in by_number[:2])
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9


def test_reports_state_exactly_their_findings():
    words = {"pneumonia": "pneumonia.", "effusion": "pleural effusion.", "pneumothorax": "pneumothorax.", "cardiomegaly": "Cardiomegaly."}
    words |= {"nodule": "pulmonary nodule;", "fracture": "rib fracture."}
    for seed in range(40):
        made = simulate.report(seed=seed)
        assert "SYNTHETIC" in made.text and made.labels.tolist() == [int(made.findings[name]) for name in simulate.FINDINGS]
        for name in simulate.FINDINGS:
            assert (words[name].lower() in made.impression.lower()) == made.findings[name], (name, made.impression)
    chosen = simulate.report({"nodule": True}, seed=1)
    assert [name for name, there in chosen.findings.items() if there] == ["nodule"] and chosen.details["nodule"].split()[0] in chosen.text
    with pytest.raises(ValueError, match="unknown findings"):
        simulate.report({"nodul": True})


# --- stand-ins

SMALL = {"hippocampus": 6, "adrenalmnist3d": 60}


@pytest.fixture(scope="module", params=simulate.STAND_INS)
def small(request):
    return request.param, simulate.stand_in(request.param, n=SMALL.get(request.param, 120), seed=1)


def test_stand_ins_have_the_shape_of_the_real_set(small):
    name, data = small
    shape = {"adrenalmnist3d": (28, 28, 28), "bloodmnist": (28, 28, 3), "pathmnist": (28, 28, 3)}.get(name, (28, 28))
    assert list(data) == ["train", "val", "test"]
    for images, labels, patients in data.values():
        assert len(images) == len(labels) == len(patients) and patients.dtype.kind == "U"
        if name == "hippocampus":
            assert all(
                i.dtype == np.float32 and i.shape == t.shape and set(np.unique(t)) == {0, 1, 2} for i, t in zip(images, labels, strict=True)
            )
            assert all(abs(a - b) <= 3 for i in images for a, b in zip(i.shape, (35, 51, 35), strict=True))
        else:
            assert images.dtype == np.uint8 and images.shape[1:] == shape
            assert labels.dtype == np.int64 and set(labels) == set(range(len(simulate.CLASSES[name])))
    if name == "adrenalmnist3d":
        assert set(np.unique(data["train"][0])) == {0, 255}


def test_no_patient_is_in_two_splits_and_some_have_two_images(small):
    name, data = small
    people = [set(patients) for _, _, patients in data.values()]
    assert not (people[0] & people[1] or people[0] & people[2] or people[1] & people[2])
    if name not in SMALL:
        assert len(people[0]) < len(data["train"][2])
    if name != "hippocampus":
        _, labels, patients = data["train"]
        assert all(len(set(labels[patients == p])) == 1 for p in people[0])


def test_stand_ins_are_deterministic(small):
    name, data = small
    again = simulate.stand_in(name, n=SMALL.get(name, 120), seed=1)
    for split in data:
        assert all(np.array_equal(a, b) for a, b in zip(data[split][0], again[split][0], strict=True))
        assert np.array_equal(data[split][2], again[split][2])


@pytest.mark.parametrize("name", ["breastmnist", "pneumoniamnist", "adrenalmnist3d"])
def test_no_trivial_rule_solves_a_stand_in(name):
    images, labels, _ = simulate.stand_in(name)["train"]
    share = 0.70 if name == "adrenalmnist3d" else {"breastmnist": 0.27, "pneumoniamnist": 0.26}[name]
    assert np.isclose((labels == 0).mean(), share, atol=0.02)
    score = images.reshape(len(images), -1).mean(axis=1)
    auc = roc_auc_score(labels, score)
    assert max(auc, 1 - auc) < 0.72
    flat = images.reshape(len(images), -1)[:, :: 16 if name == "adrenalmnist3d" else 2].astype(np.float32)
    half = len(flat) // 2
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=200)).fit(flat[:half], labels[:half])
    assert roc_auc_score(labels[half:], model.decision_function(flat[half:])) < 0.85


def test_unknown_stand_ins_are_refused():
    with pytest.raises(ValueError, match="there is no stand-in"):
        simulate.stand_in("brestmnist")
