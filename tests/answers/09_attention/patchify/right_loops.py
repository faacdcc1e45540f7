class Patches:
    def __init__(self, size: int) -> None:
        self.size = size

    def places(self, height, width):
        p = self.size
        return [(r, c) for r in range(0, height, p) for c in range(0, width, p)]

    def cut(self, images: torch.Tensor) -> torch.Tensor:
        p, (h, w) = self.size, images.shape[2:]
        if h // p * p != h or w // p * p != w:
            raise ValueError("the patches don't fill the image")
        return torch.stack([images[:, :, r : r + p, c : c + p].flatten(1) for r, c in self.places(h, w)], 1)

    def paste(self, tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
        p = self.size
        out = tokens.new_zeros(len(tokens), tokens.shape[2] // p**2, height, width)
        for i, (r, c) in enumerate(self.places(height, width)):
            out[:, :, r : r + p, c : c + p] = tokens[:, i].reshape(len(tokens), -1, p, p)
        return out
