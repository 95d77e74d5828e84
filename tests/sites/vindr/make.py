"""Fakes VinDr-CXR in PhysioNet's layout, and `kaggle` in Kaggle's: three readers an image, JPEG 2000 and MONOCHROME1 among."""

from pathlib import Path

from tests import fake_dicom

LABELS = (
    "Aortic enlargement,Atelectasis,Calcification,Cardiomegaly,Clavicle fracture,Consolidation,Edema,Emphysema,Enlarged PA,"
    "ILD,Infiltration,Lung Opacity,Lung cavity,Lung cyst,Mediastinal shift,Nodule/Mass,Pleural effusion,Pleural thickening,"
    "Pneumothorax,Pulmonary fibrosis,Rib fracture,Other lesion,COPD,Lung tumor,Pneumonia,Tuberculosis,{other},No finding"
)
NATIVE = LABELS.format(other="Other diseases").split(",")
READ = {  # image → what each of three readers saw; None: a cell left blank
    "000a": (["Cardiomegaly", "Pneumonia"], ["Cardiomegaly"], ["Atelectasis", "Other diseases"]),
    "000b": (["Nodule/Mass"], ["Lung tumor"], ["ILD"]),
    "000c": (["No finding"], ["No finding"], ["No finding"]),
    "000d": (["Edema", "Emphysema"], ["Edema"], ["Edema"]),
    "000e": (["Pleural effusion"], ["No finding"], ["No finding"]),
    "000f": (["Aortic enlargement", "Rib fracture"], ["Aortic enlargement"], ["Aortic enlargement", "Infiltration"]),
    "00aa": (["Consolidation"], ["Consolidation", "Pneumothorax"], ["Consolidation"]),  # no such file
}  # fmt: skip
AGREED = {
    "0010": ["Pleural thickening"],
    "0011": ["No finding"],
    "0012": ["Pulmonary fibrosis", "Other disease"],
}
# image → size (h, w), bits, packed, further facts
FILES = {
    "000a": (
        (60, 40),
        12,
        "",
        {"WindowCenter": 2048, "WindowWidth": 3800, "PatientSex": "M", "PatientAge": "061Y"},
    ),
    "000b": ((48, 56), 14, "j2k", {"PatientSex": "F", "PatientAge": "000Y"}),
    "000c": ((48, 56), 12, "", {"PhotometricInterpretation": "MONOCHROME1", "PatientAge": "238Y"}),
    "000d": ((48, 56), 14, "", {}),
    "000e": ((48, 56), 12, "j2k", {"PatientSex": "O", "PhotometricInterpretation": "MONOCHROME1"}),
    "000f": ((48, 56), 12, "", {"RescaleSlope": 1, "RescaleIntercept": 0}),
    "0010": ((48, 56), 12, "", {}),
    "0011": ((48, 56), 12, "", {}),
    "0012": ((48, 56), 12, "", {}),
}
BOXES = (  # image, reader, class, corners
    ("000a", "R8", "Cardiomegaly", 10, 30, 30, 45),
    ("000a", "R9", "Cardiomegaly", 12, 30, 50, 45),  # beyond the right side
    ("000a", "R10", "Atelectasis", 1, 1, 5, 5),  # the vote did not carry it
    ("000b", "R8", "Nodule/Mass", 14, 12, 28, 24),
    ("000f", "R8", "Aortic enlargement", 1, 1, 9, 9),
)


def write_image(path, image, n):
    size, bits, packed, facts = FILES[image]
    fake_dicom.write(
        path, fake_dicom.picture(n, bits, size), packed, bits=bits, PatientID="", Modality="DX", **facts
    )


def fake_raw_folder(folder: Path) -> None:
    """Write PhysioNet's layout: nine images, six of them read by three, three by a consensus; one file unnamed."""
    notes = folder / "annotations"
    notes.mkdir()
    lines = ["image_id,rad_id," + LABELS.format(other="Other diseases")]
    for image, readers in READ.items():
        for reader, seen in zip(("R8", "R9", "R10"), readers, strict=True):
            cells = [f"{float(name in seen)}" for name in NATIVE]  # the column holds floats
            if image == "000d" and reader == "R10":
                cells[NATIVE.index("Emphysema")] = ""  # and gaps
            lines.append(",".join([image, reader, *cells]))
    lines.append(lines[1])  # the same reader of the same image once more
    (notes / "image_labels_train.csv").write_text("\n".join(lines) + "\n")
    agreed = LABELS.format(other="Other disease")
    lines = ["image_id," + agreed]
    lines += [
        ",".join([image, *(str(int(name in seen)) for name in agreed.split(","))])
        for image, seen in AGREED.items()
    ]
    (notes / "image_labels_test.csv").write_text("\n".join(lines) + "\n")
    corners = "class_name,x_min,y_min,x_max,y_max"
    boxes = [
        f"image_id,rad_id,{corners}",
        *(",".join(map(str, box)) for box in BOXES),
        "000c,R8,No finding,,,,",
    ]
    (notes / "annotations_train.csv").write_text("\n".join(boxes) + "\n")
    (notes / "annotations_test.csv").write_text(f"image_id,{corners}\n0010,Pleural thickening,7,6,14,12\n")
    for n, image in enumerate(FILES):
        write_image(folder / ("test" if image in AGREED else "train") / f"{image}.dicom", image, n)
    fake_dicom.write(folder / "train" / "00ff.dicom", fake_dicom.picture(99))


def kaggle(folder: Path) -> None:
    """Write Kaggle's layout: one row a box; readers who saw nothing beside others leave no row; tests without labels."""
    lines = ["image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"]
    for box in BOXES:
        image, reader, name, *corners = map(str, box)
        lines.append(",".join([image, name, "3", reader, *corners]))
    # One reader marked two nodules of 000d; nobody else marked anything.
    lines += ["000d,Nodule/Mass,8,R8,1,1,9,9", "000d,Nodule/Mass,8,R8,20,20,30,30"]
    lines += [f"000c,No finding,14,{reader},,,," for reader in ("R8", "R9", "R10")]
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    for n, image in enumerate(FILES):
        write_image(folder / ("test" if image in AGREED else "train") / f"{image}.dicom", image, n)
