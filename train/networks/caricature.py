"""CariGANs' two networks (Cao et al. 2018): landmarks to exaggerated landmarks, and photo to drawing."""

import torch
from torch import Tensor, nn

from toonfilter.runtime.errors import DataError
from toonfilter.train.networks.blocks import initialise
from toonfilter.train.networks.content_style import ContentEncoder, StyledDecoder, StyleEncoder


class LandmarkSpace(nn.Module):
    """PCA of face landmarks (section 4.1: "the first 32 principal components").

    Fitted once on the landmarks of both domains; the fit is part of the network's state.

    Args:
        points: landmarks of a face.
        components: principal components kept, at most 2 * points.
    """

    mean: Tensor
    axes: Tensor
    scale: Tensor

    def __init__(self, points: int, components: int = 32) -> None:
        super().__init__()
        self.points = points
        self.components = min(components, 2 * points)
        self.register_buffer("mean", torch.zeros(2 * points))
        self.register_buffer("axes", torch.zeros(self.components, 2 * points))
        self.register_buffer("scale", torch.zeros(()))

    def fit(self, landmarks: Tensor) -> None:
        """Set mean and axes from landmarks [N,points,2].

        Raises:
            DataError: fewer faces than components, or all the same.
        """
        flat = landmarks.flatten(1).double()
        if len(flat) < self.components:
            raise DataError(
                f"{len(flat)} faces with landmarks; the landmark space of {self.components} components needs at"
                " least as many: add faces or lower `components` in the recipe"
            )
        mean = flat.mean(0)
        _, spread, axes = torch.linalg.svd(flat - mean, full_matrices=False)
        if float(spread[0]) < 1e-9:
            raise DataError("all landmarks are the same; a landmark space needs different faces")
        self.mean.copy_(mean)
        self.axes.copy_(axes[: self.components])
        # One common scale keeps the axes' proportions, which the cosine of the characteristic loss needs.
        self.scale.copy_(spread[0] / len(flat) ** 0.5)

    def encode(self, landmarks: Tensor) -> Tensor:
        """Return coefficients [N,components], the first of unit variance, for landmarks [N,points,2]."""
        return (landmarks.flatten(1) - self.mean) @ self.axes.T / self.scale

    def decode(self, coefficients: Tensor) -> Tensor:
        """Return landmarks [N,points,2]."""
        flat: Tensor = coefficients * self.scale @ self.axes + self.mean
        return flat.view(-1, self.points, 2)


class GeometryGenerator(nn.Module):
    """CariGeoGAN's generator: fully connected layers on PCA coefficients, predicting what changes.

    The degree of exaggeration scales the change (section 6, "degree of exaggeration"): 0 leaves the face as
    it is, 1 is what was learned, 2 goes twice as far.
    """

    def __init__(self, components: int = 32, *, width: int = 128, layers: int = 3) -> None:
        super().__init__()
        body: list[nn.Module] = []
        channels = components
        for _ in range(layers):
            body += [nn.Linear(channels, width), nn.LeakyReLU(0.2, inplace=True)]
            channels = width
        self.body = nn.Sequential(*body, nn.Linear(channels, components))
        initialise(self)

    def forward(self, coefficients: Tensor, degree: float | Tensor = 1.0) -> Tensor:
        """Return exaggerated coefficients [N,components]; `degree` is one number or [N,1]."""
        out: Tensor = coefficients + degree * self.body(coefficients)
        return out


class GeometryModel(nn.Module):
    """Landmarks [N,points,2] (units of half the picture's side) and a degree to exaggerated landmarks of that shape.

    The part of a face that the landmark space does not hold stays as it is; degree 0 changes nothing.
    """

    def __init__(self, space: LandmarkSpace, generator: GeometryGenerator) -> None:
        super().__init__()
        self.space, self.generator = space, generator

    def forward(self, landmarks: Tensor, degree: float | Tensor = 1.0) -> Tensor:
        """Return the exaggerated landmarks; `degree` is one number or [1]."""
        coefficients = self.space.encode(landmarks)
        change = self.generator(coefficients, degree) - coefficients
        out: Tensor = landmarks + self.space.decode(change) - self.space.decode(torch.zeros_like(change))
        return out


class AppearanceNetwork(nn.Module):
    """CariStyGAN: content encoders and decoders of each domain, a style encoder for the drawings (section 4.2)."""

    def __init__(self, *, width: int = 64, downs: int = 2, blocks: int = 4, style: int = 8) -> None:
        super().__init__()
        self.style_size = style
        self.content_photo = ContentEncoder(width, downs, blocks)
        self.content_cartoon = ContentEncoder(width, downs, blocks)
        self.style_photo = StyleEncoder(width, style=style)
        self.style_cartoon = StyleEncoder(width, style=style)
        self.decode_photo = StyledDecoder(width, downs, blocks, style)
        self.decode_cartoon = StyledDecoder(width, downs, blocks, style)

    def forward(self, photo: Tensor, style: Tensor | None = None) -> Tensor:
        """Draw photos [N,3,H,W] in the style codes [N,style] (from N(0, 1), or of a drawing); the middle of N(0, 1)
        where none are given."""
        if style is None:
            style = photo.new_zeros(photo.shape[0], self.style_size)
        out: Tensor = self.decode_cartoon(self.content_photo(photo), style)
        return out
