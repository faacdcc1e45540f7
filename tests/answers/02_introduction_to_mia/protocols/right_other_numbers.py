def protocols() -> dict[str, tuple[float, float]]:
    long, short = 6000.0, 600.0
    first, late = 8.0, 120.0
    return dict(zip(("T1", "T2", "PD"), ((first, short), (late, long), (first, long)), strict=True))
