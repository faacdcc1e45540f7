class Windows:
    def __init__(self, size: int, shift: int = 0) -> None:
        self.size, self.shift = size, shift

    def cut(self, x: torch.Tensor) -> torch.Tensor:
        from monai.networks.nets.swin_unetr import window_partition

        return window_partition(torch.roll(x, shifts=(-self.shift, -self.shift), dims=(1, 2)), (self.size, self.size))

    def paste(self, windows: torch.Tensor, height: int, width: int) -> torch.Tensor:
        from monai.networks.nets.swin_unetr import window_reverse

        batch = windows.shape[0] * self.size**2 // (height * width)
        return torch.roll(window_reverse(windows, (self.size, self.size), (batch, height, width)), shifts=(self.shift, self.shift), dims=(1, 2))

    def allowed(self, height: int, width: int) -> torch.Tensor:
        from monai.networks.nets.swin_unetr import compute_mask

        n = self.size**2
        if self.shift == 0:
            return torch.ones(height * width // n, n, n, dtype=torch.bool)
        return compute_mask([height, width], (self.size, self.size), (self.shift, self.shift), "cpu") == 0
