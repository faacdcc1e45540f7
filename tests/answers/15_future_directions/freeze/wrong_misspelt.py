# expect: freeze-rest: haed
def freeze(model: torch.nn.Module, keep: tuple[str, ...]) -> tuple[int, float]:
    keep = tuple(keep)
    for name, weight in model.named_parameters():
        weight.requires_grad_(name.startswith(keep))
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and not (name + ".").startswith(keep):
            module.eval()
    n = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return n, n / sum(weight.numel() for weight in model.parameters())
