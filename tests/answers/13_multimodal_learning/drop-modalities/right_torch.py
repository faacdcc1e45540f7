def drop_modalities(present: np.ndarray, rate: float, seed: int) -> np.ndarray:
    have = torch.as_tensor(np.array(present, dtype=bool))
    if not 0 <= rate < 1 or not bool(have.any(1).all()):
        raise ValueError("bad input")
    rng = torch.Generator().manual_seed(seed)
    keep = have & (torch.rand(have.shape, generator=rng) >= rate)
    one = torch.multinomial(have.double(), 1, generator=rng)
    rescued = torch.zeros_like(have).scatter(1, one, True)
    return torch.where(keep.any(1, keepdim=True), keep, rescued).numpy()
