# expect: freeze-statistics: learns nothing
def freeze(model: torch.nn.Module, keep: tuple[str, ...]) -> tuple[int, float]:
    keep = tuple(keep)
    for name, weight in model.named_parameters():
        weight.requires_grad_(name.startswith(keep))
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
    n = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    if n == 0:
        raise ValueError(f"no parameter's name starts with one of {keep}: nothing would learn")
    return n, n / sum(weight.numel() for weight in model.parameters())
