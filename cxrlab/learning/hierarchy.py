"""Training and asking a gate with a disease network behind it.

In:    a training in flight of a network that is `gated`; a frozen one and what it is fed.
Out:   the loss of both; where the gate is cut; logits with what was held back, and what that saved.
Never: external sites when the gate is cut; a flat model (report/hierarchy.py compares).
"""

import dataclasses
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import expit
from torch import nn

from cxrlab import policies
from cxrlab.learning import devices, feeds
from cxrlab.learning.efficiency import count_forward_flops
from cxrlab.losses import LOSSES
from cxrlab.losses.masked_bce import positive_weight
from cxrlab.metrics import choosing
from cxrlab.metrics.binary import confusion
from cxrlab.metrics.influence import codes_of
from cxrlab.metrics.rule_names import AIMED, MAX_F1, PREVALENCE, Rule
from cxrlab.metrics.thresholds import Threshold
from cxrlab.models import gating
from cxrlab.models.hierarchical import Hierarchical, plans_of
from cxrlab.progress import Progress

if TYPE_CHECKING:
    from cxrlab.learning.state import Training
    from cxrlab.models.base import Plan
    from cxrlab.spec import TrainSpec

FORMAT, VERSION = "cxrlab-hierarchy", 1


def weights_of(y_true: np.ndarray, labels: tuple[str, ...], balance: bool) -> np.ndarray:
    """Return (L,) float32, the weights of positives: a finding's are counted among abnormal rows, where it is trained.

    Args:
        y_true: (N, L) of the training rows, the last column "Abnormal".
        labels: names of the columns.
        balance: see masked_bce.positive_weight.
    """
    given = policies.given_abnormal(y_true, labels)
    trained = ~np.isnan(given).all(axis=0)
    out = np.ones(len(labels), np.float32)
    out[trained] = positive_weight(given[:, trained], balance)
    return out


