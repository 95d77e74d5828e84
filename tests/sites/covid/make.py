"""Fakes the ieee8023 collection: current columns with the empty last one, CT, lateral and unannotated rows."""

from pathlib import Path

import cv2
import numpy as np

HEADER = (
    "patientid,offset,sex,age,finding,RT_PCR_positive,survival,intubated,intubation_present,went_icu,in_icu,"
    "needed_supplemental_O2,extubated,temperature,pO2_saturation,leukocyte_count,neutrophil_count,lymphocyte_count,"
    "view,modality,date,location,folder,filename,doi,url,license,clinical_notes,other_notes,"
)
ROWS = (  # patient, offset, sex, age, finding, view, modality, file
    ("2", "0", "M", "65", "Pneumonia/Viral/COVID-19", "PA", "X-ray", "a.jpg"),
    ("2", "3", "M", "65", "COVID-19, ARDS", "AP Supine", "X-ray", "b.jpeg"),
    ("4", "", "F", "", "No Finding", "", "X-ray", "c.png"),
    ("5", "1", "", "40", "ARDS", "?", "X-ray", "d.png"),
    ("6", "1", "F", "52", "todo", "AP", "X-ray", "e.png"),
    ("7", "1", "F", "33", "Tuberculosis", "PA", "X-ray", "f.png"),
    ("8", "1", "F", "33", "Pneumonia", "L", "X-ray", "g.png"),
    ("9", "1", "F", "33", "Pneumonia/Viral/COVID-19", "Axial", "CT", "h.png"),
    ("10", "1", "F", "33", "Pneumonia/Bacterial/Klebsiella", "PA", "X-ray", "gone.png"),
)


def fake_raw_folder(folder: Path) -> None:
    """Write nine rows and eight images."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    lines = [HEADER]
    for patient, offset, sex, age, finding, view, modality, file in ROWS:
        quoted = f'"{finding}"' if "," in finding else finding
        cells = [
            patient,
            offset,
            sex,
            age,
            quoted,
            *[""] * 13,
            view,
            modality,
            '"May 1, 2020"',
            '"Hanoi, Vietnam"',
        ]
        lines.append(",".join([*cells, "images", file, "", "", "", '"first line\nsecond, line"', "", ""]))
        if file != "gone.png":
            cv2.imwrite(str(folder / "images" / file), rng.integers(0, 255, (50, 70), np.uint8))
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
