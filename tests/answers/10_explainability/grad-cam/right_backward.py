def grad_cam(activations: torch.Tensor, logits: torch.Tensor, target: int) -> torch.Tensor:
    if target < 0 or target >= logits.shape[0]:
        raise ValueError("no such class")
    logits[target].backward(retain_graph=True)
    weights = activations.grad.flatten(1).mean(1)
    heat = torch.zeros(activations.shape[1:], dtype=activations.dtype)
    with torch.no_grad():
        for weight, channel in zip(weights, activations, strict=True):
            heat += weight * channel
    return heat.clamp(min=0)
