# expect: late-fusion-order: divide each modality by its own temperature
def late_fusion(val_logits: np.ndarray, val_y: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Late fusion by the mean of calibrated probabilities."""
    from scipy.optimize import minimize_scalar
    from scipy.special import expit

    temperatures = []
    for z in val_logits:
        here = ~np.isnan(z)
        z, y = z[here], val_y[here]

        def loss(log_t: float, z: np.ndarray = z, y: np.ndarray = y) -> float:
            scaled = z * np.exp(-log_t)
            return float((np.logaddexp(0, scaled) - y * scaled).mean())

        temperatures.append(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-5}).x))
    temperatures = np.array(temperatures)
    return expit(np.nanmean(logits, axis=0) / temperatures.mean()), temperatures
