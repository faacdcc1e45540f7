"""Do the links of a built site lead somewhere? Files and anchors are looked up; addresses of others are only listed, without a network."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

REFERS = {"a": "href", "link": "href", "img": "src", "script": "src", "iframe": "src", "source": "src"}


class _Page(HTMLParser):
    """Anchors and references of one page, and pictures that say nothing to who can't see them."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.refers: list[str] = []
        self.mute: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.anchors |= {name for name in (given.get("id"), given.get("name") if tag == "a" else None) if name}
        target = given.get(REFERS.get(tag, ""))
        if target and given.get("rel") != "canonical":
            self.refers.append(target)
        if tag == "img" and not (given.get("alt") or "").strip():
            self.mute.append(target or "")


def check(site: Path) -> tuple[list[str], list[str]]:
    """Look up every link of every page.

    Args:
        site: the folder of a built site.

    Returns:
        A sentence for each link that leads nowhere and each picture without alt text; and the addresses of others, sorted.
    """
    pages = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.relative_to(site).parts]  # the theme keeps templates there
    read = {path.resolve(): _read(path) for path in pages}
    faults, external = [], set()
    for path, page in read.items():
        name = path.relative_to(site.resolve()).as_posix()
        faults += [f"{name}: the picture {source[:80]} has no alt text" for source in page.mute]
        for target in dict.fromkeys(page.refers):
            parts = urlsplit(target)
            if parts.scheme in ("http", "https") or target.startswith("//"):
                external.add(target)
                continue
            if parts.scheme:  # data:, mailto:
                continue
            place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = place / "index.html" if place.is_dir() else place
            if not place.is_file() or not place.is_relative_to(site.resolve()):
                faults.append(f"{name}: {target} is not there")
            elif parts.fragment and place in read and unquote(parts.fragment) not in read[place].anchors:
                faults.append(f"{name}: {target} has no such place on its page")
    return faults, sorted(external)


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    return page
