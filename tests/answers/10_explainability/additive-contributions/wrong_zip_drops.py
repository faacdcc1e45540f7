# expect: additive-contributions-refuses: raise a ValueError
def additive_contributions(train_bases: list[np.ndarray], bases: list[np.ndarray], weights: list[np.ndarray], b: float) -> tuple[np.ndarray, float]:
    """Centred contributions of an additive model, in log odds.

    Args:
        train_bases: for each feature k an array (N, J_k), the basis values of the training patients.
        bases: for each feature an array (M, J_k), of the patients to be explained.
        weights: for each feature (J_k,).
        b: the model's intercept.

    Returns:
        contributions (M, K), each with mean 0 over the training patients; and the intercept that belongs to them, so that
        intercept + contributions.sum(axis=1) is the model's logit.

    Raises:
        ValueError: the three lists differ in length, or a weight doesn't fit its basis.
    """
    for known, new, w in zip(train_bases, bases, weights):
        if np.shape(known)[1] != len(w) or np.shape(new)[1] != len(w):
            raise ValueError("a weight must have as many entries as its basis has columns")
    means = np.array([np.mean(known @ w) for known, w in zip(train_bases, weights)])
    shapes = np.stack([new @ w for new, w in zip(bases, weights)], axis=1)
    return shapes - means[: shapes.shape[1]], float(b + means.sum())
