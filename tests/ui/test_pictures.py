import numpy as np
import pandas as pd

from cxrlab import store
from cxrlab.ui import pictures


def test_a_phantom_label_that_its_own_mask_contradicts_is_called_wrong(lab):
    n, px = 3, 28
    rows = pd.DataFrame({c: [""] * n if kind == "str" else [0] * n for c, kind in store.ROW_COLUMNS.items()})
    rows["image_id"] = rows["patient_id"] = [f"i{k}" for k in range(n)]
    mask = np.zeros((n, px, px), bool)
    mask[0, 5:9, 5:9] = True
    for site, synthetic in (("phantom", True), ("hospital", False)):
        store.write(
            lab.store(site),
            store.Header(site=site, title="", source="", labels=("Lung Lesion",), synthetic=synthetic),
            rows,
            np.ones((n, 1), np.int8),
            iter(np.zeros((n, px, px), np.uint8)),
            masks={"Lung Lesion": mask},
        )
    assert pictures.doubt("phantom", 0, "Lung Lesion", True) == ""
    assert "was not drawn" in pictures.doubt("phantom", 1, "Lung Lesion", True)
    assert "was drawn" in pictures.doubt("phantom", 0, "Lung Lesion", False)
    assert pictures.doubt("hospital", 1, "Lung Lesion", True) == "", "a real site's mask may just be missing"
