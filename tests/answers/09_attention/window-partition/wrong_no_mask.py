# expect: window-partition-mask: everything is allowed
class Windows:

    def __init__(self, size: int, shift: int = 0) -> None:
        self.size, self.shift = size, shift

    def cut(self, x: torch.Tensor) -> torch.Tensor:
        b, h, w, c = x.shape
        s = self.size
        x = torch.roll(x, (-self.shift, -self.shift), dims=(1, 2))
        return x.reshape(b, h // s, s, w // s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, s * s, c)

    def paste(self, windows: torch.Tensor, height: int, width: int) -> torch.Tensor:
        s = self.size
        x = windows.reshape(-1, height // s, width // s, s, s, windows.shape[-1]).permute(0, 1, 3, 2, 4, 5)
        return torch.roll(x.reshape(-1, height, width, windows.shape[-1]), (self.shift, self.shift), dims=(1, 2))

    def allowed(self, height: int, width: int) -> torch.Tensor:
        wrapped = [torch.arange(length) < self.shift for length in (height, width)]  # these come back at the other end
        region = (2 * wrapped[0][:, None] + wrapped[1].int())[None, :, :, None]
        if self.shift == 0:
            region = torch.zeros_like(region)
        region = self.cut(region)[:, :, 0]
        return torch.ones(*region.shape, region.shape[1], dtype=torch.bool)
