"""Interactive figures: one static default picture, which is all that CI, PDF and GitHub see, redrawn in place when a control moves."""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.figure import Figure

from helpers.show.figures import outline, picture

_PLANES = {"axial": 2, "coronal": 1, "sagittal": 0}


def control(value: Any, name: str) -> widgets.Widget:
    """A labelled widget for a value: a widget is itself, (low, high) or (low, high, step) a slider, a list a drop-down, True or False a check box.

    Raises:
        TypeError: there is no control for such a value.
    """
    label = {"description": name.replace("_", " "), "style": {"description_width": "initial"}}
    if isinstance(value, widgets.Widget):
        value.description = value.description or label["description"]
        if not value.style.description_width:  # by default long names are cut
            value.style.description_width = "initial"
        return value
    if isinstance(value, bool):
        return widgets.Checkbox(value=value, **label)
    if isinstance(value, tuple) and len(value) in (2, 3):
        whole = all(isinstance(number, (int, np.integer)) for number in value)
        low, high = value[:2]
        step = value[2] if len(value) == 3 else (1 if whole else (high - low) / 50)
        middle = low + step * round((high - low) / 2 / step)
        kind = widgets.IntSlider if whole else widgets.FloatSlider
        return kind(value=middle, min=low, max=high, step=step, continuous_update=False, **label)
    if isinstance(value, list) and value:
        return widgets.Dropdown(options=value, value=value[0], **label)
    raise TypeError(f"no control for {name}={value!r}: give a widget, (low, high[, step]), a list, or True or False")


def explore(draw: Callable[..., Figure], alt: str = "", **controls: Any) -> None:
    """Show a figure and controls that redraw it in place.

    Args:
        draw: called as `draw(name=value, ...)`; returns a matplotlib figure.
        alt: what the figure shows, in a sentence.
        controls: name -> ipywidgets control, (low, high[, step]) for a slider that begins in the middle, a list for a drop-down
            that begins at its first entry, or True or False for a check box.
    """
    made = {name: control(value, name) for name, value in controls.items()}

    def values() -> dict[str, Any]:
        return {name: widget.value for name, widget in made.items()}

    handle = display(picture(draw(**values()), alt), display_id=True)

    def redraw(_change: dict) -> None:
        handle.update(picture(draw(**values()), alt))

    for widget in made.values():
        widget.observe(redraw, names="value")
    display(widgets.HBox(list(made.values()), layout=widgets.Layout(flex_flow="row wrap")))


def slices(
    volume: Any,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    overlay: Any = None,
    window: tuple[float, float] | None = None,
    alt: str = "",
) -> None:
    """Look through a volume slice by slice, in three planes, with true proportions.

    Args:
        volume: (X, Y, Z) in RAS: indices grow to the patient's right, front and head. The patient's right is drawn on the left, as
            radiologists look.
        spacing: size of a voxel along X, Y and Z, in mm.
        overlay: mask (X, Y, Z), boolean or labels, drawn as outlines; None for none.
        window: lowest and highest intensity shown; None takes the 1st and 99.5th percentile.
        alt: what the volume shows, in a sentence.

    Raises:
        ValueError: the volume is not 3-D, or the overlay has another shape.
    """
    volume = np.asarray(volume)
    if volume.ndim != 3:
        raise ValueError(f"a volume has three axes, this has shape {volume.shape}")
    if overlay is not None and np.shape(overlay) != volume.shape:
        raise ValueError(f"the overlay has shape {np.shape(overlay)}, the volume {volume.shape}")
    low, high = window or np.percentile(volume, [1, 99.5])
    overlay = None if overlay is None else np.asarray(overlay)

    def draw(plane: str, number: int) -> Figure:
        axis = _PLANES[plane]
        index = number - 1
        across, up = [other for other in range(3) if other != axis]
        fig, ax = plt.subplots(figsize=(5, 5), layout="constrained")
        ax.imshow(volume.take(index, axis).T, origin="lower", vmin=low, vmax=high, aspect=spacing[up] / spacing[across])
        if overlay is not None:
            outline(ax, overlay.take(index, axis).T)
        if axis != 0:
            ax.invert_xaxis()  # the patient's right on the left of the picture
        ax.set_title(f"{plane} slice {index + 1} of {volume.shape[axis]}, {index * spacing[axis]:.0f} mm", fontsize=10)
        ax.set_axis_off()
        return fig

    plane = widgets.Dropdown(options=list(_PLANES), description="plane")
    deep = volume.shape[_PLANES[plane.value]]
    number = widgets.IntSlider(value=deep // 2 + 1, min=1, max=deep, description="slice", continuous_update=False)

    def fit(change: dict) -> None:
        """Another plane has another number of slices: as far through the volume as before."""
        share = number.value / number.max
        with number.hold_trait_notifications():
            number.max = volume.shape[_PLANES[change["new"]]]
            number.value = max(round(share * number.max), 1)

    plane.observe(fit, names="value")
    explore(draw, alt=alt, plane=plane, number=number)
