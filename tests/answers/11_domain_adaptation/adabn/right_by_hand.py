def adapt_batch_norm(net: torch.nn.Module, images: torch.Tensor) -> torch.nn.Module:
    import copy

    if images.shape[0] < 2 or not torch.isfinite(images).all():
        raise ValueError("bad images")
    adapted = copy.deepcopy(net)
    adapted.eval()
    found = 0
    with torch.no_grad():
        x = images
        for layer in adapted:
            if isinstance(layer, torch.nn.BatchNorm2d):
                found += 1
                flat = x.transpose(0, 1).flatten(1)
                layer.running_mean, layer.running_var = flat.mean(1), flat.var(1)
            x = layer(x)
    if not found:
        raise ValueError("no batch norm")
    return adapted
