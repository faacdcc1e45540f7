# expect: choose-lambda-error: 2.5, 2.0 and 3.25
def choose_lambda(rows: list[dict], limit: float) -> float:
    runs = {}
    for row in rows:
        if row["split"] == "validation":
            runs.setdefault(row["weight"], []).append(row)
    errors = {}
    for weight, pairs in runs.items():
        if all(np.isfinite(p["error"]) and p["folded"] <= limit for p in pairs):
            patients = {}
            for p in pairs:
                patients.setdefault(p["patient"], []).append(p["error"])
            errors[weight] = np.mean([np.mean(e) for e in patients.values()])
    if not errors:
        raise ValueError("no weight is allowed")
    lowest = min(errors.values())
    return float(max(errors))
