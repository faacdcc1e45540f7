# expect: grad-cam-class: not the largest logit
def grad_cam(activations: torch.Tensor, logits: torch.Tensor, target: int) -> torch.Tensor:
    if not 0 <= target < len(logits):
        raise ValueError(f"there are {len(logits)} classes, and no class {target}")
    gradient = torch.autograd.grad(logits.max(), activations)[0]
    weights = gradient.mean((1, 2))
    return torch.relu(torch.einsum("k,khw->hw", weights, activations)).detach()
