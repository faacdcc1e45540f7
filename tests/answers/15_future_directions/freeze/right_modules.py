def freeze(model, keep):
    def kept(name):
        return any(name[: len(start)] == start for start in keep)

    learns, total = 0, 0
    for name, weight in model.named_parameters():
        weight.requires_grad = kept(name)
        total += weight.numel()
        learns += weight.numel() if kept(name) else 0
    if learns == 0:
        raise ValueError("nothing would learn")
    norms = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)
    for name, module in model.named_modules():
        if isinstance(module, norms):
            module.train(any(weight.requires_grad for weight in module.parameters()))
    return learns, learns / total
