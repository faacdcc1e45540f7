# expect: grad-cam-relu: ReLU of the weighted sum
def grad_cam(activations, logits, target):
    if not 0 <= target < len(logits):
        raise ValueError("no such class")
    g = torch.autograd.grad(logits[target], activations)[0]
    alpha = torch.relu(g.mean(dim=(1, 2)))
    return torch.relu((alpha[:, None, None] * activations).sum(0)).detach()
