# expect: protocols-pd: echo
def protocols() -> dict[str, tuple[float, float]]:
    return {"T1": (12, 500), "T2": (100, 4500), "PD": (80, 4500)}
