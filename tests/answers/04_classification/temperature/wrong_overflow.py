# expect: temperature-robust: overflow
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax


def temperature_scale(splits: dict[str, dict[str, np.ndarray]]) -> tuple[float, np.ndarray]:
    np.seterr(all="ignore")
    z, y = splits["val"]["logits"], splits["val"]["labels"]

    def loss(u):
        return -np.log((np.exp(z / np.exp(u)) / np.exp(z / np.exp(u)).sum(1, keepdims=True))[np.arange(len(y)), y]).mean()

    best = minimize_scalar(loss, bounds=(-2.99, 2.99), method="bounded", options={"xatol": 1e-6}).x
    temperature = float(np.exp(best))
    return temperature, np.exp(splits["test"]["logits"] / temperature) / np.exp(splits["test"]["logits"] / temperature).sum(1, keepdims=True)
