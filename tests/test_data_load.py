"""What `load` gives: the real formats, the stand-ins and how loudly they say so, and the data cards."""

import errno
import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from helpers import data, simulate
from helpers.data import core, decathlon, heart, manifest, stand_ins
from helpers.data.core import DataError, Split
from tests.data_fixtures import entry, hippocampus_files, is_one_sentence, md5, npz, write_manifest

ROOT = Path(__file__).resolve().parents[1]
REAL = next((p for p in (Path(os.environ.get(manifest.VARIABLE) or "/nowhere"), ROOT.parent / "shared" / "data") if p.is_dir()), None)
PRESENT = [c.name for c in manifest.cards().values() if REAL and c.files and (REAL / (c.files[0].unpack or c.files[0].path)).exists()]


@pytest.fixture(autouse=True)
def no_real_cache(tmp_path, monkeypatch):
    """Nothing is written to, or read from, the user's own cache."""
    monkeypatch.setattr(manifest, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(stand_ins, "cache_folder", lambda: tmp_path / "cache")


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty data directory."""
    monkeypatch.setenv(manifest.VARIABLE, str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def lay(empty, tmp_path, monkeypatch):
    """lay(body): make "tiny" known and put this body where its file belongs, with the right checksum."""

    def _lay(body, **fields):
        (empty / "medmnist").mkdir(parents=True, exist_ok=True)
        (empty / "medmnist" / "tiny.npz").write_bytes(body)
        file = {"path": "medmnist/tiny.npz", "size": 28, "md5": md5(body), "addresses": ["http://127.0.0.1:9/tiny.npz"]}
        path = write_manifest(tmp_path / "manifest.yaml", tiny=entry(files=[file], **fields))
        monkeypatch.setattr(manifest, "manifest_path", lambda: path)

    return _lay


def error_of(call, *args, **options) -> str:
    with pytest.raises(DataError) as caught:
        call(*args, **options)
    assert is_one_sentence(str(caught.value)), caught.value
    return str(caught.value)


def check_split(split: Split, card: core.Card, size: int = 28):
    colour = card.shape[-1:] if card.shape[-1:] == (3,) else ()
    spatial = len(card.shape) - len(colour)
    assert split.images.shape == (len(split), *(size,) * spatial, *colour)
    assert split.images.dtype == np.uint8 and split.labels.dtype == np.int64
    assert set(np.unique(split.labels)) <= set(card.classes)


# ---------------------------------------------------------------- real data, as far as they are on this machine


def test_real_data(monkeypatch):
    for name in PRESENT:
        check_real_data(name, monkeypatch)


def check_real_data(name, monkeypatch):
    monkeypatch.setenv(manifest.VARIABLE, str(REAL))
    loaded = data.load(name, stand_in="never")
    card = data.card(name)
    assert loaded.name == name and not loaded.is_stand_in
    if card.kind == "medmnist":
        assert {split: len(part) for split, part in loaded.splits.items()} == card.counts
        for part in loaded.splits.values():
            check_split(part, card)
    elif card.kind == "decathlon":
        import nibabel as nib

        assert all(len(part) > 5 for part in loaded.splits.values())
        image, label = nib.load(loaded.test.images[0]), nib.load(loaded.test.labels[0])
        assert image.shape == label.shape and set(np.unique(label.dataobj)) <= {0, 1, 2}
    else:
        table = loaded.table
        assert loaded.train is None and table.groupby("site").size().to_dict() == card.counts
        assert list(table.columns) == [*heart.FEATURES, "target", "site"]
        assert table["target"].isin(range(5)).all() and table["ca"].isna().sum() > 500 and not table["age"].isna().any()
    assert name in repr(loaded) and "\n" not in repr(loaded) and "STAND-IN" not in loaded._repr_html_()


def test_real_data_load_by_medmnists_own_class(monkeypatch):
    for name in [n for n in PRESENT if n.endswith("mnist")][:1]:
        monkeypatch.setenv(manifest.VARIABLE, str(REAL))
        theirs, ours = data.official(name, "val"), data.load(name)
        assert np.array_equal(theirs.imgs, ours.val.images)
        assert len(theirs) == len(ours.val)


# ---------------------------------------------------------------- the format of MedMNIST


@pytest.mark.parametrize(("shape", "labels"), [((28, 28), 1), ((28, 28, 3), 1), ((28, 28, 28), 1), ((28, 28), 14)])
def test_medmnist_format(lay, shape, labels):
    lay(npz(shape, several_labels=labels))
    loaded = data.load("tiny", stand_in="never")
    assert loaded.train.images.shape == (6, *shape) and len(loaded.test) == 5
    assert loaded.val.labels.shape == ((4,) if labels == 1 else (4, 14)) and loaded.val.labels.dtype == np.int64
    assert loaded.train.patients is None


def objects() -> bytes:
    out = io.BytesIO()
    np.savez(out, train_images=np.array([{"a": 1}], dtype=object))
    return out.getvalue()


@pytest.mark.parametrize(
    "body", [b"", b"no zip at all", npz()[:2000], npz(val_labels=None), npz(test_labels=np.zeros((2, 1))), objects(), pickle.dumps([1])]
)
def test_corrupt_npz(lay, body):
    lay(body)
    error_of(data.load, "tiny", stand_in="never")


def test_npz_damaged_inside_a_compressed_member(lay):
    out = io.BytesIO()
    with np.load(io.BytesIO(npz())) as arrays:
        np.savez_compressed(out, **arrays)
    body = bytearray(out.getvalue())
    for at in range(200, 1200):
        body[at] ^= 0xA5
    lay(bytes(body))
    assert "no readable file" in error_of(data.load, "tiny", stand_in="never")


def test_larger_than_memory(lay, monkeypatch):
    def no_memory(*_, **__):
        raise MemoryError

    lay(npz())
    monkeypatch.setattr(np, "load", no_memory)
    assert "choose a smaller size" in error_of(data.load, "tiny", stand_in="never")


def test_evaluation_is_medmnists(lay):
    lay(npz())
    loaded = data.load("tiny")
    scores = np.where(loaded.test.labels == 1, 0.9, 0.1)
    assert loaded.evaluate(scores) == {"auc": 1.0, "acc": 1.0}
    assert loaded.evaluate(1 - scores) == {"auc": 0.0, "acc": 0.0}
    assert "3 scores were given for the 5 images" in error_of(loaded.evaluate, scores[:3])
    loaded.card = entry_card("decathlon")
    assert "use sklearn.metrics" in error_of(loaded.evaluate, scores)


def entry_card(kind: str) -> core.Card:
    return core.Card(name="other", **entry(kind))


# ---------------------------------------------------------------- what is asked wrongly


def test_bad_questions(empty):
    assert "choose one of 28, 64, 128, 224" in error_of(data.load, "breastmnist", size=32)
    assert "choose one of 28, 64" in error_of(data.load, "adrenalmnist3d", profile="ci", size=128)
    assert "one size only" in error_of(data.load, "hippocampus", size=64)
    assert "no profile 'fast'" in error_of(data.load, "breastmnist", profile="fast")
    assert "stand_in can't be" in error_of(data.load, "breastmnist", stand_in="maybe")
    assert "no option 'colour'" in error_of(data.load, "breastmnist", colour=True)
    assert "choose 1 or 2" in error_of(data.load, "mni152", resolution=3)
    assert "always takes the stand-in" in error_of(data.load, "breastmnist", profile="ci", stand_in="never")
    assert "has no stand-in" in error_of(data.load, "dermamnist", profile="ci")
    assert "has no file" in error_of(data.path, "simulated_survival")
    assert "no class there" in error_of(data.official, "hippocampus", "train")


def test_without_stand_in_the_reason_is_the_networks(empty, monkeypatch):
    monkeypatch.setattr("helpers.data.fetch.download", _no_network)
    assert "no network" in error_of(data.load, "dermamnist")


def _no_network(_):
    raise DataError("the file could not be fetched: no network")


# ---------------------------------------------------------------- stand-ins


@pytest.mark.parametrize("name", [n for n in simulate.STAND_INS if n != "hippocampus"])
def test_stand_in_has_the_form_of_the_real_set(name, capsys):
    loaded = data.load(name, profile="ci")
    assert loaded.is_stand_in and loaded.name == f"{name} (stand-in)"
    for part in loaded.splits.values():
        check_split(part, data.card(name))
        assert len(part.patients) == len(part)
    people = [set(part.patients) for part in loaded.splits.values()]
    assert not people[0] & people[1] and not people[0] & people[2] and not people[1] & people[2]
    line = capsys.readouterr().out.strip()
    assert line.startswith("*** STAND-IN") and name in line and "\n" not in line
    assert "simulated" in loaded.card.licence and loaded.card.classes == data.card(name).classes
    assert "STAND-IN" in loaded._repr_html_()


def test_stand_in_is_the_same_each_time_and_differs_by_seed():
    first, again, other = (data.load("breastmnist", profile="ci", seed=seed).train.images for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_stand_in_comes_in_the_sizes_of_the_real_set():
    check_split(data.load("breastmnist", profile="ci", size=64).val, data.card("breastmnist"), size=64)


def test_resampling_keeps_colour_and_two_values():
    assert stand_ins._resize(np.zeros((2, 28, 28, 3), np.uint8), 64).shape == (2, 64, 64, 3)
    shape = np.zeros((2, 28, 28, 28), np.uint8)
    shape[:, 9:19, 9:19, 9:19] = 255
    larger = stand_ins._resize(shape, 64)
    assert larger.shape == (2, 64, 64, 64) and set(np.unique(larger)) == {0, 255}
    assert np.isclose((larger > 0).mean(), (shape > 0).mean(), atol=0.01)


def test_laptop_falls_back_visibly(empty, monkeypatch, capsys):
    monkeypatch.setattr("helpers.data.fetch.download", _no_network)
    loaded = data.load("heart_disease", profile="laptop")
    assert loaded.is_stand_in and loaded.train is None
    assert list(loaded.table.columns) == [*heart.FEATURES, "target", "site"] and set(loaded.table["site"]) == set(heart.SITES.values())
    assert "STAND-IN: heart_disease" in (out := capsys.readouterr().out) and "no network" in out


def test_in_a_notebook_a_stand_in_is_a_bold_box(monkeypatch):
    import IPython
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: type("Shell", (), {"kernel": True})())
    monkeypatch.setattr(IPython.display, "display", lambda bundle, raw: shown.append(bundle))
    core.announce_stand_in("breastmnist", "Reason: <no> network.")
    assert "font-weight:bold" in shown[0]["text/html"] and "&lt;no&gt;" in shown[0]["text/html"]
    assert "STAND-IN" in shown[0]["text/plain"]


def volumes(count: int = 3) -> dict:
    images = [np.full((4, 5, 3), i, np.float32) for i in range(count)]
    labels = [np.ones((4, 5, 3), np.uint8)] * count
    return {split: (images, labels, np.array([f"{split}{i}" for i in range(count)])) for split in ("train", "val", "test")}


def test_hippocampus_stand_in_is_files_too(tmp_path, monkeypatch):
    import nibabel as nib

    monkeypatch.setattr(simulate, "stand_in", lambda name, seed: volumes())
    loaded = data.load("hippocampus", profile="ci")
    assert loaded.is_stand_in and loaded.test.patients.tolist() == ["test0", "test1", "test2"]
    assert nib.load(loaded.val.images[2]).get_fdata().max() == 2 and loaded.val.images[2].is_relative_to(tmp_path / "cache")
    assert data.load("hippocampus", profile="ci").val.images == loaded.val.images
    assert [p.name for p in (tmp_path / "cache" / "stand_ins").iterdir()] == [loaded.paths[0].name]  # nothing half-written


def test_hippocampus_stand_in_when_the_cache_is_unwritable_or_full(tmp_path, monkeypatch):
    monkeypatch.setattr(simulate, "stand_in", lambda name, seed: volumes(1))
    monkeypatch.setattr(stand_ins.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    (tmp_path / "cache").write_text("a file where the folder should be")
    folder = data.load("hippocampus", profile="ci").paths[0]
    assert folder.is_dir() and folder.is_relative_to(tmp_path / "temporary")
    (tmp_path / "cache").unlink()
    monkeypatch.setattr(simulate, "stand_in", lambda name, seed: volumes(2))

    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("nibabel.save", full)
    with pytest.raises(DataError, match="is full"):
        data.load("hippocampus", profile="ci")
    assert not list((tmp_path / "cache").rglob("*.nii.gz")) and len(list((tmp_path / "temporary" / "dlmia-stand-ins").iterdir())) == 1


@pytest.mark.parametrize("name", [c.name for c in manifest.cards().values() if c.kind == "simulated"])
def test_simulated_sets_are_what_they_say(name, capsys):
    loaded = data.load(name, profile="ci")
    assert not loaded.is_stand_in and capsys.readouterr().out == ""
    assert loaded.table is not None or loaded.image is not None


# ---------------------------------------------------------------- hippocampus and heart, by tiny files of their formats


def test_hippocampus_split_is_stable_when_cases_appear(empty):
    def load(n):
        for name, body in hippocampus_files(n).items():
            (empty / name).parent.mkdir(parents=True, exist_ok=True)
            (empty / name).write_bytes(body)
        return data.load("hippocampus", stand_in="never")

    few, many = load(40), load(120)
    for split in ("train", "val", "test"):
        assert set(getattr(few, split).patients) <= set(getattr(many, split).patients)
    assert sum(map(len, many.splits.values())) == 120
    shares = np.array([len(part) for part in many.splits.values()]) / 120
    assert np.allclose(shares, [0.7, 0.1, 0.2], atol=0.1)
    assert all(i.name == l.name and i.parent.name == "imagesTr" for i, l in zip(many.test.images, many.test.labels, strict=True))
    assert decathlon.verify(data.card("hippocampus")) == ""
    many.test.labels[0].write_bytes(b"damaged")
    assert "can't be read" in decathlon.verify(data.card("hippocampus"))


def test_heart_file_format(tmp_path):
    path = tmp_path / "processed.va.data"
    path.write_text("63,1,4,140,260,0,1,112,1,3,2,?,?,2\n44,1,4,-9,209,0,1,127,0,0,?,?,?,0\n")
    table = heart.read(path)
    assert table["target"].tolist() == [2, 0] and table["ca"].isna().all() and table["age"].dtype == float
    for bad in ("63,1,4\n", "", "a,b,c,d,e,f,g,h,i,j,k,l,m,n\n"):
        path.write_text(bad)
        assert "heart disease format" in error_of(heart.read, path)


# ---------------------------------------------------------------- cards


def test_card_by_attribute_and_by_key():
    card = data.card("breastmnist")
    assert card.licence == card["licence"] == card.get("licence") and card.get("nothing", 3) == 3
    with pytest.raises(KeyError):
        card["nothing"]
    html = data.load("heart_disease", profile="ci").card._repr_html_() + card._repr_html_()
    assert "CC BY 4.0" in html and "Consent" in html and "Split" in html


def test_split_of_unequal_lengths():
    assert "unequal numbers" in error_of(Split, np.zeros((3, 2, 2)), np.zeros(2))
