# expect: grad-cam-value: the mean of its gradient
def grad_cam(activations, logits, target):
    if not 0 <= target < len(logits):
        raise ValueError("no such class")
    g = torch.autograd.grad(logits[target], activations)[0]
    return torch.relu(torch.einsum("k,khw->hw", g.amax((1, 2)), activations)).detach()
