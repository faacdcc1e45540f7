# expect: spatial-attention-map: swapped
def spatial_attention(x: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    pooled = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], dim=1)
    places = torch.sigmoid(torch.nn.functional.conv2d(pooled, weight, padding=weight.shape[-1] // 2))
    return places, x * places
