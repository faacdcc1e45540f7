"""The site: what students may see and no more, the outputs of the recorded run, every link and picture in order; a browser test is beside it."""

import html
import json
import re

import pytest

from grading.authoring.release import instructor_notebook, released_text
from grading.site import _sphinx, build, links, pages
from grading.site.notebook import formulas, hidden_lines, page
from grading.sources import SourceError, lectures, syllabus
from helpers.data.manifest import cards
from tests.site_fixtures import ALT, MADE_UP, SECRET_ERROR, executed, record

import nbformat  # isort: skip


def text(path):
    """What a reader of a page reads, in one line: tags and highlighting gone."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", path.read_text(encoding="utf-8"))).split())


def test_no_page_holds_what_students_must_not_see(small_site, made_up):
    source = instructor_notebook(MADE_UP)
    hidden = hidden_lines(source, nbformat.reads(released_text(MADE_UP), as_version=4))
    assert len(hidden) > 12 and any("secret_reference_step" in line for line in hidden) and any("secret_model_answer" in line for line in hidden)
    for path in small_site.folder.rglob("*"):
        if path.suffix in (".html", ".js", ".ipynb", ".txt", ".inv", ".md") and "_static" not in path.relative_to(small_site.folder).parts:
            raw, read = path.read_text(encoding="utf-8", errors="replace"), text(path) if path.suffix == ".html" else ""
            for line in [*hidden, "HIDDEN TESTS", "END SOLUTION", "secret_"]:
                known = path.name == "adding.html"  # the guide shows how such a cell is written
                assert known or (line not in raw and " ".join(line.split()) not in read), f"{path.name} holds: {line}"


def test_outputs_stand_beside_demonstrations_and_nowhere_else(small_site):
    shown = (small_site.folder / "lectures" / "98_made_up.html").read_text(encoding="utf-8")
    assert "mean 76 HU, median 40 HU" in text(small_site.folder / "lectures" / "98_made_up.html")
    assert SECRET_ERROR not in shown and "printed by a solution" not in shown
    assert f'alt="{ALT}"' in shown and shown.count("controls stand here") == 1 and "0/12" not in shown
    assert "recorded run in profile" in shown and "12 s of processor" in shown
    picture = re.search(r'src="\.\./(pictures/[^"]+)"', shown)[1]
    assert (small_site.folder / picture).read_bytes().startswith(b"\x89PNG")


def test_formulas_are_drawn_by_the_browser_alone(small_site):
    for path in small_site.folder.rglob("*.html"):
        for script in re.findall(r'<script[^>]*src="([^"]+)"', path.read_text(encoding="utf-8")):
            assert not re.match(r"(https?:)?//", script), f"{path.name} fetches {script}"
    assert formulas("<details>of $\\sigma^2 &lt; 1$, `$x$`, <code>$y$</code>, 5 $ and 6 $</details>").count("<math") == 1
    with pytest.raises(ValueError, match="nosuch"):
        formulas("$\\nosuch{x}$")


def test_the_syllabus_map_leads_from_each_point_to_its_section_and_exercises(small_site):
    shown = (small_site.folder / "syllabus.html").read_text(encoding="utf-8")
    for place in ("point-1-1", "exercise-1-1a", "exercise-1-2a"):
        assert f'href="lectures/98_made_up.html#{place}"' in shown
    for name, points in syllabus()["lectures"].items():
        for point, title in points.items():
            assert f"{point} {title}" in text(small_site.folder / "syllabus.html"), name


def test_each_data_set_has_its_sheet(small_site):
    for name, card in cards().items():
        told = text(small_site.folder / "data" / f"{name}.html")
        for heading, fact in card.rows():
            assert " ".join(str(fact).replace("`", "").split()) in told, f"{name}: {heading}"
        assert all(file.checksum in told for file in card.files)


def test_every_link_leads_somewhere_and_every_picture_is_described(small_site):
    faults, external = links.check(small_site.folder)
    assert not faults and external == small_site.built.external and all(one.startswith(("https://", "http://")) for one in external)


def test_faulty_links_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<p id="here"><a href="#here">x</a><a href="#gone">x</a><a href="b.html#there">x</a><img src="c.png">')
    (tmp_path / "b.html").write_text('<a href="../out.html">x</a><a href="https://example.org/">x</a><a href="mailto:a@b.c">x</a>')
    faults, external = links.check(tmp_path)
    assert [fault.split(": ")[0] for fault in faults] == ["a.html"] * 4 + ["b.html"] and external == ["https://example.org/"]
    assert {"#gone", "b.html#there", "c.png"} <= {word for fault in faults for word in fault.split()}


def test_what_sphinx_warns_of_is_a_fault(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "index.md").write_text("# A page\n\n[nowhere](#nowhere) and $\\nosuch{x}$\n")
    with pytest.raises(SourceError) as told:
        _sphinx(tmp_path / "source", tmp_path / "made")
    assert "nowhere" in str(told.value) and "nosuch" in str(told.value)


def test_a_lecture_without_a_whole_run_is_plain_and_says_so(made_up, tmp_path):
    assert page(made_up, tmp_path).run is None
    record(tmp_path, executed(made_up), error={"cell": "x", "name": "E", "message": "m"})
    plain = page(made_up, tmp_path)
    assert plain.run is None and "stands without outputs" in plain.notebook.cells[0].source
    assert not any(cell.get("outputs") for cell in plain.notebook.cells)


def test_outputs_of_an_earlier_source_are_left_out(made_up, tmp_path):
    done = executed(made_up)
    next(cell for cell in done.cells if "sorted_middle" in cell.source).source += "\n# as it was"
    record(tmp_path, done)
    made = page(made_up, tmp_path)
    assert made.stale == 1 and "1 of the demonstrations changed since" in made.notebook.cells[0].source
    assert "median 40 HU" not in json.dumps([cell.get("outputs") for cell in made.notebook.cells])


def test_an_output_that_tells_a_solution_stops_the_build(made_up, tmp_path):
    done = executed(made_up)
    demo = next(cell for cell in done.cells if "sorted_middle" in cell.source)
    demo.outputs = [nbformat.v4.new_output("stream", text="secret_reference_step = float(np.median(values))\n")]
    record(tmp_path, done)
    with pytest.raises(SourceError, match="solution or a hidden check"):
        page(made_up, tmp_path)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SourceError, match="no site"):
        build(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_text_of_the_manifest_stands_as_it_is():
    assert pages.plain("a | b_c\n*d* `e_f` $5 <g>") == r"a \| b\_c \*d\* `e_f` \$5 \<g\>"


def test_links_of_the_repository_become_links_of_the_site():
    homes = {"04_classification": "lectures"}
    told = pages.rewritten("[a](notebooks/04_classification.ipynb) [b](docs/adding.md) [c](LICENSE) [d](https://x.y) [e](#f) `[g](LICENSE)`", pages.Path("."), homes)
    assert "[a](/lectures/04_classification.ipynb) [b](/guides/adding.md) [c](https://github.com/" in told
    assert told.endswith("[d](https://x.y) [e](#f) `[g](LICENSE)`")
    with pytest.raises(SourceError, match="no section 'Nowhere'"):
        pages.section("Nowhere")


@pytest.mark.notebook
def test_the_whole_site_builds(tmp_path):
    built = build(tmp_path / "site")
    assert built.pages > len(lectures()) + len(cards())
