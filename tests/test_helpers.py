"""The core of helpers: start of a run, training loop, figures with alt text, interactive views, recorded results."""

import subprocess
import sys
from itertools import combinations

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from skimage.color import deltaE_ciede2000, rgb2lab
from torch import nn

import helpers
from helpers import results, show, train
from tests.eyes import DEFICIENCIES, seen


@pytest.fixture
def shown(monkeypatch):
    """What would have been displayed, in order."""
    things = []

    class Handle:
        def update(self, thing):
            things.append(thing)

    def display(thing, display_id=None, **_):
        things.append(thing)
        return Handle() if display_id else None

    monkeypatch.setattr("helpers.show.figures.display", display)
    monkeypatch.setattr("helpers.show.interactive.display", display)
    return things


def test_start_seeds_every_generator(capsys):
    helpers.start("01_course_overview", "ci", 3)
    first = np.random.rand(), torch.rand(1).item()  # noqa: NPY002 - the global generator is what is tested
    helpers.start("01_course_overview", "ci", 3)
    assert first == (np.random.rand(), torch.rand(1).item())  # noqa: NPY002
    assert capsys.readouterr().out.count("\n") == 2  # one line each


def test_start_refuses_an_unknown_profile():
    with pytest.raises(ValueError, match="'ci', 'laptop', 'gpu'"):
        helpers.start("01_course_overview", "desktop")


def test_pick_follows_the_profile():
    assert helpers.start("x", "ci").pick(ci=1, laptop=2, gpu=3) == 1
    assert helpers.start("x", "laptop").pick(ci=1, laptop=2, gpu=3) == 2
    assert helpers.start("x", "gpu").pick(ci=1, laptop=2) == 2


def test_helpers_do_not_drag_in_the_slow_libraries_or_grading():
    code = "import sys, helpers; from helpers import data, results, show, simulate, train; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"monai", "torchvision", "medmnist", "nilearn", "skimage", "sklearn", "grading", "SimpleITK"} & set(loaded)


