"""The collections that anybody may download: addresses, sizes and checksums as their owners published them.

In:    nothing.
Out:   `OPEN`, a tuple of Collection.
Never: an address, a size or a checksum that was made up; where none is published there is None.
"""

from cxrlab.fetching.catalogue import Collection, RemoteFile

MEDMNIST_SAYS = "MedMNIST/MedMNIST 3.0.2, medmnist/info.py (address, MD5); size: Zenodo record 10519652"
# (set, side) → MD5, bytes. ChestMNIST's sizes at 28 and 128 were not found in print.
MEDMNIST: dict[tuple[str, str], tuple[str, int | None]] = {
    ("pneumoniamnist", "28"): ("28209eda62fecd6e6a2d98b1501bb15f", 4_170_669),
    ("pneumoniamnist", "64"): ("8f4eceb4ccffa70c672198ea285246c6", 20_606_998),
    ("pneumoniamnist", "128"): ("05b46931834c231683c68f40c47b2971", 75_506_212),
    ("pneumoniamnist", "224"): ("d6a3c71de1b945ea11211b03746c1fe1", 214_384_716),
    ("chestmnist", "28"): ("02c8a6516a18b556561a56cbdd36c4a8", None),
    ("chestmnist", "64"): ("9de6cd0b934ebb5b7426cfba5efbae16", 401_604_127),
    ("chestmnist", "128"): ("db107e5590b27930b62dbaf558aebee3", None),
    ("chestmnist", "224"): ("45bd33e6f06c3e8cdb481c74a89152aa", 3_889_293_042),
}
SIDES = ("28", "64", "128", "224")

NIH_SAYS = (
    "NIH's batch_download_zips.py (address), FAQ_CHESTXRAY.pdf question 7 (MD5); "
    "size: a public note of the server's Content-Range"
)
# Box's link, MD5, bytes of images_001.tar.gz to images_012.tar.gz, in this order.
NIH = (
    ("vfk49d74nhbxq3nqjg0900w5nvkorp5c", "fe8ed0a6961412fddcbb3603c11b3698", 2_008_470_987),
    ("i28rlmbvmfjbl8p2n3ril0pptcmcu9d1", "ab07a2d7cbe6f65ddd97b4ed7bde10bf", 3_952_623_504),
    ("f1t00wrtdk94satdfb9olcolqx20z2jp", "2301d03bde4c246388bad3876965d574", 3_929_234_850),
    ("0aowwzs5lhjrceb3qp67ahp0rd1l1etg", "9f1b7f5aae01b13f4bc8e2c44a4b8ef6", 3_838_903_983),
    ("v5e3goj22zr6h8tzualxfsqlqaygfbsn", "1861f3cd0ef7734df8104f2b0309023b", 3_935_496_531),
    ("asi7ikud9jwnkrnkj99jnpfkjdes7l6l", "456b53a8b351afd92a35bc41444c58c8", 3_986_301_172),
    ("jn1b4mw4n6lnh74ovmcjb8y48h8xj07n", "1075121ea20a137b87f290d6a4a5965e", 4_016_328_426),
    ("tvpxmn7qyrgl0w8wfh9kqfjskv6nmm1j", "b61f34cec3aa69f295fbb593cbd9d443", 4_018_347_353),
    ("upyy3ml7qdumlgk2rfcvlb9k6gvqq2pj", "442a3caa61ae9b64e61c561294d1e183", 4_111_327_929),
    ("l6nilvfa9cg3s28tqv1qc1olm3gnz54p", "09ec81c4c31e32858ad8cf965c494b74", 4_181_556_296),
    ("hhq8fkdgvcari67vfhs7ppg2w6ni4jze", "499aefc67207a5a97692424cf5dbeed5", 4_187_084_020),
    ("ioqwiy20ihqwyr8pf4c24eazhh281pbu", "dc9fda1757c2de0032b63347a7d2895c", 2_914_187_733),
)
# Tables lie behind Box's other door; the numbers are the files' own on the owner's page.
NIH_DOOR = (
    "https://nihcc.app.box.com/index.php?rm=box_download_shared_file&vanity_name=ChestXray-NIHCC&file_id=f_"
)
NIH_TABLES = (
    ("Data_Entry_2017_v2020.csv", "219760887468", 9_003_496),
    ("train_val_list.txt", "256056636701", None),
    ("test_list.txt", "256055473534", None),
)

# The commit whose metadata.csv (950 rows, current columns) was read for this project.
COVID_COMMIT = "6a4242344473ccb5ed0d2148d8c7bfb1691e4ed8"


def _medmnist_files(*sets: str) -> tuple[RemoteFile, ...]:
    files = []
    for (name, side), (md5, size) in MEDMNIST.items():
        if name in sets:
            file = f"{name}.npz" if side == "28" else f"{name}_{side}.npz"
            url = f"https://zenodo.org/records/10519652/files/{file}?download=1"
            files.append(RemoteFile(url, file, size, md5, said_by=MEDMNIST_SAYS, variant=side))
    return tuple(files)


def _medmnist(name: str, title: str, *sets: str, note: str = "") -> Collection:
    return Collection(
        name=name,
        title=title,
        dataset="medmnist",
        licence="CC BY 4.0",
        citation="Yang et al. 2023, Scientific Data 10:41, MedMNIST v2, doi:10.1038/s41597-022-01721-8",
        page="https://medmnist.com",
        layout="pneumoniamnist.npz or chestmnist.npz (28 px), …_64.npz, …_128.npz, …_224.npz",
        files=_medmnist_files(*sets),
        variants=SIDES,
        folder="medmnist",
        one_site_a_file=True,
        note=note,
    )


