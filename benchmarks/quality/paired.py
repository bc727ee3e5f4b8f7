"""Distances between a result and its ground truth: L1, PSNR, SSIM."""

import cv2
import numpy as np

from toonfilter.benchmarks.quality.pictures import Image
from toonfilter.runtime.errors import require

MOST_PSNR_DB = 100.0


def l1(result: Image, target: Image) -> float:
    """Mean absolute difference, 0 to 1. Both: uint8 [H, W, 3]."""
    return float(cv2.absdiff(result, target).mean()) / 255


def psnr(result: Image, target: Image) -> float:
    """Peak signal-to-noise ratio in dB; 100 for equal pictures."""
    mean_square = float(((result.astype(np.float32) - target) ** 2).mean())
    return min(MOST_PSNR_DB, 10 * float(np.log10(255**2 / mean_square))) if mean_square > 0 else MOST_PSNR_DB


def ssim(result: Image, target: Image) -> float:
    """Structural similarity of the luminance, 1 for equal pictures.

    Wang et al. 2004, eq. 13 with a Gaussian window of 1.5 px, by scikit-image.
    """
    metrics = require("skimage.metrics", extra="train")
    gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (result, target)]
    return float(
        metrics.structural_similarity(
            *gray, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )
