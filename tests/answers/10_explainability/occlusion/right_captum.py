def occlusion_map(score, image: torch.Tensor, size: int, stride: int, fill: float) -> torch.Tensor:
    from captum.attr import Occlusion

    h, w = image.shape
    if not 0 < size <= min(h, w) or not 0 < stride <= size or (h - size) % stride or (w - size) % stride:
        raise ValueError("bad sizes")
    return Occlusion(score).attribute(image.clone()[None], (size, size), strides=(stride, stride), baselines=fill)[0]
