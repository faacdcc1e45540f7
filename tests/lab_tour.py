"""A walk through lectures in JupyterLab, as a student takes it: `python -m tests.lab_tour 02 14` writes pictures and faults to results/lab/.

Every code cell of the released notebook runs, in profile ci, with the exercises left as they are; every slider, menu and check box is moved once.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, sync_playwright

from grading.sources import ROOT, lectures, source_path
from tests.chromium import CHROMIUM
from tests.lab import Lab, notebook_for, served

OUT = ROOT / "results" / "lab"
THEMES = ("JupyterLab Light", "JupyterLab Dark")
CONTROLS = ".noUi-handle, .widget-dropdown select, .widget-checkbox input"  # of ipywidgets
BUTTONS = "button.jupyter-button:not([disabled])"
WIDGETS = ".jupyter-widgets"
LABEL = ".widget-label"
CUT = "labels => labels.filter(label => label.scrollWidth > label.clientWidth).map(label => label.innerText)"
SCREEN = 880  # pixels that a full-HD screen leaves to the output of a cell
HEIGHT = "areas => areas.reduce((sum, area) => sum + area.getBoundingClientRect().height, 0)"
STATE = "controls => controls.map(control => control.ariaValueNow ?? `${control.value} ${control.checked}`)"
PICTURE = ".jp-OutputArea img"
REDRAW_SECONDS = 60
UNANSWERED = "NotImplementedError"


def walk(lab: Lab, pictures: Path | None = None) -> list[str]:
    """Run every code cell of the open notebook and move every control; what a student would stumble over, a line each.

    Args:
        lab: with an open notebook.
        pictures: folder for a screenshot of each cell that shows a control, and of the first failing check.
    """
    found, seen = [], set()
    for cell in lab.cells():
        error = lab.run(cell)
        if error and error["ename"] != UNANSWERED:
            found.append(f"{cell}: {error['ename']}: {error['evalue'][:200]}")
        outputs = lab.outputs(cell)
        found += [
            f"{cell} writes to stderr: {text[:200]}"
            for text in (output.get("text", "") for output in outputs if output.get("name") == "stderr")
            if text
        ]
        if outputs:
            height = lab.show(cell).locator(".jp-OutputArea-output").evaluate_all(HEIGHT)
            found += [f"{cell}: its output is {height:.0f} pixels high, more than a screen"] if height > SCREEN else []
        moved = any("application/vnd.jupyter.widget-view+json" in output["data"] for output in outputs)
        if moved:
            found += [f"{cell}: {fault}" for fault in move_controls(lab, lab.show(cell))]
        if pictures and (moved or (error and "check" not in seen)):
            seen |= {"check"} if error else set()
            lab.show(cell, "end")
            lab.page.screenshot(path=pictures / f"{cell}.png")
    return found


def move_controls(lab: Lab, cell: Locator) -> list[str]:
    """Move each control of a cell by one step, or press its first button; those that change nothing that is seen."""
    cell.locator(WIDGETS).first.wait_for(timeout=1000 * REDRAW_SECONDS)
    controls, pictures = cell.locator(CONTROLS), cell.locator(PICTURE)
    if not controls.count():
        before = cell.inner_text()
        cell.locator(BUTTONS).first.click()
        return [] if changes(lab, cell.inner_text, before) else ["its first button changes nothing"]
    faults = [f"the label '{label}' is cut" for label in cell.locator(LABEL).evaluate_all(CUT)]
    look = (lambda: shown(pictures)) if pictures.count() else (lambda: controls.evaluate_all(STATE))  # a form draws nothing: it keeps what is chosen
    for number in range(controls.count()):
        control = controls.nth(number)
        before = look()
        kind = control.evaluate("control => control.tagName + (control.type ?? '')")
        if kind.startswith("SELECT"):
            control.select_option(index=(control.evaluate("control => control.selectedIndex") + 1) % control.locator("option").count())
        elif kind.startswith("INPUT"):
            control.click()
        else:
            control.focus()
            at_end = control.get_attribute("aria-valuenow") == control.get_attribute("aria-valuemax")
            control.press("ArrowLeft" if at_end else "ArrowRight")
        if not changes(lab, look, before):
            faults.append(f"control {number + 1} of {controls.count()} changes nothing")
    return faults


def changes(lab: Lab, look: Callable[[], object], before: object) -> bool:
    """Whether something looks different within a minute."""
    for _ in range(10 * REDRAW_SECONDS):
        if look() != before:
            return True
        lab.page.wait_for_timeout(100)
    return False


def shown(pictures: Locator) -> list[str]:
    """The pictures of a cell, as their addresses hold them."""
    return pictures.evaluate_all("images => images.map(image => image.src)")


def main() -> int:
    """Walk through the lectures asked for; 1 if there are faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lecture", nargs="*", help="names or numbers; all of them by default")
    asked = [source_path(name).stem for name in parser.parse_args().lecture] or lectures()
    faults = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with served(Path(folder)) as address:
            for lecture in asked:
                pictures = OUT / lecture
                pictures.mkdir(parents=True, exist_ok=True)
                theme = THEMES[lectures().index(lecture) % 2]
                lab = Lab(browser.new_page(), address)
                lab.open(notebook_for(lecture, {}, Path(folder)).name, theme)
                faults[lecture] = walk(lab, pictures)
                lab.close()
                print(f"{lecture}, {theme}: {len(faults[lecture])} faults", *faults[lecture], sep="\n  ", flush=True)
        browser.close()
    (OUT / "faults.json").write_text(json.dumps(faults, indent=1) + "\n", encoding="utf-8")
    return int(any(faults.values()))


if __name__ == "__main__":
    sys.exit(main())
