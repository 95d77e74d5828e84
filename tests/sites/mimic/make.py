"""Fakes MIMIC-CXR-JPG: gzipped tables in their own order of columns, both labellers, MIMIC-IV's patients."""

import gzip
import importlib.util
from pathlib import Path

spec = importlib.util.spec_from_file_location(
    "chexpert_make", Path(__file__).parent.parent / "chexpert" / "make.py"
)
chexpert = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chexpert)

LABELS = (
    "Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,Lung Opacity,No Finding,"
    "Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
)
METADATA = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
    "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning"
)
IMAGES = (  # dicom, subject, study, view, date, split
    ("02aa804e", "10000032", "50414267", "PA", "21800506", "train"),
    ("174413ec", "10000032", "50414267", "LATERAL", "21800506", "train"),
    ("2a2277a9", "10000032", "53189527", "AP", "21810626", "train"),
    ("e084de3b", "10000764", "57375967", "", "21321015", "train"),  # no view
    ("68b5c4b1", "10000764", "57375967", "LL", "21321015", "train"),
    ("d8bd5dcf", "10000898", "50771383", "AP", "21880603", "validate"),  # no label row
    ("096052b7", "10000935", "51178377", "PA", "21830720", "test"),
    ("8959e402", "10000935", "56522600", "AP", "21870823", "test"),  # all cells blank
    ("0a3b31ed", "10000980", "58206436", "AP LLD", "21910104", "train"),
    ("1b2c3d4e", "10000980", "58206437", "RLO", "21910105", "train"),
    ("ffff0000", "10000980", "58206438", "AP", "21910106", "train"),  # not there
    ("5f5f5f5f", "10001038", "58206439", "PA", "21500101", "train"),
)
CHEXPERT = {  # (subject, study) → cells in the table's own order
    ("10000032", "50414267"): ",,,,,,,,1.0,,,,,",
    ("10000032", "53189527"): "1.0,1.0,1.0,1.0,1.0,1.0,1.0,,,,,,0.0,1.0",
    ("10000764", "57375967"): ",,1.0,,,,,-1.0,,1.0,1.0,-1.0,1.0,",
    ("10000935", "51178377"): ",,,,,,,1.0,,,,,,",
    ("10000935", "56522600"): ",,,,,,,,,,,,,",
    ("10000980", "58206436"): "0.0,1.0,,,,,,,,,,1.0,,",
    ("10000980", "58206437"): ",,,,,,,,1.0,,,,,",
    ("10000980", "58206438"): ",,,,,,,,1.0,,,,,",
    ("10001038", "58206439"): ",,,,,,,,1.0,,,,,",
}
PATIENTS = (
    ("10000032", "F", "52", "2180"),
    ("10000764", "M", "86", "2132"),
    ("10000898", "F", "0", "2188"),
    ("10000935", "F", "52", "2182"),
    ("10000980", "F", "91", "2190"),
)
LABELLED = "Airspace Opacity"  # the test set's name of Lung Opacity


def fake_raw_folder(folder: Path) -> None:
    """Write the tables, twelve images but one, and MIMIC-IV's patients."""
    for dicom, subject, study, *_ in IMAGES:
        if dicom != "ffff0000":
            chexpert.write_picture(folder / f"files/p10/p{subject}/s{study}/{dicom}.jpg", int(dicom, 16) % 97)
    rows = [
        f"{d},{who},{s},CHEST,{v},3056,2544,{date},213014.53,CHEST,view,Erect"
        for d, who, s, v, date, _ in IMAGES
    ]
    write(folder / "mimic-cxr-2.0.0-metadata.csv.gz", METADATA, rows)
    rows = [f"{d},{s},{who},{part}" for d, who, s, _, _, part in IMAGES]
    write(folder / "mimic-cxr-2.0.0-split.csv.gz", "dicom_id,study_id,subject_id,split", rows)
    rows = [f"{who},{s},{cells}" for (who, s), cells in CHEXPERT.items()]
    write(folder / "mimic-cxr-2.0.0-chexpert.csv.gz", f"subject_id,study_id,{LABELS}", rows)
    rows = [f"{who},{s},{cells.replace('-1.0', '0.0')}" for (who, s), cells in CHEXPERT.items()]
    write(folder / "mimic-cxr-2.0.0-negbio.csv", f"subject_id,study_id,{LABELS}", rows)
    rows = [f"{who},{sex},{age},{year},2014 - 2016," for who, sex, age, year in PATIENTS]
    write(folder / "patients.csv.gz", "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod", rows)


def write_test_labels(folder: Path) -> None:
    """Write 2.1.0's labelled test set, one study of it."""
    header = "study_id," + LABELS.replace("Lung Opacity", LABELLED)
    write(folder / "mimic-cxr-2.1.0-test-set-labeled.csv", header, ["51178377,0,1,0,0,1,0,0,0,0,0,0,0,0,1"])


def write(path: Path, header: str, rows: list[str]) -> None:
    """Write a table, gzipped when its name says so."""
    text = "\n".join([header, *rows]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
