def grad_cam(activations, logits, target):
    if not 0 <= target < len(logits):
        raise ValueError("no such class")
    g = torch.autograd.grad(logits[target], activations, retain_graph=True)[0]
    alpha = g.mean(dim=(1, 2))
    return torch.relu((alpha[:, None, None] * activations).sum(0)).detach()
