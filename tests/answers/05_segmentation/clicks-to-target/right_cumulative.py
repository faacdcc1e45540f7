def clicks_to_target(dice: np.ndarray, target: float) -> tuple[np.ndarray, float, float]:
    best = torch.cummax(torch.nan_to_num(torch.as_tensor(dice), nan=-1.0), dim=1).values
    below = (best < target).sum(1)
    clicks = torch.clamp(below + 1, max=best.shape[1])
    return clicks, clicks.double().mean(), (best[:, -1] < target).double().mean()
