# expect: freeze-gradient: froze it before
def freeze(model, keep):
    keep = tuple(keep)
    n = total = 0
    for name, weight in model.named_parameters():
        weight.requires_grad = weight.requires_grad and name.startswith(keep)
        total += weight.numel()
        n += weight.numel() * weight.requires_grad
    if n == 0:
        raise ValueError("nothing learns")
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and not name.startswith(keep):
            module.eval()
    return n, n / total
