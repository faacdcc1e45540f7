def bald(probabilities: np.ndarray) -> np.ndarray:
    p = torch.as_tensor(np.asarray(probabilities), dtype=torch.float64)
    return torch.special.entr(p.mean(0)).sum(-1) - torch.special.entr(p).sum(-1).mean(0)
