"""Static figures: images side by side, labelled curves, and the one way in which a figure is displayed. Nothing interactive."""

from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

# Okabe and Ito's palette: distinct for readers with every common colour vision. In greyscale several are alike: there dashes, marks and labels tell.
PALETTE = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000"]
SEQUENTIAL = "cividis"
_DASHES = ["-", "--", "-.", ":"]  # lines differ in more than colour

plt.rcParams.update(
    {
        "axes.prop_cycle": plt.cycler(color=PALETTE),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "figure.dpi": 110,
        "figure.facecolor": "white",
        "image.cmap": "gray",
        "image.interpolation": "nearest",
        "legend.frameon": False,
    }
)


class Picture(Image):
    """A PNG whose alt text every front end gets: JupyterLab reads it from HTML, converters from the metadata."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(include, exclude)
        source = f"data:image/png;base64,{data['image/png'].strip()}"
        data["text/html"] = f'<img src="{source}" width="{self.width}" alt="{escape(self.alt, quote=True)}">'
        return data, metadata


def picture(fig: Figure, alt: str) -> Picture:
    """A figure as a PNG that carries its alt text; the figure is closed.

    Raises:
        ValueError: the alt text is empty.
    """
    if not alt.strip():
        raise ValueError("say in alt=... what the figure shows, for readers who can't see it")
    buffer = BytesIO()
    fig.savefig(buffer, format="png", bbox_inches="tight")
    width = int.from_bytes(buffer.getvalue()[16:20], "big")  # stands in a PNG's header
    plt.close(fig)
    return Picture(buffer.getvalue(), alt=alt, width=min(width, 1100))


def figure(fig: Figure, alt: str) -> None:
    """Display a figure with its alt text, then close it.

    Args:
        fig: any matplotlib figure.
        alt: what it shows, in a sentence, for readers who can't see it.
    """
    display(picture(fig, alt))


def outline(ax: Axes, mask: np.ndarray, color: str | None = None, linestyle: str = "-") -> None:
    """Draw the borders of a mask, one colour a label.

    Args:
        ax: where an image of the same shape is shown.
        mask: (H, W), boolean or integer labels with 0 as background.
        color: one colour for all labels; None takes the palette's, from orange on.
        linestyle: "-", "--", "-." or ":", so that two outlines differ in more than colour.
    """
    mask = np.asarray(mask)
    for number, label in enumerate(value for value in np.unique(mask) if value != 0):
        region = mask == label
        if region.any() and not region.all():
            border = ax.contour(region, levels=[0.5], colors=[color or PALETTE[1 + number % 6]], linestyles=linestyle, linewidths=1.4)
            border.set_path_effects([withStroke(linewidth=2.4, foreground="black")])  # seen on every grey, and without colour


def row(
    images: Sequence[Any],
    titles: Sequence[str] | None = None,
    window: tuple[float, float] | None = None,
    cmap: str = "gray",
    alt: str = "",
    overlay: Sequence[Any] | None = None,
    height: float = 3.0,
) -> None:
    """Show images side by side.

    Args:
        images: each (H, W), or (H, W, 3) for colour; arrays or tensors.
        titles: one for each image, or None.
        window: lowest and highest intensity shown, the same for all; None scales each image by itself.
        cmap: colour map of the (H, W) images.
        alt: what the figure shows, in a sentence.
        overlay: for each image a mask (H, W) drawn as outlines, or None.
        height: of each image in inches.

    Raises:
        ValueError: no image, empty alt text, or titles or overlays that don't match the images in number.
    """
    images = [np.asarray(image.detach().cpu() if hasattr(image, "detach") else image) for image in images]
    if not images:
        raise ValueError("there is no image to show")
    for name, other in (("titles", titles), ("overlay", overlay)):
        if other is not None and len(other) != len(images):
            raise ValueError(f"{len(images)} images, but {len(other)} {name}")
    ratios = [image.shape[1] / image.shape[0] for image in images]
    lines = max((title.count("\n") + 1.5 for title in titles), default=0) if titles else 0
    above = 0.2 * lines  # inches for the titles, so that images keep their height
    size = (height * sum(ratios) + 0.2 * len(images), height + above)
    fig, axes = plt.subplots(1, len(images), figsize=size, width_ratios=ratios, squeeze=False, layout="constrained")
    low, high = window or (None, None)
    for number, (ax, image) in enumerate(zip(axes[0], images, strict=True)):
        ax.imshow(image, cmap=cmap, vmin=low, vmax=high)
        ax.set_axis_off()
        if titles is not None:
            ax.set_title(titles[number], fontsize=10)
        if overlay is not None and overlay[number] is not None:
            outline(ax, overlay[number])
    figure(fig, alt)


def curves(
    lines: Mapping[str, Sequence[float] | tuple[Sequence[float], Sequence[float]]],
    xlabel: str = "",
    ylabel: str = "",
    alt: str = "",
    title: str = "",
) -> None:
    """Draw lines, each labelled at its end instead of in a legend.

    Args:
        lines: name -> values, or name -> (x values, y values).
        xlabel, ylabel: names of the axes, with units.
        alt: what the figure shows, in a sentence.
        title: above the figure.
    """
    fig, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
    ends = []
    for number, (name, values) in enumerate(lines.items()):
        x, y = values if isinstance(values, tuple) else (np.arange(len(values)), values)
        ax.plot(x, y, color=PALETTE[number % 8], linestyle=_DASHES[number % 4], linewidth=2)
        ends.append((float(y[-1]), float(x[-1]), name, PALETTE[number % 8]))
    low, high = ax.get_ylim()
    gap, last = 0.06 * (high - low), -np.inf
    for y, x, name, color in sorted(ends):  # labels that would overlap move apart
        last = max(y, last + gap)
        ax.annotate(name, (x, last), xytext=(6, 0), textcoords="offset points", color=color, va="center", annotation_clip=False)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    figure(fig, alt)
