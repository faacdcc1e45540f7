"""Where a released notebook opens: Colab, Kaggle, Binder, VS Code. All addresses are made from the repository's, which stands in pyproject.toml."""

from urllib.parse import quote

from grading.sources import repository

COLAB = "https://colab.research.google.com"
KAGGLE = "https://kaggle.com"
BINDER = "https://mybinder.org"
SHIELD = "https://img.shields.io/badge/VS%20Code-clone-blue"


def colab(name: str, text: str = "Open in Colab") -> str:
    """A badge that opens a notebook in Colab; '' if the repository is not where Colab can read it."""
    place = _place()
    return f"[![{text}]({COLAB}/assets/colab-badge.svg)]({COLAB}/github/{place}/blob/main/notebooks/{name}.ipynb)" if place else ""


def kaggle(name: str, text: str = "Open in Kaggle") -> str:
    """A badge that copies a notebook into Kaggle; its Internet must be switched on there."""
    if not _place():
        return ""
    source = f"{repository()}/blob/main/notebooks/{name}.ipynb"
    return f"[![{text}]({KAGGLE}/static/images/open-in-kaggle.svg)]({KAGGLE}/kernels/welcome?src={source})"


def binder(name: str, text: str = "Open in Binder") -> str:
    """A badge that starts a notebook on Binder, which builds environment.yml and clones the repository."""
    place = _place()
    path = quote(f"notebooks/{name}.ipynb", safe="")
    return f"[![{text}]({BINDER}/badge_logo.svg)]({BINDER}/v2/gh/{place}/main?labpath={path})" if place else ""


def vs_code(text: str = "Clone in VS Code") -> str:
    """A badge that clones the repository with VS Code on one's own machine."""
    address = quote(f"vscode://vscode.git/clone?url={repository()}", safe="")
    return f"[![{text}]({SHIELD})](https://vscode.dev/redirect?url={address})" if _place() else ""


def row(name: str) -> str:
    """All badges of one notebook."""
    return " ".join(filter(None, (colab(name), kaggle(name), binder(name))))


def _place() -> str:
    """Owner and name at GitHub, or '' for a repository elsewhere, which these services can't open."""
    return repository().partition("github.com/")[2]
