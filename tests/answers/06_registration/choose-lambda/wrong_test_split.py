# expect: choose-lambda-error: ValueError
def choose_lambda(rows: list[dict], limit: float) -> float:
    runs = {}
    for row in rows:
        if row["split"] == "test":
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
    return float(max(w for w, e in errors.items() if e <= lowest + 1e-9))
