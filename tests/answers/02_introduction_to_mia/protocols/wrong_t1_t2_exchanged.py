# expect: protocols-t1, protocols-t2: should fall
def protocols() -> dict[str, tuple[float, float]]:
    return {"T1": (100, 4500), "T2": (12, 500), "PD": (12, 4500)}
