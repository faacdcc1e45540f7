"""Text that came from a student, made fit for terminals, tables, databases and web pages. Its words stay as they are."""

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")
_ACTIVE = re.compile(r"\\(href|url|require|class|cssId|style|unicode|def|let|newcommand|renewcommand|newenvironment)\b")  # in formulas


def clean(text: object, most: int = 20_000) -> str:
    """`text` without terminal escapes, control characters, halves of characters and marks that turn the writing direction; cut."""
    kept = str(text)[: 4 * most].replace("\r\n", "\n").replace("\r", "\n")
    kept = _UNFIT.sub("\N{REPLACEMENT CHARACTER}", _ESCAPES.sub("", kept))
    return kept if len(kept) <= most else f"{kept[:most]} ... (cut)"


def line(text: object, most: int = 500) -> str:
    """The same in one line."""
    return " ".join(clean(text, most).split())


def markdown(text: str) -> str:
    """Markdown that can do nothing in a reader's browser: no HTML beyond plain marks, no images, no links in formulas."""
    from nbconvert.preprocessors.sanitize import SanitizeHTML

    return SanitizeHTML().sanitize_html_tags(_ACTIVE.sub(lambda found: found[1], clean(text, 200_000).replace("![", "!\\[")))
