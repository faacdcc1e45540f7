def choose_lambda(rows: list[dict], limit: float) -> float:
    best = None
    for weight in sorted({r["weight"] for r in rows if r["split"] == "validation"}, reverse=True):
        pairs = [r for r in rows if r["split"] == "validation" and r["weight"] == weight]
        if any(r["folded"] > limit or not np.isfinite(r["error"]) for r in pairs):
            continue
        people = sorted({r["patient"] for r in pairs})
        score = sum(np.mean([r["error"] for r in pairs if r["patient"] == p]) for p in people) / len(people)
        if best is None or score < best[0] - 1e-9:
            best = (score, weight)
    if best is None:
        raise ValueError("nothing to choose from")
    return best[1]
