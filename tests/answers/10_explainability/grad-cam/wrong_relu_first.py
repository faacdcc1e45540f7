# expect: grad-cam-relu: the ReLU comes after
def grad_cam(activations: torch.Tensor, logits: torch.Tensor, target: int) -> torch.Tensor:
    if not 0 <= target < len(logits):
        raise ValueError(f"there are {len(logits)} classes, and no class {target}")
    gradient = torch.autograd.grad(logits[target], activations)[0]
    weights = gradient.mean((1, 2))
    return torch.relu(weights[:, None, None] * activations).sum(0).detach()
