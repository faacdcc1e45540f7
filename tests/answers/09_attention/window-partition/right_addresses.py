class Windows:
    def __init__(self, size, shift=0): self.size, self.shift = size, shift
    def cut(self, x):
        s, w = self.shift, self.size
        x = torch.roll(x, (-s, -s), dims=(1, 2))
        B, H, W, C = x.shape
        return x.reshape(B, H // w, w, W // w, w, C).permute(0, 1, 3, 2, 4, 5).reshape(-1, w * w, C)
    def paste(self, windows, height, width):
        w, s = self.size, self.shift
        x = windows.reshape(-1, height // w, width // w, w, w, windows.shape[-1]).permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, windows.shape[-1])
        return torch.roll(x, (s, s), dims=(1, 2))
    def allowed(self, height, width):

        # true neighbours: in the window the distance in the rolled grid is the distance in the image
        w = self.size
        at = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1)[None]
        t = self.cut(at)
        far = (t[:, :, None] - t[:, None]).abs().amax(-1)
        return far < w if self.shift else torch.ones_like(far, dtype=torch.bool)
