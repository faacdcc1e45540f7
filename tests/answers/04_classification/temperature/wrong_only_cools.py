# expect: temperature-robust: T must be below 1
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax


def temperature_scale(splits: dict[str, dict[str, np.ndarray]]) -> tuple[float, np.ndarray]:
    z, y = splits["val"]["logits"], splits["val"]["labels"]

    def loss(u):
        return -log_softmax(z / np.exp(u), axis=1)[np.arange(len(y)), y].mean()

    best = minimize_scalar(loss, bounds=(0.0, 2.99), method="bounded", options={"xatol": 1e-6}).x
    temperature = float(np.exp(best))
    return temperature, softmax(splits["test"]["logits"] / temperature, axis=1)
