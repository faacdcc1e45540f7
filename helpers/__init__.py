"""The thin package that the notebooks import: start of a run, data, plots, training loop, results, simulated images.

What a lecture teaches stands in the lecture; only what would distract from it lives here. Sub-modules load when they are first used.
"""

from helpers.run import Run, seed_everything, start

__all__ = ["Run", "seed_everything", "start"]
