# expect: spatial-attention-map: pooled over space
def spatial_attention(x: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    pooled = torch.cat([x.mean((1, 2, 3), keepdim=True).expand(-1, 1, *x.shape[2:]), x.amax((1, 2, 3), keepdim=True).expand(-1, 1, *x.shape[2:])], dim=1)
    places = torch.sigmoid(torch.nn.functional.conv2d(pooled, weight, padding=weight.shape[-1] // 2))
    return places, x * places
