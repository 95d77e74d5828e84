"""Fakes a hospital's export: people's names in folders, files and headers, many formats, and what is no radiograph.

Ten images can be used; every other file is there for a reason. `secrets()` lists what must not leave the folder.
"""

from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from tests import fake_dicom

NAMES = ("Gruber", "Okonkwo", "Yamada", "Lindqvist", "Fernandez", "Zhang", "Petrov", "Haddad")
ROWS = (  # person, view, sex, age, depth, packed, further facts
    (0, "PA", "M", "061Y", 12, "", {"WindowCenter": 2048, "WindowWidth": 3600}),
    (0, "AP", "M", "062Y", 12, "j2k", {"WindowCenter": [2000, 100], "WindowWidth": [3000, 5]}),
    (1, "PA", "F", "093Y", 12, "", {"PhotometricInterpretation": "MONOCHROME1"}),
    (2, "PA", "F", "", 10, "", {"Manufacturer": "FUJI PHOTO FILM Co., ltd."}),  # the age by the dates
    (3, "AP", "M", "018M", 14, "", {"RescaleSlope": 1, "RescaleIntercept": 0}),
    (4, "", "O", "044Y", 8, "jpeg", {"Modality": "CR"}),
    (5, "PA", "F", "033Y", 16, "j2k", {"Manufacturer": "Dr Gruber's workshop"}),
    (6, "PA", "M", "155Y", 12, "", {"BodyPartExamined": None}),
    (7, "PA", "F", "070Y", 12, "", {"PatientID": "ANONYMOUS"}),
    (7, "PA", "F", "070Y", 12, "", {"PatientID": "", "suffix": ""}),  # a file without suffix
)
LEFT_OUT = (  # why, further facts
    ("lateral view", {"ViewPosition": "LL"}),
    ("modality CT", {"Modality": "CT"}),
    ("modality another", {"Modality": "GRUBERSCAN"}),
    ("body part HAND", {"BodyPartExamined": "HAND"}),
    ("body part another part", {"BodyPartExamined": "GRUBER TOE"}),
    ("burned into", {"BurnedInAnnotation": "YES"}),
    ("2 frames", {"NumberOfFrames": 2}),
    ("second copy", {"SOPInstanceUID": "1.2.826.0.1.1.1000"}),
)


def phi(k, person):
    """Every tag that can tell who or where, each with a value found nowhere else in image k."""
    name = NAMES[person]
    return {
        "PatientName": f"{name}^Erika{k}", "PatientID": f"MRN-{person}-88", "PatientBirthDate": f"195{k % 10}0311",
        "PatientBirthTime": f"0432{k:02d}.771100", "PatientAddress": f"Lindenallee {k} Hinterhaus", "OtherPatientIDs": f"OLDMRN{k:03d}77",
        "OtherPatientNames": f"Geboren{k}^Schmidtke", "PatientMotherBirthName": f"Mutter{k}^Kowalskaja",
        "PatientTelephoneNumbers": f"+49 30 5550{k:03d}", "PatientComments": f"Comment {k} Pacemaker since childhood",
        "EthnicGroup": f"Ethnic{k}grp", "Occupation": f"Lampkeeper{k}x", "AccessionNumber": f"ACC{k:04d}9931",
        "StudyInstanceUID": f"1.2.826.0.1.7.7{k}4477", "SeriesInstanceUID": f"1.2.826.0.1.8.7{k}5588",
        "SOPInstanceUID": f"1.2.826.0.1.1.{1000 + k}", "FrameOfReferenceUID": f"1.2.826.0.1.9.7{k}6699", "StudyID": f"STUDYNO{k}55",
        "ReferringPhysicianName": f"Referrer{k}^Hofstadter", "PerformingPhysicianName": f"Performer{k}^Oduya",
        "OperatorsName": f"Operator{k}^Vandermeer", "RequestingPhysician": f"Requester{k}^Takahashi",
        "InstitutionName": f"Klinikum Sonnenberg {k}", "InstitutionAddress": f"Sonnenberg {k} Strasse",
        "InstitutionalDepartmentName": f"Radiologie Flur {k}", "StationName": f"STATION{k}ROOM", "DeviceSerialNumber": f"SN{k}8812",
        "StudyDate": f"2019{k % 12 + 1:02d}17", "SeriesDate": f"2019{k % 12 + 1:02d}18", "AcquisitionDate": f"2019{k % 12 + 1:02d}19",
        "ContentDate": f"2019{k % 12 + 1:02d}21", "StudyTime": f"10{k:02d}55.123456", "SeriesTime": f"11{k:02d}44.321654",
        "StudyDescription": f"Thorax of Mrs {name} {k}", "SeriesDescription": f"series for {name} {k}",
        "ImageComments": f"seen with {name} {k}", "ProtocolName": f"protocol {name} {k}", "InsurancePlanIdentification": f"INS{k}4242",
        "MilitaryRank": f"Captain{k}x", "RequestedProcedureDescription": f"asked for {name} {k}", "IssuerOfPatientID": f"ISSUER{k}HOSP",
    }  # fmt: skip


