class Windows:
    def __init__(self, size: int, shift: int = 0) -> None:
        self.size, self.shift = size, shift

    def cut(self, x: torch.Tensor) -> torch.Tensor:
        c, s = x.shape[-1], self.size
        x = x.roll((-self.shift, -self.shift), (1, 2))
        return x.unfold(1, s, s).unfold(2, s, s).permute(0, 1, 2, 4, 5, 3).flatten(0, 2).flatten(1, 2).reshape(-1, s * s, c)

    def paste(self, windows: torch.Tensor, height: int, width: int) -> torch.Tensor:
        s, (_, _, c) = self.size, windows.shape
        a, b = height // s, width // s
        x = torch.zeros(len(windows) // (a * b), height, width, c, dtype=windows.dtype)
        for i, window in enumerate(windows):
            n, k = divmod(i, a * b)
            r, q = k // b * s, k % b * s
            x[n, r : r + s, q : q + s] = window.reshape(s, s, c)
        return x.roll((self.shift, self.shift), (1, 2))

    def allowed(self, height: int, width: int) -> torch.Tensor:
        r, c = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        place = self.cut(torch.stack([r, c], -1)[None])
        far = (place[:, :, None] - place[:, None]).abs().amax(-1)
        return far < self.size if self.shift else torch.ones_like(far, dtype=torch.bool)
