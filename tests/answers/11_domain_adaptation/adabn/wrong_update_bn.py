# expect: adabn-deep: is dropout awake
def adapt_batch_norm(net: torch.nn.Module, images: torch.Tensor) -> torch.nn.Module:
    import copy

    if len(images) < 2 or not torch.isfinite(images).all():
        raise ValueError("bad images")
    if not any(isinstance(layer, torch.nn.modules.batchnorm._BatchNorm) for layer in net.modules()):
        raise ValueError("no batch norm")
    made = copy.deepcopy(net)
    torch.optim.swa_utils.update_bn([images], made)  # puts the whole network into training mode, its dropout too
    return made.eval()
