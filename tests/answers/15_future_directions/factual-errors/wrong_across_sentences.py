# expect: factual-errors-scope: across the full stop
def factual_errors(findings: str, impression: str, terms: dict[str, list[str]]) -> dict[str, list[str]]:
    import re

    def raised(text):
        found = set()
        for clause in [text.lower()]:
            for name, words in terms.items():
                for term in words:
                    for hit in re.finditer(rf"\b{re.escape(term.lower())}\b", clause):
                        if not re.search(r"\b(no|not|without)\b", clause[: hit.start()]):
                            found.add(name)
        return found

    a, b = raised(findings), raised(impression)
    return {"omitted": sorted(a - b), "invented": sorted(b - a)}
