"""Plots and viewers: every figure leaves through here, so that each has alt text and colours that everybody can tell apart."""

from helpers.show.figures import PALETTE, SEQUENTIAL, curves, figure, outline, row
from helpers.show.interactive import explore, slices

__all__ = ["PALETTE", "SEQUENTIAL", "curves", "explore", "figure", "outline", "row", "slices"]