def private_texts(k):
    """The values of image k's private tags and of its nested ones."""
    return [f"privatename{k}Gruberova", f"nestedname{k}Okafor"]


def one(folder, k, person, bits=12, **facts):
    """Write image k of a person into a folder that bears the person's name."""
    suffix = facts.pop("suffix", ".dcm")
    said = {
        **phi(k, person), "Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "PA",
        "Manufacturer": "SIEMENS", "PatientOrientation": ["L", "F"], **facts,
    }  # fmt: skip
    pixels = fake_dicom.picture(k, bits)
    if said.get("NumberOfFrames") == 2:
        pixels = fake_dicom.picture(k, bits, (112, 48))
        said["Rows"] = 56
    path = folder / f"{NAMES[person]}_Erika" / f"exam {k}" / f"{NAMES[person]}-{k}{suffix}"
    fake_dicom.write(path, pixels, said.pop("packed", ""), bits=bits, **said)
    opened = pydicom.dcmread(path)
    block = opened.private_block(0x0029, "ACME VIEWER", create=True)
    block.add_new(0x01, "LO", private_texts(k)[0])
    nested = Dataset()
    nested.PatientName = private_texts(k)[1]
    opened.RequestAttributesSequence = [nested]
    opened.save_as(path)
    return path


def secrets():
    """Every text of the usable and unusable images that may tell who it is."""
    told = [str(value) for k in range(20) for value in phi(k, k % 8).values()]
    told += [str(value) for k, row in enumerate(ROWS) for value in phi(k, row[0]).values()]
    told += [text for k in range(20) for text in private_texts(k)]
    names = [part for text in told for part in text.split("^")]
    return sorted({*told, *names, *NAMES, "Erika", "workshop", "GRUBER", "exam 1", "labels of Gruber"} - {""})


def fake_raw_folder(folder: Path) -> None:
    """Write ten usable images, eight DICOMs that are none, other files, and a table keyed by accession number."""
    lines = ["AccessionNumber,Pneumonia,Cardiomegaly,No Finding,remark"]
    for k, (person, view, sex, age, bits, packed, facts) in enumerate(ROWS):
        one(
            folder,
            k,
            person,
            bits,
            packed=packed,
            ViewPosition=view,
            PatientSex=sex,
            PatientAge=age or None,
            **facts,
        )
        cells = ("1,0,0", "0,1,0", "0,0,1", ",-1,0", "1.0,,")[k % 5]
        lines.append(f"{phi(k, person)['AccessionNumber']},{cells},told by {NAMES[person]}")
    for j, (_, facts) in enumerate(LEFT_OUT):
        one(folder, 10 + j, j % 8, **{"PatientAge": "050Y", **facts})
        lines.append(f"{phi(10 + j, j % 8)['AccessionNumber']},0,0,1,")
    one(folder, 18, 2, PatientAge="050Y")  # the table does not name it
    lines += ["ACC-of-Gruber-404,1,0,0,", f"{phi(0, 0)['AccessionNumber']},0,0,0,again"]
    (folder / "labels of Gruber.csv").write_text("\n".join(lines) + "\n")
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (folder / "notes about Gruber.txt").write_text("no image")
    (folder / "Gruber broken.dcm").write_bytes(b"Gruber, Erika: no DICOM at all " * 20)
