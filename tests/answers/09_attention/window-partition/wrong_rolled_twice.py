# expect: window-partition-mask: compare the regions
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

        region = torch.zeros(height, width, dtype=torch.long)
        if self.shift:
            region[-self.shift:] += 1; region[:, -self.shift:] += 2
        region = self.cut(region[None, ..., None])[..., 0]     # marks rolled places, then rolls again
        return region[:, :, None] == region[:, None, :]
