"""GSAM: SAM that also closes the gap between the loss here and uphill.

In:    a network, GsamOptions.
Out:   a driver of pytorch_optimizer.GSAM around AdamW; rho falls with the learning rate.
Never: the library's averaging over processes: DistributedDataParallel has averaged both gradients already.

Source: Zhuang 2022, arXiv:2203.08065: rho = rho_min + (rho_max − rho_min) · rate / peak. The paper subtracts the least
rate in both; we take zero for it, so that any schedule will do.
"""

import torch
from pytorch_optimizer import GSAM
from pytorch_optimizer.lr_scheduler.proportion import ProportionScheduler
from torch import nn

from cxrlab.choices.optimizer_options import GsamOptions
from cxrlab.optimizers.base import Closure, Driver, groups_of, plug_in
from cxrlab.optimizers.sharp import CopyingDriver


class _Rate:
    """What ProportionScheduler reads a learning rate from."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer


class GsamDriver(CopyingDriver):
    """The library's perturbation and decomposition."""

    def step(self, closure: Closure, scaler: torch.amp.GradScaler | None = None) -> torch.Tensor:
        """Descend once, with rho for the rate of this step; see SharpDriver.step."""
        self.optimizer.update_rho_t()
        return super().step(closure, scaler)

    def _climb(self) -> None:
        self._copy()
        self.optimizer.perturb_weights(self.optimizer.rho_t)
        self._drop("e_w")

    def _descend(self) -> None:
        self.optimizer.gradient_decompose(self.optimizer.alpha)
        self._put_back()
        self._clip()
        self.base.step()
        self._drop("old_g")


@plug_in("gsam")
def drive(net: nn.Module, options: GsamOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    base = torch.optim.AdamW(groups_of(net, weight_decay), lr=learning_rate, fused=True)
    rho = ProportionScheduler(
        _Rate(base), max_lr=learning_rate, max_value=options.rho, min_value=options.rho_min
    )
    optimizer = GSAM(base.param_groups, base, net, rho, alpha=options.alpha, adaptive=options.adaptive)
    return GsamDriver("gsam", net, optimizer, base, learning_rate)
