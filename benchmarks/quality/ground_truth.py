"""Compares results with the ground truth of the same names."""

from dataclasses import dataclass

from toonfilter.benchmarks.quality.feature_nets import OnnxFeatures, perceptual_distance
from toonfilter.benchmarks.quality.learned_perceptual import LearnedPerceptual
from toonfilter.benchmarks.quality.paired import l1, psnr, ssim
from toonfilter.benchmarks.quality.pictures import Image, Pairing, Picture, read_result
from toonfilter.benchmarks.quality.sift import sift_matches


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """pairing: the target folder. net, lpips: for the perceptual distances; None leaves one out.

    Thread safe.
    """

    pairing: Pairing
    net: OnnxFeatures | None = None
    lpips: LearnedPerceptual | None = None

    def read(self, picture: Picture, source: Image) -> Image | None:
        """The target of a picture at the source's size, or None where there is none of that name.

        Raises:
            DataError: unreadable, or of another aspect ratio.
        """
        path = self.pairing.find(picture.key)
        return None if path is None else read_result(path, source)[0]

    def compare(self, result: Image, target: Image) -> dict[str, float]:
        """The figures of one pair by column: see `measures.PAIRED_MEASURES`."""
        matches = sift_matches(result, target)
        row = {
            "l1": l1(result, target),
            "psnr": psnr(result, target),
            "ssim": ssim(result, target),
            "sift_matches": float(matches.matches),
            "sift_inliers": float(matches.inliers),
        }
        if self.net is not None:
            row["perceptual"] = perceptual_distance(self.net.maps(result), self.net.maps(target))
        if self.lpips is not None:
            row["lpips"] = self.lpips.distance(result, target)
        return row
