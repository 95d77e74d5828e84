"""Where in a transformer a map can be read.

In:    a vision transformer of timm.
Out:   the same network, with one module whose output is (N, C, h, w).
Never: other weights, other numbers: the network says what it said before.
"""

import torch
from timm.layers import LayerNorm
from torch import nn


class PlacedNorm(LayerNorm):
    """A layer norm of tokens that shows its patches as a grid, for a hook to read and to replace.

    Source: the layer that Grad-CAM of a vision transformer is read at is the last block's first norm; later ones no
    longer pass from patches to the class token.
    """

    def __init__(self, norm: nn.LayerNorm, grid: tuple[int, int], n_prefix: int) -> None:
        super().__init__(norm.normalized_shape[0], eps=norm.eps, affine=norm.elementwise_affine)
        self.grid, self.n_prefix = grid, n_prefix
        self.as_grid = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the tokens normalised, (N, n_prefix + h * w, C)."""
        x = super().forward(x)
        if not self.as_grid._forward_hooks:  # nobody looks
            return x
        prefix, patches = x[:, : self.n_prefix], x[:, self.n_prefix :]
        placed = self.as_grid(patches.transpose(1, 2).unflatten(2, self.grid))
        return torch.cat([prefix, placed.flatten(2).transpose(1, 2)], dim=1)


def why_no_grid(vit: nn.Module) -> str:
    """Return why `show_grid` cannot be used on a timm network; "" when it can."""
    blocks = getattr(vit, "blocks", None)
    if not isinstance(blocks, nn.Sequential | nn.ModuleList) or not hasattr(vit, "num_prefix_tokens"):
        return "its layers keep no grid of places that a map could be read from."
    norm = getattr(blocks[-1], "norm1", None)
    if not isinstance(norm, nn.LayerNorm) or not hasattr(getattr(vit, "patch_embed", None), "grid_size"):
        return "its last layer normalises its tokens in a way that no map is read from here."
    return ""


def show_grid(vit: nn.Module) -> str:
    """Replace the last block's first norm by one that shows its grid; return the name of the module to hook."""
    last = len(vit.blocks) - 1
    vit.blocks[last].norm1 = PlacedNorm(
        vit.blocks[last].norm1, tuple(vit.patch_embed.grid_size), vit.num_prefix_tokens
    )
    return f"blocks.{last}.norm1.as_grid"
