"""The thin package that the notebooks import: start of a run, data, plots, training loop, results, simulated images.

What a lecture teaches stands in the lecture; only what would distract from it lives here. Sub-modules load when they are first used.
"""

from typing import Any

__all__ = ["Run", "complete", "seed_everything", "start"]


def __getattr__(name: str) -> Any:
    """Names of `helpers.run`, which wants torch, when they are first used: `python -m helpers doctor` works without."""
    if name == "complete":
        from helpers import missing

        return missing.complete
    if name in __all__:
        from helpers import run

        return getattr(run, name)
    raise AttributeError(f"module 'helpers' has no attribute {name!r}")
