# expect: grad-cam-class: raise a ValueError
def grad_cam(activations: torch.Tensor, logits: torch.Tensor, target: int) -> torch.Tensor:
    if target >= len(logits):
        raise ValueError(f"there are {len(logits)} classes, and no class {target}")
    gradient = torch.autograd.grad(logits[target], activations)[0]
    weights = gradient.mean((1, 2))
    return torch.relu(torch.einsum("k,khw->hw", weights, activations)).detach()
