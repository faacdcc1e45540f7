# expect: factual-errors-denied: a comma ends no clause
import re

def factual_errors(findings, impression, terms):
    def raised(text):
        out = set()
        for clause in re.split(r"[.;,]|\bbut\b", text.lower()):
            for name, words in terms.items():
                for word in words:
                    for m in re.finditer(rf"\b{re.escape(word.lower())}\b", clause):
                        if not re.search(r"\b(no|not|without)\b", clause[:m.start()]):
                            out.add(name)
        return out
    a, b = raised(findings), raised(impression)
    return {"omitted": sorted(a - b), "invented": sorted(b - a)}
