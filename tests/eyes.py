"""Figures as other eyes see them: `python -m tests.eyes 02 14` lays out every figure of a recorded run in results/eyes/, as it is and through other eyes.

Colour vision: Machado, Oliveira and Fernandes (2009), "A physiologically-based model for simulation of color vision deficiency", at full severity.
"""

import argparse
from base64 import b64decode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import nbformat
import numpy as np
from matplotlib.image import imread, imsave

from grading.sources import ROOT, RUNS, lectures, source_path

OUT = ROOT / "results" / "eyes"
DEFICIENCIES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
GREY = [[0.2126, 0.7152, 0.0722]] * 3  # luminance, as a printer makes it


def seen(rgb: np.ndarray, eyes: str) -> np.ndarray:
    """Colours (..., 3) in 0..1, sRGB, as eyes without one kind of cone see them, or as "greyscale" prints them."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    mixed = np.clip(linear @ np.array(GREY if eyes == "greyscale" else DEFICIENCIES[eyes]).T, 0, 1)
    return np.where(mixed <= 0.0031308, 12.92 * mixed, 1.055 * mixed ** (1 / 2.4) - 0.055)


def figures(notebook: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Each picture of an executed notebook, with the id of its cell and its number there: (H, W, 3), 0..1."""
    for cell in nbformat.read(notebook, as_version=4).cells:
        pictures = [output.data["image/png"] for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
        for number, png in enumerate(pictures, 1):
            yield f"{cell.id}_{number}", imread(BytesIO(b64decode(png)), format="png")[..., :3]


def sheet(picture: np.ndarray) -> np.ndarray:
    """A picture, with its greyscale and its deuteranopic view below it."""
    return np.concatenate([picture, seen(picture, "greyscale"), seen(picture, "deuteranopia")])


def main() -> None:
    """Write a sheet for each figure of the lectures asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lecture", nargs="*", help="names or numbers; all of them by default")
    parser.add_argument("--profile", default="ci", choices=("ci", "laptop", "gpu"))
    asked = parser.parse_args()
    for lecture in [source_path(name).stem for name in asked.lecture] or lectures():
        notebook = RUNS / f"{lecture}.{asked.profile}.ipynb"
        if not notebook.is_file():
            parser.error(f"no run of {lecture} in profile {asked.profile} is there: `python -m grading run {lecture[:2]} --profile {asked.profile}`")
        folder = OUT / lecture
        folder.mkdir(parents=True, exist_ok=True)
        number = 0
        for number, (name, picture) in enumerate(figures(notebook), 1):
            imsave(folder / f"{number:02d}_{name}.png", np.clip(sheet(picture), 0, 1))
        print(f"{lecture}: {number} figures in {folder}")


if __name__ == "__main__":
    main()
