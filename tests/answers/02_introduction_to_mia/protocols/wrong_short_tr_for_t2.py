# expect: protocols-t2: fall
def protocols() -> dict[str, tuple[float, float]]:
    return {"T1": (12, 500), "T2": (100, 600), "PD": (12, 4500)}
