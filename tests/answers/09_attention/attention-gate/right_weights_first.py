def attention_gate(
    x: torch.Tensor, g: torch.Tensor, wx: torch.Tensor, wg: torch.Tensor, b: torch.Tensor, psi: torch.Tensor, c: float
) -> tuple[torch.Tensor, torch.Tensor]:
    if x.shape[0] != g.shape[0]:
        raise ValueError("batches differ")
    low = torch.tensordot(wg, g, ([1], [1])).movedim(0, 1)
    low = torch.nn.functional.interpolate(low, size=tuple(x.shape[2:]), mode="bilinear", align_corners=False)
    places = (x.permute(0, 2, 3, 1) @ wx.T + low.permute(0, 2, 3, 1) + b).relu() @ psi + c
    alpha = places.sigmoid().unsqueeze(1)
    return x * alpha, alpha