class Gated(nn.Module):
    """Cross-entropy of the gate, and the run's loss of the findings of abnormal rows.

    The targets of other rows are masked already (policies.given_abnormal): conditional training, so that the product of
    both is a probability. Chen 2019, PMLR 102:109; Pham 2021, doi:10.1016/j.neucom.2020.03.127, first phase.

    A weight on positives moves a logit by its log. That is put in here, not taken off in scoring as for other networks:
    the product wants probabilities. The network then says them as they are.
    """

    def __init__(self, spec: "TrainSpec", pos_weight: torch.Tensor) -> None:
        super().__init__()
        wanted = spec.training
        plug_in = LOSSES[wanted.loss]
        self.loss = plug_in.make(wanted.loss_options, len(pos_weight) - 1)
        self.gate_loss = LOSSES["bce"].make(None, 1)
        shift = pos_weight.log()
        if not plug_in.calibrated:
            shift[:-1] = 0
        self.register_buffer("pos_weight", pos_weight, persistent=False)
        self.register_buffer("shift", shift, persistent=False)

    def forward(
        self,
        net: nn.Module,
        x: torch.Tensor,
        y: torch.Tensor,
        site: torch.Tensor,
        whole: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the loss of one batch, a scalar float32, or a part's share of it; see objectives.Labelled."""
        out = net(x).float() + self.shift
        of = None if whole is None else (~torch.isnan(whole)).sum(dim=0)
        findings, gate = slice(None, -1), slice(-1, None)
        return sum(
            loss(out[:, part], y[:, part], self.pos_weight[part], None if of is None else of[part])
            for loss, part in ((self.loss, findings), (self.gate_loss, gate))
        )


def settle(going: "Training") -> dict[str, object]:
    """Cut the gate of the chosen network on home's validation rows; return what efficiency.json says of it.

    The rule is model.options' own. Where too few validation rows are abnormal for max-F1, the threshold matches how many
    are, as for any label; where no threshold reaches the aim, nothing is held back.
    """
    from cxrlab.choices.networks import options_of

    net, rows = going.net, going.rows
    net.load_state_dict(going.best_tensors)
    wanted = options_of(going.spec.model)
    rule = Rule(wanted.rule, wanted.aim) if wanted.rule in AIMED else Rule(wanted.rule)
    logit = _gate_logits(net, going.feed.batches(rows.val, feeds.SCORING_BATCH))
    y = rows.y_true[rows.val, -1].astype(np.float64)
    found = _tuned(y, logit, _patients(going), rule, going.spec.seed)
    cut = -np.inf if found.why_nan else found.threshold
    net.cut.fill_(cut)
    going.best_tensors["cut"] = net.cut.detach().cpu().clone()
    counts = confusion(y, logit, cut)
    return {
        "rule": found.rule,
        "why_rule": found.why_rule or (f"nothing is held back: {found.why_nan}" if found.why_nan else ""),
        "tuned_on": f"{'+'.join(one.site for one, _ in rows.rows)} val",
        "threshold": float(expit(cut)),
        "low": _probability(found.low),
        "high": _probability(found.high),
        "sensitivity": counts.sensitivity,
        "specificity": counts.specificity,
        "n_pos": found.n_pos,
        "n_neg": found.n_neg,
        **flops_of(going.plan),
    }


def flops_of(plan: "Plan") -> dict[str, int]:
    """Return the operations of one image's forward pass through the gate, and through the disease network."""
    return {f"{which}_flops": count_forward_flops(one) for which, one in plans_of(plan).items()}


def _probability(logit: float) -> float | None:
    return None if np.isnan(logit) else float(expit(logit))


def _tuned(y: np.ndarray, logit: np.ndarray, patient: np.ndarray, rule: Rule, seed: int) -> Threshold:
    found = choosing.tune_label(y, logit, patient, rule, seed)
    if found.why_nan and rule.kind == MAX_F1 and found.n_pos and found.n_neg:
        other = choosing.tune_label(y, logit, patient, Rule(PREVALENCE), seed)
        return dataclasses.replace(other, why_rule=found.why_nan)
    return found


def _patients(going: "Training") -> np.ndarray:
    """Return (M,) int codes of the validation rows' patients; the same name at two homes is two people."""
    names = [f"{one.site}\0{p}" for one, index in going.rows.rows for p in one.rows["patient_id"].iloc[index]]
    return codes_of(np.array(names, object)[going.rows.val])


def _gate_logits(net: Hierarchical, batches: Iterable[torch.Tensor]) -> np.ndarray:
    net.eval()
    with devices.exact(), torch.inference_mode():
        return torch.cat([net.gate(x)[:, 0].float().cpu() for x in batches]).numpy().astype(np.float64)


@dataclass(frozen=True)
class Saving:
    """What a gate spared the disease network at one site.

    Seconds are the networks' own, measured while the site was scored.
    """

    site: str
    images: int
    passed: int
    threshold: float  # on the gate's probability
    cut: float | None  # the same on its logit, as it is compared; None: nothing is held back
    gate_flops: int  # of one image
    disease_flops: int
    gate_seconds: float
    disease_seconds: float
    device: str

    def to_json(self) -> dict[str, object]:
        """Return what hierarchy/<site>.json holds."""
        return {"format": FORMAT, "version": VERSION, **dataclasses.asdict(self)}


def joined(net: Hierarchical, x: torch.Tensor, none: int | None) -> torch.Tensor:
    """Return (B, L) float32 logits of one batch; the disease network sees the images alone that pass."""
    gate = net.gate(x)[:, 0].float()
    passed = net.passes(gate)
    disease = gate.new_zeros(len(x), net.plans["disease"].n_labels)
    if passed.any():
        disease[passed] = net.disease(x[passed]).float()
    return gating.joined(disease, gate, none, passed)


def ask(
    net: Hierarchical, feed: feeds.Feed, n: int, none: int | None, site: str, progress: Progress
) -> tuple[torch.Tensor, Saving]:
    """Ask the gate of all images, then the disease network of those that pass, in full batches.

    Args:
        net: frozen, in eval mode.
        feed: of the site's images.
        n: how many there are.
        none: see gating.none_of.
        site: for the record.
        progress: told of both.

    Returns:
        logits (n, L) float32 on the CPU, and what was saved.
    """
    clock = _Clock(net.cut.device)
    progress.stage(f"gate {site}", of=n)
    gate = torch.cat([out[:, 0] for out in clock.batches("gate", net.gate, feed, np.arange(n), progress)])
    passed = net.passes(gate)
    through = torch.nonzero(passed)[:, 0]
    disease = gate.new_zeros(n, net.plans["disease"].n_labels)
    progress.stage(f"score {site}", of=len(through))
    if len(through):
        at = through.cpu().numpy()
        disease[through] = torch.cat([*clock.batches("disease", net.disease, feed, at, progress)])
    flops = {f"{which}_flops": count_forward_flops(plan) for which, plan in net.plans.items()}
    saving = Saving(
        site=site,
        images=n,
        passed=len(through),
        threshold=float(net.cut.double().sigmoid()),
        cut=float(net.cut) if net.cut.isfinite() else None,
        gate_seconds=clock.seconds["gate"],
        disease_seconds=clock.seconds["disease"],
        device=net.cut.device.type,
        **flops,
    )
    return gating.joined(disease, gate, none, passed).cpu(), saving


class _Clock:
    """Seconds by network, waited for."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.seconds = device, {"gate": 0.0, "disease": 0.0}

    def batches(
        self, which: str, net: nn.Module, feed: feeds.Feed, positions: np.ndarray, progress: Progress
    ) -> Iterator[torch.Tensor]:
        """Yield what `net` says of the images at `positions`, float32."""
        done = 0
        for x in feed.batches(positions, feeds.SCORING_BATCH):
            devices.synchronize(self.device)
            start = time.perf_counter()
            out = net(x)
            devices.synchronize(self.device)
            self.seconds[which] += time.perf_counter() - start
            done += len(x)
            progress.step(done)
            yield out.float()
