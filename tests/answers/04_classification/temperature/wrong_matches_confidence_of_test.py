# expect: temperature-val-only, temperature-value: the test split must not choose anything
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax


def temperature_scale(splits: dict[str, dict[str, np.ndarray]]) -> tuple[float, np.ndarray]:
    z, y = splits["val"]["logits"], splits["val"]["labels"]

    def loss(u):
        return (softmax(z / np.exp(u), axis=1).max(1).mean() - (splits["test"]["logits"].argmax(1) == splits["test"]["labels"]).mean()) ** 2

    best = minimize_scalar(loss, bounds=(-2.99, 2.99), method="bounded", options={"xatol": 1e-6}).x
    temperature = float(np.exp(best))
    return temperature, softmax(splits["test"]["logits"] / temperature, axis=1)
