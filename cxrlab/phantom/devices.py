"""What lies on a monitored chest: electrodes, their wires, sometimes a line or a tube.

In:    outlines of one anatomy.
Out:   optical depth of metal and plastic.
Never: findings: a wire is no illness, though a model may think so.
"""

import numpy as np

from cxrlab.phantom.anatomy import Outlines
from cxrlab.phantom.brush import SIZE, blur, canvas, disc, fill, spline, stroke, unit


def wires_depth(lines: Outlines) -> np.ndarray:
    """Return the optical depth of what lies on the chest, (SIZE, SIZE) float32."""
    rng = np.random.default_rng(lines.body.leads)
    layer = canvas()
    for _ in range(int(rng.integers(2, 5))):
        side = 1 if rng.random() < 0.5 else -1
        end = np.array([side * rng.uniform(0.16, 0.36), rng.uniform(0.14, 0.68)])
        start = np.array([rng.uniform(-0.5, 0.5), 1.02 if rng.random() < 0.6 else -0.02])
        bow = (start + end) / 2 + rng.normal(0, 0.11, 2)
        path = np.array([start, bow, end + rng.normal(0, 0.03, 2), end])
        stroke(layer, lines.place(spline(path, per=12, closed=False)), 1, 120)
        pad = lines.place(end)
        fill(pad + disc(10) * (0.013 * SIZE), into=layer, level=95)
        fill(pad + disc(8) * (0.0055 * SIZE), into=layer, level=230)
    if rng.random() < 0.4:  # a central line: down the great veins to the right heart
        side = -1 if rng.random() < 0.7 else 1
        path = [(side * 0.24, 0.10), (side * 0.12, 0.15), (-0.045, 0.24), (-0.055, 0.36), (-0.050, 0.44)]
        stroke(layer, lines.place(spline(np.array(path), per=8, closed=False)), 1, 130)
    if rng.random() < 0.3:  # a tube in the windpipe
        path = np.array([(0.0, -0.1), (0.004, 0.10), (0.004, 0.22)])
        stroke(layer, lines.place(spline(path, per=8, closed=False)), 2, 80)
    return blur(unit(layer), 0.6) * np.float32(1.1)
