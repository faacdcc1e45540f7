# expect: freeze-gradient: compared from their start
def freeze(model, keep):
    keep = tuple(keep)
    n = total = 0
    for name, weight in model.named_parameters():
        weight.requires_grad = any(k in name for k in keep)
        total += weight.numel()
        n += weight.numel() * weight.requires_grad
    if n == 0:
        raise ValueError("nothing learns")
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and not any(k in name for k in keep):
            module.eval()
    return n, n / total
