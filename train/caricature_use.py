"""CariGANs at use: a degree of exaggeration, an exemplar whose style is taken, and the geometry network as ONNX."""

from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toonfilter.runtime.errors import ConfigError, DataError
from toonfilter.runtime.faces.still_faces import StillFaceFinder
from toonfilter.runtime.files.whole_files import write_whole
from toonfilter.runtime.geometry.landmarks import CARICATURE_POINTS
from toonfilter.train.checkpoint import Checkpoint, load_weights, read_checkpoint
from toonfilter.train.landmark_points import chosen_points
from toonfilter.train.networks.caricature import AppearanceNetwork, GeometryModel
from toonfilter.train.networks.warping import warp_by_landmarks
from toonfilter.train.systems.caricature import CaricatureSystem, build

Image = NDArray[np.uint8]
_OPSET = 20


class Caricaturist:
    """Draws caricatures of whole pictures with a trained `caricature` run; closes its face finder at the end."""

    def __init__(self, run: Path, exemplar: Path | None = None) -> None:
        """exemplar: a drawing whose style is taken; None takes the middle of all styles.

        Raises:
            ConfigError: another method's run. DataError: the exemplar cannot be read.
        """
        self._system, checkpoint = _open(run)
        self.size_px = checkpoint.recipe.data.size_px
        self._drawing = cast(AppearanceNetwork, self._system.networks["generator"])
        self._geometry = geometry_of(self._system)
        self._finder = StillFaceFinder(max_faces=1)
        self._style = None if exemplar is None else self._style_of(exemplar)

    def close(self) -> None:
        """Free the face finder."""
        self._finder.close()

    @torch.no_grad()
    def __call__(self, picture: Image, degree: float) -> Image:
        """The caricature of uint8 [H, W, 3] RGB at the run's size, [S, S, 3]; without a face it is drawn alone."""
        square = cast(Image, cv2.resize(picture, (self.size_px, self.size_px), interpolation=cv2.INTER_AREA))
        drawn = self._drawing(_planes(square), self._style)
        faces = self._finder.find(picture)[0]
        if faces and degree:
            height, width = picture.shape[:2]
            factors = np.array([self.size_px / width, self.size_px / height])
            marks = (faces[0].landmarks[:, :2] + 0.5) * factors - 0.5
            points = chosen_points(torch.from_numpy(marks.astype(np.float32))[None], CARICATURE_POINTS, self.size_px)
            drawn = warp_by_landmarks(drawn, points, self._geometry(points, torch.tensor([degree])))
        levels = (drawn[0].clamp(-1, 1) * 127.5 + 127.5).round().byte()
        return np.ascontiguousarray(levels.permute(1, 2, 0).numpy())

    def _style_of(self, exemplar: Path) -> Tensor:
        from toonfilter.train.data.pictures import read_rgb

        picture = read_rgb(exemplar)
        if picture is None:
            raise DataError(f"{exemplar}: this exemplar cannot be read as a picture")
        square = cast(Image, cv2.resize(picture, (self.size_px, self.size_px), interpolation=cv2.INTER_AREA))
        with torch.no_grad():
            style: Tensor = self._drawing.style_cartoon(_planes(square))
        return style


def geometry_of(system: CaricatureSystem) -> GeometryModel:
    """The geometry half of a system, to be used on landmarks."""
    return system.geometry_model("geometry", system.networks).eval()


def export_geometry(run: Path, target: Path) -> None:
    """Write the geometry network as ONNX: `landmarks` float32 [N, 63, 2] in -1..1 over the picture and `degree` float32
    [1] to `exaggerated` [N, 63, 2]. The 63 points are those of toonfilter.runtime.geometry.landmarks.CARICATURE_POINTS.

    Raises:
        ConfigError: another method's run, or one whose landmark space was not fitted yet.
    """
    system, checkpoint = _open(run)
    model = geometry_of(system)
    if float(model.space.scale) == 0:
        raise ConfigError(f"{checkpoint.path}: the landmark space is not fitted yet; train longer")
    example = (torch.zeros(2, len(CARICATURE_POINTS), 2), torch.ones(1))
    program = torch.onnx.export(
        model,
        example,
        input_names=["landmarks", "degree"],
        output_names=["exaggerated"],
        dynamic_shapes={"landmarks": {0: torch.export.Dim.DYNAMIC}, "degree": None},
        external_data=False,
        opset_version=_OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    write_whole(target, program.model_proto.SerializeToString())


def _open(run: Path) -> tuple[CaricatureSystem, Checkpoint]:
    checkpoint = read_checkpoint(run)
    if checkpoint.recipe.system != "caricature":
        raise ConfigError(f"{run}: recipe {checkpoint.recipe.name!r} has no geometry; this needs a caricature run")
    system = build(checkpoint.recipe)
    load_weights(system.networks, {**checkpoint.weights, **checkpoint.averaged}, str(checkpoint.path))
    system.networks.eval()
    return system, checkpoint


def _planes(square: Image) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(square.transpose(2, 0, 1)[None]).astype(np.float32)) / 127.5 - 1
