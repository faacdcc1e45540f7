# expect: protocols-pd: wait longer
def protocols() -> dict[str, tuple[float, float]]:
    return {"T1": (12, 500), "T2": (100, 4500), "PD": (12, 1000)}
