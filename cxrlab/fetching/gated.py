"""The collections that a person must ask for: what to sign, where, and what the folder must look like afterwards.

In:    nothing.
Out:   `GATED`, a tuple of Collection.
Never: a way around an owner's conditions.
"""

from cxrlab.fetching.catalogue import Collection

PHYSIONET = (
    "Make an account at https://physionet.org and become a credentialed user (Settings → Credentialing); a reference is asked for.",
    "Complete the CITI course 'Data or Specimens Only Research' and upload its report under Settings → Training.",
)
KAGGLE = "Make an account at https://www.kaggle.com and sign in."
CHEXPERT_IDS = "Patient numbers are CheXpert's: never CheXpert at home and this outside."


def _physionet(page: str) -> tuple[str, ...]:
    return (
        *PHYSIONET,
        f"Sign the data use agreement at the foot of {page}.",
        f"Fetch the files, with your own password: wget -r -N -c -np --user YOU --ask-password {page.replace('content', 'files')}",
    )


GATED: tuple[Collection, ...] = (
    Collection(
        name="chexpert",
        title="CheXpert",
        dataset="chexpert",
        gated=True,
        licence="Stanford University Dataset Research Use Agreement: no redistribution, research only",
        citation="Irvin et al. 2019, AAAI 33:590–597, arXiv:1901.07031",
        page="https://stanfordaimi.azurewebsites.net/datasets/8cbd9ed4-2eb9-4565-affc-111cf4f7ebe2",
        steps=(
            "Make an account with Stanford AIMI (the page above → log in) and accept the research use agreement.",
            'The page gives a personal link: azcopy copy "LINK" FOLDER --recursive. CheXpert-v1.0-small (about 11 GB) is enough for 224 px.',
            "The radiologists' test set lies with CheXlocalize: `fetch chexlocalize` says how.",
        ),
        layout="CheXpert-v1.0[-small]/train.csv, valid.csv (test_labels.csv)\n"
        "CheXpert-v1.0[-small]/train/patient00001/study1/view1_frontal.jpg …\n"
        "or, as AIMI sends it, chexpertchestxrays-u20210408/CheXpert-v1.0 batch */",
    ),
    Collection(
        name="chexphoto",
        title="CheXphoto",
        dataset="chexphoto",
        gated=True,
        licence="Stanford University Dataset Research Use Agreement",
        citation="Phillips et al. 2020, ML4H, arXiv:2007.06199",
        page="https://stanfordmlgroup.github.io/competitions/chexphoto/",
        steps=(
            "Follow the page above to the data (Redivis, https://stanford.redivis.com/datasets/2qwg-aav2k243j); make an account there.",
            "Accept the research use agreement, ask for access, and export the files.",
        ),
        layout="CheXphoto-v1.0/train.csv, valid.csv\n"
        "CheXphoto-v1.0/{train,valid}/{natural,synthetic}/KIND/patient00001/study1/view1_frontal.jpg …",
        note=CHEXPERT_IDS,
    ),
    Collection(
        name="chexlocalize",
        title="CheXlocalize: masks for CheXpert's valid and test images",
        dataset="chexpert",
        gated=True,
        licence="Stanford University Dataset Research Use Agreement",
        citation="Saporta et al. 2022, Nature Machine Intelligence 4:867–878",
        page="https://stanfordaimi.azurewebsites.net/datasets/23c56a0d-15de-405b-87c8-99c30138950c",
        steps=(
            "Make an account with Stanford AIMI and accept the agreement on the page above.",
            'azcopy copy "LINK" FOLDER --recursive; it brings CheXpert\'s valid and test images with their labels too.',
            "Leave out gradcam_maps_val/*.pkl: reading a pickle runs code.",
        ),
        folder="chexpert",  # its masks belong to CheXpert's images
        layout="CheXlocalize/gt_segmentations_val.json, gt_segmentations_test.json, gt_annotations_*.json\n"
        "beside or inside the CheXpert folder",
    ),
    Collection(
        name="mimic",
        title="MIMIC-CXR-JPG 2.1.0",
        dataset="mimic",
        gated=True,
        licence="PhysioNet credentialed access: training and a data use agreement",
        citation="Johnson et al. 2019, arXiv:1901.07042; doi:10.13026/jsn5-t979",
        page="https://physionet.org/content/mimic-cxr-jpg/2.1.0/",
        steps=(
            *_physionet("https://physionet.org/content/mimic-cxr-jpg/2.1.0/"),
            "Sex and age are not in it: sign for MIMIC-IV too and put its patients.csv.gz beside the tables.",
        ),
        layout="files/p10/p10000032/s50414267/*.jpg …\n"
        "mimic-cxr-2.0.0-chexpert.csv[.gz] or mimic-cxr-2.0.0-negbio.csv[.gz]\n"
        "mimic-cxr-2.0.0-metadata.csv[.gz], mimic-cxr-2.0.0-split.csv[.gz]\n"
        "patients.csv[.gz] (optional, from MIMIC-IV), mimic-cxr-2.1.0-test-set-labeled.csv (optional)",
    ),
    Collection(
        name="padchest",
        title="PadChest",
        dataset="padchest",
        gated=True,
        licence="a request form; CC BY-SA 4.0 as the owners' draft says",
        citation="Bustos et al. 2020, Medical Image Analysis 66:101797, arXiv:1901.07441",
        page="https://bimcv.cipf.es/bimcv-projects/padchest/",
        steps=(
            "Fill in the form on the page above and accept the terms; the links come by mail.",
            "Fetch the table and the numbered archives, and unpack each into images/ under its own number.",
        ),
        layout="PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv[.gz]\n"
        "images/0/*.png … images/50/*.png, images/54/*.png (or all in one folder)",
    ),
    Collection(
        name="vindr",
        title="VinDr-CXR 1.0.0",
        dataset="vindr",
        gated=True,
        licence="PhysioNet credentialed access; on Kaggle the competition's rules",
        citation="Nguyen et al. 2022, Scientific Data 9:429",
        page="https://physionet.org/content/vindr-cxr/1.0.0/",
        steps=(
            *_physionet("https://physionet.org/content/vindr-cxr/1.0.0/"),
            "Or, with fewer labels: accept the competition's rules on Kaggle, then download train.csv and train/ with `kaggle competitions download -c vinbigdata-chest-xray-abnormalities-detection`.",
        ),
        layout="PhysioNet: train/*.dicom, test/*.dicom, annotations/image_labels_train.csv, image_labels_test.csv, annotations_*.csv\n"
        "Kaggle: train/*.dicom, train.csv",
    ),
    Collection(
        name="brax",
        title="BRAX 1.1.0",
        dataset="brax",
        gated=True,
        licence="PhysioNet credentialed access: training and a data use agreement",
        citation="Reis et al. 2022, Scientific Data 9:487",
        page="https://physionet.org/content/brax/1.1.0/",
        steps=_physionet("https://physionet.org/content/brax/1.1.0/"),
        layout="master_spreadsheet_update.csv (1.0: master_spreadsheet.csv)\n"
        "images/id_*/Study_*/Series_*/image-*.png (or Anonymized_DICOMs/…/*.dcm)",
    ),
    Collection(
        name="rsna",
        title="RSNA Pneumonia Detection Challenge 2018",
        dataset="rsna",
        gated=True,
        licence="the competition's rules on Kaggle",
        citation="Shih et al. 2019, Radiology: Artificial Intelligence 1(1):e180041",
        page="https://www.kaggle.com/c/rsna-pneumonia-detection-challenge",
        steps=(
            KAGGLE,
            "Accept the rules on the page above (Data → Late Submission / Rules).",
            "kaggle competitions download -c rsna-pneumonia-detection-challenge, then unpack it.",
            "pneumonia-challenge-dataset-mappings_2018.json (RSNA's own page) gives the NIH patients back.",
        ),
        layout="stage_2_train_images/*.dcm\nstage_2_train_labels.csv, stage_2_detailed_class_info.csv\n"
        "pneumonia-challenge-dataset-mappings_2018.json (optional)",
        note="Its images are NIH's: never NIH at home and this outside.",
    ),
    Collection(
        name="covid-radiography",
        title="COVID-19 Radiography Database",
        dataset="radiography",
        gated=True,
        licence="as its Kaggle page says; its parts come from other collections, each with its own",
        citation="Chowdhury et al. 2020, IEEE Access 8:132665; Rahman et al. 2021, arXiv:2012.02238",
        page="https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database",
        steps=(
            KAGGLE,
            "kaggle datasets download -d tawsifurrahman/covid19-radiography-database, then unpack it.",
        ),
        layout="COVID-19_Radiography_Dataset/{COVID,Lung_Opacity,Normal,Viral Pneumonia}/images/*.png\n"
        "COVID-19_Radiography_Dataset/*.metadata.xlsx",
        note="It holds images of the ieee8023 collection, RSNA (so NIH) and Kermany: none of them is external to it.",
    ),
)
