"""What a run remembers of overlaps, so that every result can say them without the stores.

In:    overlaps, as the guard found them when a run was asked for.
Out:   `overlaps.json` in the run's folder; sentences for captions.
Never: stores, pixels; it is read by every page.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cxrlab import files
from cxrlab.errors import BadInput
from cxrlab.paths import RunPaths


@dataclass(frozen=True)
class Overlap:
    """One reason why an external site is not new to home."""

    home: str
    external: str
    why: str  # "kin", "patients" or "copies"
    says: str  # a sentence without its full stop
    n: int = 0  # patients or images of the external site that home trains on; 0 where nobody counted
    share: float = 0.0  # of the external site's patients or images
    examples: tuple[tuple[str, str], ...] = ()  # (image_id at home, image_id there), for copies
    is_fatal: bool = True  # False: worth knowing, no reason to refuse


def record(run: RunPaths, found: Sequence[Overlap]) -> None:
    """Add overlaps to those that the run's folder holds."""
    if not found:
        return
    known = {(one.home, one.external, one.why): one for one in (*recorded(run), *found)}
    files.write_json(run.overlaps, [asdict(one) for one in known.values()])


def recorded(run: RunPaths) -> tuple[Overlap, ...]:
    """Return the overlaps that were found when the run, or its scoring at a site, was asked for.

    Raises:
        BadInput: the file holds something else.
    """
    if not run.overlaps.exists():
        return ()
    said = files.read_json(run.overlaps)
    try:
        return tuple(_overlap(**one) for one in said)
    except TypeError as error:
        raise BadInput(f"{run.overlaps} holds no overlaps ({error}); remove it.") from error


def _overlap(examples: Sequence[Sequence[str]] = (), **fields: Any) -> Overlap:
    return Overlap(**fields, examples=tuple((str(a), str(b)) for a, b in examples))


def allowed(run: RunPaths) -> tuple[Overlap, ...]:
    """Return the overlaps that would have been refused, had nobody allowed them."""
    return tuple(one for one in recorded(run) if one.is_fatal)


def caption(run: RunPaths) -> str:
    """Return, for a caption, which sites were scored as external though home knows them; "" where none was.

    A few copies that nobody had to allow are said too.
    """
    sites = dict.fromkeys(one.external for one in allowed(run))
    minor = [one for one in recorded(run) if one.external not in sites]
    said = [f"overlapping sites allowed: {', '.join(sites)}"] if sites else []
    return "; ".join([*said, *(one.says.split(" (")[0] for one in minor)])
