# expect: prevalence-ap-value: end the function with return
def average_precision_at(scores: np.ndarray, labels: np.ndarray, prevalence: float) -> float:
    return None
