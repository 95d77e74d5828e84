"""Fakes BRAX 1.1.0: five-year ages, sexes M, F and O, trailing characters in PngPath, one image as DICOM alone."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np

spec = importlib.util.spec_from_file_location(
    "chexpert_make", Path(__file__).parent.parent / "chexpert" / "make.py"
)
chexpert = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chexpert)

LABELS = (
    "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Lesion,Lung Opacity,Edema,Consolidation,Pneumonia,"
    "Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
# Not the order of any other set: lesion stands before opacity.
HEADER = (
    f"DicomPath,PngPath,PatientID,PatientSex,PatientAge,AccessionNumber,StudyDate,{LABELS},ViewPosition,Rows,Columns,"
    "Manufacturer"
)
ROWS = (  # patient, study, series, image, sex, age, cells, view
    ("id_a1", "Study_1.1", "Series_1.2", "image-001-1", "M", "85 or more", ",,1.0,,1.0,,,,,,,,,1.0", "PA"),
    ("id_a1", "Study_1.1", "Series_1.3", "image-001-2", "M", "85 or more", ",,1.0,,1.0,,,,,,,,,1.0", "L"),
    ("id_a2", "Study_2.1", "Series_2.2", "image-002-1", "F", "45", "1.0,,,,,,,,,,,,,", "AP"),
    ("id_a3", "Study_3.1", "Series_3.2", "image-003-1", "O", "50.0", ",,,1.0,,1.0,1.0,-1.0,,,,,,", "PA"),
    ("id_a4", "Study_4.1", "Series_4.2", "image-004-1", "F", "", ",,,,,,,1.0,1.0,0.0,1.0,1.0,,", ""),
    ("id_a5", "Study_5.1", "Series_5.2", "image-005-1", "F", "60", ",1.0,,,,,,,,1.0,,,1.0,", "AP LLD"),
    ("id_a6", "Study_6.1", "Series_6.2", "image-006-1", "M", "65", "1.0,,,,,,,,,,,,,", "RLO"),
    ("id_a7", "Study_7.1", "Series_7.2", "image-007-1", "M", "70", "1.0,,,,,,,,,,,,,", "LT-DECUB"),
    ("id_a8", "Study_8.1", "Series_8.2", "image-008-1", "M", "20", "1.0,,,,,,,,,,,,,", "RL"),
    ("id_a9", "Study_9.1", "Series_9.2", "image-009-1", "F", "30", "1.0,,,,,,,,,,,,,", "PA"),
    (
        "id_b1",
        "Study_b.1",
        "Series_b.2",
        "image-010-1",
        "F",
        "35",
        "1.0,,,,,,,,,,,,,",
        "PA",
    ),  # as DICOM alone
    ("id_b2", "Study_b.3", "Series_b.4", "image-011-1", "F", "35", "1.0,,,,,,,,,,,,,", "PA"),  # not there
    ("id_b3", "Study_b.5", "Series_b.6", "image-012-1", "F", "35", "1.0,,,,,,,,,,,,,", "PA"),
)
TRAILING = {"image-003-1": "-000001", "image-009-1": "  extra"}  # written behind `.png` in PngPath
DICOM_ALONE, ABSENT = "image-010-1", "image-011-1"


def fake_raw_folder(folder: Path) -> None:
    """Write the spreadsheet, PNG images (8 and 16 bit) and one DICOM file."""
    lines = []
    for k, (who, study, series, image, sex, age, cells, view) in enumerate(ROWS):
        below = f"{who}/{study}/{series}/{image}"
        png, dcm = f"images/{below}.png", f"Anonymized_DICOMs/{below}.dcm"
        lines.append(
            f"{dcm},{png}{TRAILING.get(image, '')},{who},{sex},{age},{k}00,20990101,{cells},{view},60,48,Vendor{k % 3}"
        )
        if image == DICOM_ALONE:
            write_dicom(folder / dcm)
        elif image != ABSENT:
            chexpert.write_picture(folder / png, k + 40)
    deep = np.random.default_rng(1).integers(0, 4096, (48, 60), np.uint16)
    cv2.imwrite(str(folder / "images/id_a9/Study_9.1/Series_9.2/image-009-1.png"), deep)
    (folder / "master_spreadsheet_update.csv").write_text("\n".join([HEADER, *lines]) + "\n")


def write_dicom(path: Path) -> None:
    """Write a MONOCHROME2 radiograph of twelve bits."""
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    made = pydicom.Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = DigitalXRayImageStorageForPresentation
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.3"
    pixels = np.random.default_rng(0).integers(0, 4096, (48, 60), np.uint16)
    made.Rows, made.Columns = pixels.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PixelData = pixels.tobytes()
    path.parent.mkdir(parents=True)
    made.save_as(path, enforce_file_format=True)
