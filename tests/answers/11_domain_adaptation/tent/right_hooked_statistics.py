def tent_step(net: torch.nn.Module, images: torch.Tensor, lr: float) -> tuple[torch.Tensor, torch.nn.Module]:
    import copy
    import torch.nn.functional as F

    if len(images) < 2:
        raise ValueError("two patients at least")
    made = copy.deepcopy(net).eval()
    for weight in made.parameters():
        weight.requires_grad_(False)
    moving = []
    for layer in made.modules():
        if isinstance(layer, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
            layer.track_running_stats, layer.running_mean, layer.running_var = False, None, None
            moving += [layer.weight.requires_grad_(True), layer.bias.requires_grad_(True)]
    if not moving:
        raise ValueError("no batch norm")
    logits = made(images)
    loss = -(F.softmax(logits, 1) * F.log_softmax(logits, 1)).sum() / len(images)
    loss.backward()
    for weight in moving:
        weight.data.add_(weight.grad, alpha=-lr)
    return F.softmax(logits.detach(), 1), made
