# expect: grad-cam-value: scale the map
def grad_cam(activations: torch.Tensor, logits: torch.Tensor, target: int) -> torch.Tensor:
    if not 0 <= target < len(logits):
        raise ValueError(f"there are {len(logits)} classes, and no class {target}")
    gradient = torch.autograd.grad(logits[target], activations)[0]
    weights = gradient.mean((1, 2))
    heat = torch.relu(torch.einsum("k,khw->hw", weights, activations)).detach()
    return heat / heat.max()
