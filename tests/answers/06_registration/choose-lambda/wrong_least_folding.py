# expect: choose-lambda-error: 2.5, 2.0 and 3.25
def choose_lambda(rows: list[dict], limit: float) -> float:
    runs = {}
    for row in rows:
        if row["split"] == "validation":
            runs.setdefault(row["weight"], []).append(row)
    return float(min(runs, key=lambda w: (max(p["folded"] for p in runs[w]), -w)))
