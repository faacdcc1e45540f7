# expect: operating-point-value: sensitivity 0.5, not
from sklearn.metrics import roc_curve


def operating_point(
    val_scores: np.ndarray, val_labels: np.ndarray, test_scores: np.ndarray, test_labels: np.ndarray, specificity: float = 0.9
) -> dict[str, float]:
    fpr, tpr, thresholds = roc_curve(val_labels, val_scores, drop_intermediate=False)
    threshold = thresholds[fpr <= 1 - specificity + 1e-12][-1]
    fpr, tpr, _ = roc_curve(test_labels, test_scores)
    return {"threshold": float(threshold), "sensitivity": float(np.interp(1 - specificity, fpr, tpr)), "specificity": float(specificity)}
