"""How the kept files were made: `python tests/archives/make.py`, once a format version. Never overwrite one.

The digest is printed; it goes into test_archives.py.
"""

import sys
import tempfile
from pathlib import Path

from cxrlab import phantom
from cxrlab.ingest import ingest
from cxrlab.paths import Lab
from cxrlab.store import VERSION

if __name__ == "__main__":
    kept = Path(__file__).parent / f"store-version-{VERSION}.h5"
    if kept.exists():
        sys.exit(f"{kept.name} is there; a kept file is never written again")
    with tempfile.TemporaryDirectory() as folder:
        phantom.write_raw(Path(folder) / "raw", "north", 4, seed=1)
        done = ingest(Lab(Path(folder) / "lab"), "phantom", Path(folder) / "raw", "kept", px=24)
        kept.write_bytes(done.path.read_bytes())
    print(done.digest)
