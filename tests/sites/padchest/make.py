"""Fakes PadChest: its 36 columns behind an unnamed one, 12-bit grey in 16-bit PNGs, every odd cell that is known."""

import csv
from pathlib import Path

import cv2
import numpy as np

HEADER = (  # the first has no name
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,"
    "MethodProjection,Pediatric,Modality_DICOM,Manufacturer_DICOM,PhotometricInterpretation_DICOM,"
    "PixelRepresentation_DICOM,PixelAspectRatio_DICOM,SpatialResolution_DICOM,BitsStored_DICOM,WindowCenter_DICOM,"
    "WindowWidth_DICOM,Rows_DICOM,Columns_DICOM,XRayTubeCurrent_DICOM,Exposure_DICOM,ExposureInuAs_DICOM,ExposureTime,"
    "RelativeXRayExposure_DICOM,ReportID,Report,MethodLabel,Labels,Localizations,LabelsLocalizationsBySentence,"
    "labelCUIS,LocalizationsCUIS"
)
BAD = "216840111366964012373310883942009183085424538_00 - 030 - 080"  # one of the known-bad ones, with its spaces
STEM = "2168401113669640130761877348520112910904{:05d}_00-196-{:03d}"
# key, folder, patient, birth, sex, projection, view position, photometric, labeller, labels
ROWS = (
    ("normal", "0", "8" * 38, "1960.0", "M", "PA", "", "MONOCHROME2", "Physician", "['normal']"),
    ("spaces", "0", "8" * 38, "1960.0", "M", "AP_horizontal", "", "MONOCHROME2", "RNN_model",
     "[' pneumonia', '', 'Pleural  effusion']"),
    ("lateral", "0", "8" * 38, "1960.0", "M", "L", "LATERAL", "MONOCHROME2", "Physician", "['normal']"),
    ("substring", "1", "a1", "1931", "F", "AP", "", "MONOCHROME2", "Physician",
     "['abnormal foreign body', 'pericardial effusion', 'pseudonodule', 'breast mass', 'subcutaneous emphysema']"),
    ("child", "1", "a2", "2010.0", "F", "PA", "", "MONOCHROME2", "Physician", "['lobar atelectasis', 'mass']"),
    ("exclude", "1", "a3", "1950", "F", "PA", "", "MONOCHROME2", "RNN_model", "['exclude']"),
    ("suboptimal", "54", "a4", "", "O", "PA", "", "MONOCHROME2", "RNN_model", "['suboptimal study', 'NSG tube']"),
    ("unchanged", "54", "a5", "2052.0", "?", "", "POSTEROANTERIOR", "MONOCHROME2", "RNN_model",
     "['unchanged', 'cardiomegaly']"),
    ("nolabels", "54", "a6", "1850", "M", "UNK", "", "MONOCHROME2", "RNN_model", ""),
    ("costal", "54", "a7", "1950", "M", "COSTAL", "", "MONOCHROME2", "Physician", "['rib fracture']"),
    ("negative", "54", "a8", "1950", "M", "PA", "", "MONOCHROME1", "Physician", "['kerley lines']"),
    ("positive", "54", "a9", "1950", "M", "PA", "", "MONOCHROME1", "Physician", "['hydropneumothorax']"),
    ("device", "54", "a9", "1950", "M", "PA", "", "MONOCHROME2", "Physician", "['pacemaker']"),
    ("torn", "54", "b1", "1950", "M", "PA", "", "MONOCHROME2", "Physician", "['normal'"),
    ("gone", "54", "b2", "1950", "M", "PA", "", "MONOCHROME2", "Physician", "['normal']"),
    ("bad", "54", "b3", "1950", "M", "PA", "", "MONOCHROME2", "Physician", "['normal']"),
    ("old-unchanged", "54", "b4", "1950", "M", "PA", "", "MONOCHROME2", "Physician", "['unchanged']"),
)  # fmt: skip
IDS = {row[0]: BAD if row[0] == "bad" else STEM.format(i, i) for i, row in enumerate(ROWS)}


def chest(rng: np.random.Generator, height: int = 72, width: int = 64) -> np.ndarray:
    """Return (H, W) float of about 0 to 1: spine bright, lungs dark, air at the upper corners black."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    body = 0.55 * (((x - 0.5) / 0.48) ** 2 + ((y - 0.75) / 0.72) ** 2 < 1)
    lungs = 0.4 * ((((abs(x - 0.5) - 0.22) / 0.14) ** 2 + ((y - 0.5) / 0.3) ** 2) < 1)
    spine = 0.4 * (abs(x - 0.5) < 0.08)
    return np.clip(body - lungs + spine + rng.normal(0, 0.02, body.shape), 0, 1)


def fake_raw_folder(folder: Path) -> None:
    """Write 17 rows and 16 files, one of which no row names."""
    rng = np.random.default_rng(0)
    with (folder / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv").open("w", newline="") as opened:
        table = csv.DictWriter(opened, next(csv.reader([HEADER])), quoting=csv.QUOTE_NONNUMERIC)
        table.writeheader()
        for i, row in enumerate(ROWS):
            key, where, patient, birth, sex, shown, position, photometric, labeller, labels = row
            table.writerow(
                {
                    "": str(i), "ImageID": IDS[key] + ".png", "ImageDir": where, "StudyDate_DICOM": "20140915",
                    "StudyID": patient[:6] + "S", "PatientID": patient, "PatientBirth": birth, "PatientSex_DICOM": sex,
                    "ViewPosition_DICOM": position, "Projection": shown, "Pediatric": "PED" if key == "child" else "No",
                    "Manufacturer_DICOM": "PhilipsMedicalSystems", "PhotometricInterpretation_DICOM": photometric,
                    "Report": 'sin cambios , "torax"\nsegunda linea', "MethodLabel": labeller, "Labels": labels,
                    "labelCUIS": "['C0205307' 'C0032285']",
                }
            )  # fmt: skip
            if key != "gone":
                picture = chest(rng) if key != "negative" else 1 - chest(rng)
                path = folder / "images" / where / (IDS[key] + ".png")
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), (300 + 3700 * picture).astype(np.uint16))
    cv2.imwrite(str(folder / "images" / "54" / "stray.png"), (4000 * chest(rng)).astype(np.uint16))
