# expect: operating-point-edges, operating-point-value, operating-point-prevalence, operating-point-honest: sick and healthy
def operating_point(
    val_scores: np.ndarray,
    val_labels: np.ndarray,
    test_scores: np.ndarray,
    test_labels: np.ndarray,
    prevalence: float,
    cost_miss: float,
    cost_false_alarm: float,
) -> tuple[float, float]:
    raise ValueError("a set needs sick and healthy patients")
