def factual_errors(findings: str, impression: str, terms: dict[str, list[str]]) -> dict[str, list[str]]:
    def tokens(text):
        for sign in ".;,:()":
            text = text.replace(sign, f" {sign} ")
        return text.lower().split()

    def raised(text):
        found, denied, words = set(), False, tokens(text)
        for place, word in enumerate(words):
            if word in (".", ";", "but"):
                denied = False
            if word in ("no", "not", "without"):
                denied = True
            for name in terms:
                for term in terms[name]:
                    wanted = tokens(term)
                    if not denied and words[place : place + len(wanted)] == wanted:
                        found.add(name)
        return found

    one, two = raised(findings), raised(impression)
    return {"omitted": sorted(x for x in one if x not in two), "invented": sorted(x for x in two if x not in one)}