def blobs(seed=0):
    """Two classes that one line parts: x (64, 2), y (64,)."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(64) % 2
    return torch.randn(64, 2, generator=generator) + 4.0 * y[:, None], y


def test_fit_learns_and_keeps_the_best_checkpoint():
    torch.manual_seed(0)
    x, y = blobs()
    model, scores = nn.Linear(2, 2), iter([0.2, 0.9, 0.5])
    kept = []

    def evaluate(_model):
        kept.append(_model.weight.detach().clone())
        return next(scores)

    history = train.fit(model, [(x, y)] * 10, nn.functional.cross_entropy, evaluate, epochs=3, lr=0.1, device=torch.device("cpu"))
    assert history.loss[-1] < history.loss[0]
    assert history.best_epoch == 1 and history.best_score == 0.9
    assert torch.equal(model.weight, kept[1]) and not model.training


def test_fit_stops_early():
    x, y = blobs()
    scores = iter([0.9, 0.1, 0.1, 0.1, 0.1])
    cpu, loss = torch.device("cpu"), nn.functional.cross_entropy
    history = train.fit(nn.Linear(2, 2), [(x, y)], loss, lambda _: next(scores), epochs=5, lr=0.1, device=cpu, patience=2)
    assert len(history.score) == 3


def test_fit_says_what_to_do_when_the_loss_explodes():
    with pytest.raises(FloatingPointError, match="learning rate"):
        train.fit(
            nn.Linear(2, 2), [blobs()], lambda out, _: out.sum() * float("nan"), lambda _: 0.0, epochs=1, lr=0.1, device=torch.device("cpu")
        )


def test_fit_leaves_frozen_weights_alone():
    x, y = blobs()
    model = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    train.fit(model, [(x, y)] * 5, nn.functional.cross_entropy, lambda _: 0.0, epochs=2, lr=0.1, device=torch.device("cpu"))
    assert torch.equal(before, model[0].weight)


def test_every_figure_carries_alt_text_and_is_closed(shown):
    others = plt.get_fignums()  # of whoever ran before
    show.row([np.eye(8), torch.eye(8)], titles=["a", "b"], overlay=[None, np.eye(8) > 0], alt="Two diagonals")
    show.curves({"train": [3, 2, 1], "val": ([0, 2], [3.0, 1.0])}, alt="Two falling lines")
    assert [image.alt for image in shown] == ["Two diagonals", "Two falling lines"]
    assert plt.get_fignums() == others


def test_a_figure_without_alt_text_is_refused():
    with pytest.raises(ValueError, match="alt"):
        show.row([np.eye(8)])


def test_row_counts_its_titles():
    with pytest.raises(ValueError, match="1 images, but 2 titles"):
        show.row([np.eye(8)], titles=["a", "b"], alt="x")


def test_explore_shows_the_default_and_redraws_in_place(shown):
    drawn = []

    def draw(level, kind):
        drawn.append((level, kind))
        return plt.figure()

    show.explore(draw, alt="A level", level=(0, 10), kind=["a", "b"])
    image, box = shown
    assert drawn == [(5, "a")] and image.alt == "A level"
    box.children[0].value = 7
    assert drawn[-1] == (7, "a") and len(shown) == 3


def test_every_control_has_a_whole_label(shown):
    sliders = {"wide_name": ipywidgets.IntSlider(), "other": ipywidgets.IntSlider(description="a name of its own")}
    show.explore(lambda **_: plt.figure(), alt="A figure", **sliders)
    assert [child.description for child in shown[1].children] == ["wide name", "a name of its own"]
    assert {child.style.description_width for child in shown[1].children} == {"initial"}


@pytest.mark.parametrize("eyes", DEFICIENCIES)
def test_palette_and_colour_map_keep_apart_for_colour_blind_readers(eyes):
    colours = rgb2lab(seen(np.array([to_rgb(colour) for colour in show.PALETTE]), eyes))
    assert min(deltaE_ciede2000(one, other) for one, other in combinations(colours, 2)) > 10  # 1 is just visible
    lightness = rgb2lab(seen(colormaps[show.SEQUENTIAL](np.linspace(0, 1, 11))[:, :3], eyes))[:, 0]
    assert (np.diff(lightness) > 2).all()


def test_slices_draws_each_plane(shown):
    volume = np.random.default_rng(0).random((6, 7, 8))
    show.slices(volume, spacing=(1, 1, 3), overlay=volume > 0.9, alt="Noise")
    plane, number = shown[1].children
    seen = []
    for value in ("coronal", "sagittal", "axial"):
        plane.value = value
        seen.append((number.value, number.max))
    assert seen == [(4, 7), (3, 6), (4, 8)], "as far through the volume in every plane"
    number.value = number.max
    with pytest.raises(ValueError, match="three axes"):
        show.slices(volume[0], alt="flat")
    with pytest.raises(ValueError, match="overlay"):
        show.slices(volume, overlay=volume[1:], alt="Noise")


def test_results_are_kept_replaced_and_tabled(tmp_path, monkeypatch):
    monkeypatch.setenv("DLMIA_RESULTS", str(tmp_path))
    results.record("04_x", "ci", "AUC", 0.8, low=0.7, high=0.9, baseline=0.5, baseline_name="chance")
    results.record("04_x", "ci", "AUC", 0.85, low=0.7, high=0.9, baseline=0.5, baseline_name="chance")
    results.record("04_x", "ci", "time", 3, unit="s")
    table = results.table("04_x", "ci")
    assert list(table.index) == ["AUC", "time"]
    assert table.loc["AUC", "measured"] == "0.850 [0.700, 0.900]" and table.loc["AUC", "to compare"] == "0.500 (chance)"
    assert list(results.load()) == [("04_x", "ci")]


@pytest.mark.parametrize("wrong", [{"value": float("nan")}, {"value": 0.9, "low": 0.1, "high": 0.5}])
def test_results_refuse_what_is_no_measurement(tmp_path, monkeypatch, wrong):
    monkeypatch.setenv("DLMIA_RESULTS", str(tmp_path))
    with pytest.raises(ValueError, match="AUC"):
        results.record("04_x", "ci", "AUC", **wrong)
    assert not list(tmp_path.iterdir())


def test_results_that_cannot_be_kept_do_not_stop_a_lecture(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DLMIA_RESULTS", str(tmp_path / "file" / "folder"))
    results.record("04_x", "ci", "AUC", 0.8)
    assert "DLMIA_RESULTS" in capsys.readouterr().out


def test_a_picture_tells_its_alt_text_to_every_front_end():
    from helpers.show.figures import picture

    data, metadata = picture(plt.figure(), 'A "quoted" <shape>')._repr_mimebundle_()
    assert 'alt="A &quot;quoted&quot; &lt;shape&gt;"' in data["text/html"] and "base64," in data["text/html"]
    assert data["image/png"] and metadata["image/png"]["alt"] == 'A "quoted" <shape>'


def test_checks_speak():
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    from helpers import speak

    shell = InteractiveShell()
    said = []
    shell._showtraceback = lambda kind, problem, lines: said.append("\n".join(lines))
    shell.events.register("post_run_cell", speak._praise)
    shell.set_custom_exc(speak._HEARD, speak._explain)
    with capture_output() as out:
        shell.run_cell('# The value\nassert 1 + 1 == 2, "add them"')
        shell.run_cell("# a remark\nx = 1")
    assert out.stdout.count("The value") == 1 and "remark" not in out.stdout
    shell.run_cell('# The value\nassert 1 + 1 == 3, "add them"')
    shell.run_cell('def f():\n    raise NotImplementedError("Exercise 1.1a: write f")\nf()')
    shell.run_cell("1 / 0")
    assert said[0].endswith("add them") and "Traceback" not in said[0]
    assert "Exercise 1.1a" in said[1] and "ZeroDivisionError" in said[2]
    with capture_output() as out:
        shell.run_cell('# The value\nassert float((lambda: None)()) == 3, "add them"')
        shell.run_cell("x = float(None)")
        shell.run_cell('# The value\nassert float([]) == 3, "add them"')
    assert out.stdout.count("end with return") == 1 and all("TypeError" in text for text in said[3:6])
