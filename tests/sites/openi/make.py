"""Fakes OpenI: small reports as XML with curated and automatic heads, and their PNGs; or Kaggle's two tables."""

from pathlib import Path

import cv2
import numpy as np

REPORTS = (  # number, curated heads, images
    (1, ("normal",), ("IM-0001-3001", "IM-0001-4001")),
    (
        2,
        ("Cardiomegaly/borderline", "Pulmonary Atelectasis/base/left/mild"),
        ("IM-0652-1001", "IM-0652-2001"),
    ),
    (3, ("Pneumonia/upper lobe/right", "Opacity/lung/upper lobe"), ("IM-1384-1001",)),
    (4, ("Hydropneumothorax/left",), ("IM-2050-1001",)),
    (5, ("No Indexing",), ("IM-2117-1003002",)),
    (6, ("Technical Quality of Image Unsatisfactory ", "Nodule/lung/lingula"), ("IM-2192-1001",)),
    (7, ("Pneumonia, Aspiration/lower lobe", "Hernia, Hiatal"), ("IM-2263-1001",)),
    (8, ("Pleural Effusion/right", "Catheters, Indwelling/right"), ("IM-2333-1001",)),
    (9, (), ("IM-2400-1001",)),
    (10, ("normal",), ()),  # 104 real reports have no image
    (11, ("Mass/mediastinum", "Thoracic Vertebrae/degenerative"), ("IM-0067-1001",)),  # its file is not there
)
XML = """<?xml version="1.0" encoding="utf-8"?>
<eCitation><meta type="rr"/><uId id="CXR{number}"/><pmcId id="{number}"/>
<MedlineCitation Owner="Indiana University" Status="supplied by publisher"><Article><Abstract>
<AbstractText Label="FINDINGS">No pneumothorax &amp; no effusion.</AbstractText></Abstract></Article></MedlineCitation>
<MeSH>{majors}<automatic>pneumothorax</automatic></MeSH>
{images}</eCitation>
"""


def name_of(number: int, image: str) -> str:
    return f"CXR{number}_{number}_{image}"


def fake_raw_folder(folder: Path) -> None:
    """Write eleven reports, ten of their images, and one image of no report."""
    reports = folder / "ecgen-radiology"
    reports.mkdir()
    (folder / "images").mkdir()
    for number, majors, images in REPORTS:
        text = XML.format(
            number=number,
            majors="".join(f"<major>{major}</major>" for major in majors),
            images="".join(
                f'<parentImage id="{name_of(number, image)}"><figureId>F1</figureId><caption>Xray Chest PA and Lateral'
                "</caption></parentImage>"
                for image in images
            ),
        )
        (reports / f"{number}.xml").write_text(text)
        for image in images:
            if number != 11:
                write_image(folder / "images" / f"{name_of(number, image)}.png", number)
    write_image(folder / "images" / "CXR99_99_IM-9999-1001.png", 99)


def fake_kaggle_folder(folder: Path) -> None:
    """Write the same as Kaggle re-packs it; the second image of a report is the lateral one."""
    (folder / "images" / "images_normalized").mkdir(parents=True)
    reports = ["uid,MeSH,Problems,image,indication,comparison,findings,impression"]
    shown = ["uid,filename,projection"]
    for number, majors, images in REPORTS:
        reports.append(
            f'{number},"{";".join(majors)}",x,Xray Chest PA and Lateral,"a, b",None.,"two\nlines",none'
        )
        for k, image in enumerate(images):
            shown.append(f"{number},{number}_{image}.dcm.png,{'Lateral' if k else 'Frontal'}")
            if number != 11:
                write_image(folder / "images" / "images_normalized" / f"{number}_{image}.dcm.png", number)
    (folder / "indiana_reports.csv").write_text("\n".join(reports) + "\n")
    (folder / "indiana_projections.csv").write_text("\n".join(shown) + "\n")


def write_image(path: Path, number: int) -> None:
    rng = np.random.default_rng(number)
    y, x = np.mgrid[0:60, 0:50]
    picture = 90 + 80 * np.cos((x - 25) / 9) + 20 * np.sin(y / 7) + rng.normal(0, 4, (60, 50))
    cv2.imwrite(str(path), np.clip(picture, 0, 255).astype(np.uint8))
