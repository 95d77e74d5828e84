"""What the GPU bench cannot do without, asked before any of it is imported.

In:    nothing.
Out:   one sentence: what is missing here, and what to do; "" when it can begin.
Never: torch, where it can be answered without.
"""

import importlib.util

# What the numeric rooms import; the dashboard's own (streamlit, plotly, mlflow, grad-cam, pydicom) are never asked for.
NEEDED = (
    "torch", "timm", "h5py", "numpy", "numba", "pandas", "pyarrow", "scipy", "sklearn", "cv2", "safetensors", "pydantic",
    "pytorch_optimizer",
)  # fmt: skip
MEASURES = (
    "training on the GPU against the CPU, 16-bit steps, exact resume, augmentations, memory that runs out, several GPUs; then "
    "images a second of DenseNet-121 and ConvNeXt-S at 224 px beside timm's own training step"
)


def missing() -> list[str]:
    """Return the modules that are not there."""
    return [name for name in NEEDED if not _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def problem(device: str = "cuda") -> str:
    """Return why nothing can be measured on `device`, one sentence; "" when it can.

    Args:
        device: "cuda" or "cpu".
    """
    absent = missing()
    if absent:
        # pydantic reads every spec: a run without it would not be the product. Both are small wheels.
        return (
            f"gpu: {', '.join(absent)} must be installed beside what is here; bring the wheels that requirements.txt pins "
            "(pydantic's come with pydantic-core, annotated-types and typing-inspection) and start again."
        )
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            return (
                f"gpu: no GPU here, nothing measured. With one this bench checks {MEASURES}; in miniature on this processor: "
                "python -m cxrlab.bench.gpu --device cpu --miniature."
            )
    return ""
