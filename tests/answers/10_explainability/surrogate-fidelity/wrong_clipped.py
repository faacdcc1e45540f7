# expect: surrogate-fidelity-held-out: clipped at 0
def surrogate_fidelity(x_fit: np.ndarray, score_fit: np.ndarray, label_fit: np.ndarray, x_test: np.ndarray, score_test: np.ndarray, label_test: np.ndarray, depth: int) -> float:
    """Fidelity of a global surrogate tree, measured on other patients.

    Args:
        x_fit, x_test: (N, K) and (M, K) features.
        score_fit, score_test: (N,) and (M,) the explained model's scores for these patients.
        label_fit, label_test: (N,) and (M,) the diagnoses, 0 or 1.
        depth: greatest depth of the tree, at least 1. The tree is a DecisionTreeRegressor with random_state=0, otherwise as sklearn sets it.

    Returns:
        R^2 of the tree's predictions for the model's scores on the test patients; it may be negative.

    Raises:
        ValueError: the model gives all test patients the same score: there is nothing that a tree could explain.
    """
    from sklearn.tree import DecisionTreeRegressor

    score_test = np.asarray(score_test, dtype=float)
    if np.ptp(score_test) == 0:
        raise ValueError("the model gives every test patient the same score")
    tree = DecisionTreeRegressor(max_depth=depth, random_state=0).fit(x_fit, score_fit)
    residual = score_test - tree.predict(x_test)
    return max(0.0, float(1 - (residual**2).sum() / ((score_test - score_test.mean()) ** 2).sum()))
