def linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> np.ndarray:
    q, k, v = (np.asarray(t, dtype=float) for t in (q, k, v))
    q, k = (np.where(t > 0, t + 1, np.exp(np.minimum(t, 0))) for t in (q, k))
    return q @ (k.swapaxes(1, 2) @ v) / (q @ k.sum(1)[..., None])
