"""Speech quality as a noise score: estimators of the mean opinion score (MOS). The higher the MOS, the cleaner."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from ..audio.signal import SAMPLE_RATE, Samples
from ..core.ort import first_line, open_session
from ..errors import InputError, ModelError

DNSMOS_S = 9.01  # input length of DNSMOS P.835; shorter clips are repeated


def distillmos(sqa: Any) -> Callable[[Samples], float]:
    """MOS by DistillMOS: a function of samples (n,) at 16 kHz, 1 to 5 (Stahl & Gamper, arXiv:2502.05356).

    sqa: the module distillmos.sqa. Its package has the weights inside, and pads a window to 7.68 s itself.
    """
    with redirect_stdout(io.StringIO()):  # it prints the path of its weights, but stdout is for results
        network = sqa.ConvTransformerSQAModel()
    network.eval()

    def estimate(samples: Samples) -> float:
        with sqa.torch.no_grad():
            return float(network(sqa.torch.from_numpy(samples.astype(np.float32))[None]))

    return estimate


def dnsmos(path: Path) -> Callable[[Samples], float]:
    """BAK of DNSMOS P.835: a function of samples (n,) at 16 kHz, 1 to 5 (Reddy et al., ICASSP 2022).

    path: the Deep Noise Suppression Challenge's sig_bak_ovr.onnx. Raises InputError if it does not load.
    """
    try:
        session = open_session(path.read_bytes(), path)
        name = session.get_inputs()[0].name

        def estimate(samples: Samples) -> float:
            x = np.resize(samples, int(DNSMOS_S * SAMPLE_RATE))[None]
            return float(session.run(None, {name: x.astype(np.float32)})[0][0][1])

        estimate(np.zeros(SAMPLE_RATE, np.float32))  # fail now, not minutes later, if it is a different model
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from error
    except ModelError as error:
        raise InputError(str(error)) from error
    except Exception as error:  # onnxruntime raises a dozen exception classes of its own
        raise InputError(f"{path} is not DNSMOS's sig_bak_ovr.onnx: {first_line(error)}.") from error
    return estimate
