"""Does a demonstration give an exercise's solution away? It may use what the exercise builds only after the exercise."""

import io
import keyword
import tokenize
from textwrap import dedent

from nbformat import NotebookNode

from grading.authoring.exercise_structure import BEGIN_SOLUTION, END_SOLUTION
from grading.sources import grade_id, is_check, is_solution

RUN = 8  # tokens
FEWEST = 12  # runs: of a shorter solution nothing can be said
MOST = 0.5  # share of a solution's runs that one earlier cell may hold; sound lectures stay below 0.34, a copied solution reaches 0.8


def giveaway_faults(notebook: NotebookNode) -> list[str]:
    """A sentence for each solution whose code stands in a cell that students read before it; variables may have other names."""
    earlier: list[tuple[str, set[tuple[str, ...]]]] = []
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or is_check(cell):
            continue
        if not is_solution(cell):
            earlier.append((cell.source.strip().split("\n", 1)[0], runs(cell.source)))
            continue
        regions = [dedent(part.split(END_SOLUTION)[0]) for part in cell.source.split(BEGIN_SOLUTION)[1:]]
        solution = set().union(*(runs(region) for region in regions))
        for begins, shown in earlier:
            share = len(solution & shown) / max(len(solution), FEWEST)
            if share > MOST:
                given = f"gives away {share:.0%} of the solution '{grade_id(cell)}'"
                found.append(f"The cell that begins '{begins[:60]}' {given}: show it after the exercise.")
    return found


def runs(source: str) -> set[tuple[str, ...]]:
    """Every run of tokens in some code, without comments, layout and the names of variables."""
    kinds = (tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING)
    words = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type in kinds]
    masked, depth = [], 0
    for before, token, after in zip([None, *words], words, [*words[1:], None], strict=False):
        depth += (token.string in "([{") - (token.string in ")]}")
        follows = after.string if after else ""
        tells = follows == "(" or (follows == "=" and depth) or (before and before.string == ".")  # a call, an argument's name, a member
        masked.append("name" if token.type == tokenize.NAME and not keyword.iskeyword(token.string) and not tells else token.string)
    return {tuple(masked[start : start + RUN]) for start in range(len(masked) - RUN + 1)}
