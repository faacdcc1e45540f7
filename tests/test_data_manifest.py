"""The manifest says what the publishers say, every lecture's data are in it, and a broken manifest is refused in one sentence."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from medmnist import INFO

from grading.sources import tracks
from helpers import data, simulate
from helpers.data import manifest
from helpers.data.core import DataError
from tests.data_fixtures import entry, is_one_sentence, write_manifest

ROOT = Path(__file__).resolve().parents[1]
LECTURES = sorted(path.stem for path in (ROOT / "solutions").glob("[0-9][0-9]_*.py"))


def test_all_of_medmnist_is_there():
    assert {card.name for card in manifest.cards().values() if card.kind == "medmnist"} == set(INFO)


@pytest.mark.parametrize("name", INFO)
def test_medmnist_entry_is_what_medmnist_states(name):
    card, info = data.card(name), INFO[name]
    assert card.title == info["python_class"]
    assert card.task == info["task"]
    assert card.licence == info["license"]
    assert card.counts == info["n_samples"]
    assert {str(key): meaning for key, meaning in card.classes.items()} == info["label"]
    colour = (3,) if info["n_channels"] == 3 else ()
    assert card.shape == ((28, 28, 28) if name.endswith("3d") else (28, 28, *colour))
    assert card.sizes == ((28, 64) if name.endswith("3d") else (28, 64, 128, 224))
    for file in card.files:
        flag = "" if file.size == 28 else f"_{file.size}"
        assert file.path == f"medmnist/{name}{flag}.npz"
        assert file.checksum == f"md5:{info[f'MD5{flag}']}"
        assert file.addresses[0] == info[f"url{flag}"]
        assert len(file.addresses) > 1, "one address is no fallback"


def test_hippocampus_is_what_monai_states():
    import ast
    import importlib.util

    source = Path(importlib.util.find_spec("monai").origin).parent / "apps" / "datasets.py"  # importing monai takes ten seconds
    tree = ast.parse(source.read_text(encoding="utf-8"))
    stated = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and node.targets[0].id in ("resource", "md5"):
            value = ast.literal_eval(node.value)
            stated[node.targets[0].id] = value.get("Task04_Hippocampus", stated.get(node.targets[0].id))
    file = data.card("hippocampus").files[0]
    assert file.addresses[0] == stated["resource"]
    assert file.checksum == f"md5:{stated['md5']}"


def test_every_card_is_complete():
    for card in manifest.cards().values():
        assert card.consent and card.split and card.source and card.licence and card.citation, card.name
        assert card.kind not in ("medmnist", "decathlon", "heart") or card.files, card.name
        assert set(card.lectures) <= {*_syllabus(), *tracks()}, card.name


def test_addresses_are_encrypted_and_paths_are_unique():
    files = [file for card in manifest.cards().values() for file in card.files]
    assert len({file.path for file in files}) == len(files)
    for file in files:
        assert all(urlsplit(address).scheme == "https" for address in file.addresses), file.path
        assert re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", file.checksum), file.path


def test_stand_ins_that_are_promised_exist():
    promised = {c.name for c in manifest.cards().values() if c.stand_in == "simulate" and c.kind in ("medmnist", "decathlon")}
    assert promised == set(simulate.STAND_INS)
    for name in promised & set(INFO):
        assert len(simulate.CLASSES[name]) == len(data.card(name).classes)


def test_the_manifest_is_the_only_place_of_addresses():
    hosts = {urlsplit(a).netloc for card in manifest.cards().values() for file in card.files for a in file.addresses}
    for path in [*ROOT.glob("helpers/**/*.py"), *ROOT.glob("solutions/*.py")]:
        text = path.read_text(encoding="utf-8")
        named = [host for host in hosts - {"huggingface.co"} if f"{host}/" in text]
        assert not named, f"{path.name} names an address of {named}: it belongs in the manifest"


@pytest.mark.parametrize("lecture", LECTURES)
def test_the_manifest_names_the_lectures_that_use_a_set(lecture):
    text = (ROOT / "solutions" / f"{lecture}.py").read_text(encoding="utf-8")
    used = set(re.findall(r"""\bdata\.(?:load|path|official)\(\s*["']([a-z0-9_]+)["']""", text))
    unlisted = [name for name in sorted(used) if lecture not in data.card(name).lectures]
    assert not unlisted, f"data_manifest.yaml: add {lecture} to the lectures of {', '.join(unlisted)}"


def _syllabus() -> list[str]:
    import yaml

    return list(yaml.safe_load((ROOT / "grading" / "syllabus.yaml").read_text(encoding="utf-8"))["lectures"])


# ---------------------------------------------------------------- names and bad manifests


@pytest.mark.parametrize("asked", ["brestmnist", "BreastMNIST", "breast-mnist", "breastmnist2"])
def test_unknown_name_offers_the_nearest(asked):
    meant = "breastmnist"
    with pytest.raises(DataError) as caught:
        data.load(asked)
    assert f"did you mean {meant!r}" in str(caught.value) and is_one_sentence(str(caught.value))


def test_unknown_name_like_nothing():
    with pytest.raises(DataError, match=r"helpers\.data list"):
        data.card("zzz")


FILE = {"path": "a/b.npz", "addresses": ["https://example.org/b.npz"], "md5": "0" * 32}


@pytest.mark.parametrize(
    ("bad", "phrase"),
    [
        ({**entry(), "licence": ""}, "lacks licence"),
        (entry(licens="CC0"), "unknown field licens"),
        (entry("film"), "unknown kind film"),
        (entry(files=[{**FILE, "path": "../b.npz"}]), "relative path"),
        (entry(files=[{**FILE, "path": "/b.npz"}]), "relative path"),
        (entry(files=[{**FILE, "md5": None}]), "md5 or sha256"),
        (entry(files=[{**FILE, "addresses": []}]), "an address"),
    ],
)
def test_bad_entry(tmp_path, bad, phrase):
    with pytest.raises(DataError) as caught:
        manifest.read_manifest(write_manifest(tmp_path / "data_manifest.yaml", tiny=bad))
    assert phrase in str(caught.value) and is_one_sentence(str(caught.value))


@pytest.mark.parametrize("text", ["", "[", "- a list", "sets: 3"])
def test_manifest_that_is_none(tmp_path, text):
    (tmp_path / "data_manifest.yaml").write_text(text)
    with pytest.raises(DataError, match="can't be read"):
        manifest.read_manifest(tmp_path / "data_manifest.yaml")


def test_manifest_is_found_in_a_wheel_too(tmp_path, monkeypatch):
    module = tmp_path / "helpers" / "data" / "manifest.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(manifest, "__file__", str(module))
    with pytest.raises(DataError, match="data_manifest.yaml is missing"):
        manifest.manifest_path()
    for place in (tmp_path / "data_manifest.yaml", tmp_path / "helpers" / "data_manifest.yaml"):  # a checkout; then a wheel, which wins
        place.write_text("sets: {}")
        assert manifest.manifest_path() == place


def test_places_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv(manifest.VARIABLE, str(tmp_path))
    assert manifest.places() == [tmp_path, manifest.cache_folder()]
    monkeypatch.setenv(manifest.VARIABLE, " ")
    assert manifest.places() == [manifest.cache_folder()]
    assert "dlmia" in str(manifest.cache_folder())
