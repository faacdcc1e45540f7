def grad_cam(activations: torch.Tensor, logits: torch.Tensor, target: int) -> torch.Tensor:
    if target not in range(len(logits)):
        raise ValueError("no such class")
    gradient = torch.autograd.grad(logits[target], activations, retain_graph=True)[0].numpy()
    heat = np.tensordot(gradient.mean(axis=(1, 2)), activations.detach().numpy(), axes=1)
    return torch.from_numpy(np.maximum(heat, 0).astype(np.float32))
