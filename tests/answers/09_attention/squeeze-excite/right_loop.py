def squeeze_excite(x: torch.Tensor, w1: torch.Tensor, b1: torch.Tensor, w2: torch.Tensor, b2: torch.Tensor) -> torch.Tensor:
    out = []
    for image in x:
        z = image.flatten(1).sum(1) / (image.shape[1] * image.shape[2])
        s = 1 / (1 + torch.exp(-(w2 @ torch.clamp(w1 @ z + b1, min=0) + b2)))
        out.append(torch.stack([image[c] * s[c] for c in range(len(s))]))
    return torch.stack(out)