IS_NIH = "ChestMNIST's images are NIH's: never one home and the other external."
IS_KERMANY = "PneumoniaMNIST's images are Kermany's: never one home and the other external."

OPEN: tuple[Collection, ...] = (
    _medmnist(
        "medmnist",
        "PneumoniaMNIST and ChestMNIST, small squares",
        "pneumoniamnist",
        "chestmnist",
        note=f"{IS_KERMANY} {IS_NIH}",
    ),
    _medmnist("pneumoniamnist", "PneumoniaMNIST (Guangzhou, children)", "pneumoniamnist", note=IS_KERMANY),
    _medmnist("chestmnist", "ChestMNIST (NIH ChestX-ray14, reduced)", "chestmnist", note=IS_NIH),
    Collection(
        name="covid",
        title="COVID-19 image data collection (ieee8023)",
        dataset="covid",
        licence="per image, named in metadata.csv (many CC BY-NC-SA, some unstated)",
        citation="Cohen et al. 2020, arXiv:2006.11988",
        page="https://github.com/ieee8023/covid-chestxray-dataset",
        layout="metadata.csv\nimages/*",
        files=(
            RemoteFile(
                f"https://github.com/ieee8023/covid-chestxray-dataset/archive/{COVID_COMMIT}.zip",
                "covid-chestxray-dataset.zip",
                said_by="the owner's repository at one commit; GitHub packs it anew and publishes no checksum",
                unpack_to="covid-chestxray-dataset",
                strip=1,
            ),
        ),
        note="GitHub sends this archive without its size and cannot go on where it stopped: a cut starts it anew.",
    ),
    Collection(
        name="nih",
        title="NIH ChestX-ray14",
        dataset="nih",
        licence="use is unrestricted; link the download site, acknowledge the NIH Clinical Center, cite the paper",
        citation="Wang et al. 2017, CVPR, 3462–3471, arXiv:1705.02315",
        page="https://nihcc.app.box.com/v/ChestXray-NIHCC",
        layout="Data_Entry_2017_v2020.csv\ntrain_val_list.txt, test_list.txt\nimages_001/images/*.png … images_012/images/*.png\n"
        "BBox_List_2017.csv (optional; by hand from the owner's page)",
        files=(
            *(
                RemoteFile(
                    NIH_DOOR + number,
                    name,
                    size,
                    said_by="the file's number on the owner's page, as public download scripts use it; no checksum is published",
                )
                for name, number, size in NIH_TABLES
            ),
            *(
                RemoteFile(
                    f"https://nihcc.box.com/shared/static/{link}.gz",
                    f"images_{i:03d}.tar.gz",
                    size,
                    md5,
                    said_by=NIH_SAYS,
                    unpack_to=f"images_{i:03d}",
                )
                for i, (link, md5, size) in enumerate(NIH, 1)
            ),
        ),
        note="45 GB are fetched and about as much is unpacked; an archive is removed once it is unpacked.",
    ),
    Collection(
        name="openi",
        title="Open-i, Indiana University",
        dataset="openi",
        licence="CC BY-NC-ND 4.0 (as the reports' XML says)",
        citation="Demner-Fushman et al. 2016, JAMIA 23(2):304–310, doi:10.1093/jamia/ocv080",
        page="https://openi.nlm.nih.gov/faq",
        layout="reports/ecgen-radiology/*.xml\nimages/CXR*.png",
        files=(
            RemoteFile(
                "https://openi.nlm.nih.gov/imgs/collections/NLMCXR_reports.tgz",
                "NLMCXR_reports.tgz",
                said_by="the owner's address, as many public loaders use it; neither size nor checksum is published",
                unpack_to="reports",
            ),
            RemoteFile(
                "https://openi.nlm.nih.gov/imgs/collections/NLMCXR_png.tgz",
                "NLMCXR_png.tgz",
                said_by="the owner's address, as many public loaders use it; neither size nor checksum is published",
                unpack_to="images",
            ),
        ),
        note="About 1.4 GB.",
    ),
    Collection(
        name="kermany",
        title="Guangzhou paediatric pneumonia (Kermany)",
        dataset="kermany",
        licence="CC BY 4.0",
        citation="Kermany, Zhang & Goldbaum 2018, Cell 172:1122, Mendeley Data, doi:10.17632/rscbjbr9sj.2",
        page="https://data.mendeley.com/datasets/rscbjbr9sj/2",
        layout="chest_xray/{train,test}/{NORMAL,PNEUMONIA}/*.jpeg",
        files=(
            RemoteFile(
                "https://data.mendeley.com/public-files/datasets/rscbjbr9sj/files/"
                "f12eaf6d-6023-432f-acc9-80c9d7393433/file_downloaded",
                "ChestXRay2017.zip",
                1_235_512_464,
                sha256="13efc055629733dbab07877f8b3c9f81097840dbcdaa326a8542322c2281ce36",
                said_by="the address that Mendeley gives to ChestXRay2017.zip; size and SHA-256 as three "
                "independent public downloads noted them, not the owner",
                unpack_to="ChestXRay2017",
            ),
        ),
    ),
)
