def fit_logistic(x: np.ndarray, y: np.ndarray, l2: float, lr: float, steps: int) -> tuple[np.ndarray, float]:
    if any(label not in (0, 1) for label in y):
        raise ValueError("labels must be 0 or 1")
    measures, target = torch.as_tensor(x, dtype=torch.float64), torch.as_tensor(y, dtype=torch.float64)
    w = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True)
    b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    sgd = torch.optim.SGD([{"params": [w], "weight_decay": l2}, {"params": [b]}], lr=lr)
    for _ in range(steps):
        sgd.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(measures @ w + b, target).backward()
        sgd.step()
    return w.detach(), b.item()
