"""The renderer whose frames stay on the GPU from crop to blend; for the filter it is a renderer like the other."""

from collections.abc import Sequence
from typing import Literal

from toonfilter.runtime.bundle import Bundle
from toonfilter.runtime.cuda.device import Device
from toonfilter.runtime.cuda.regions import plan_regions
from toonfilter.runtime.frames import Image
from toonfilter.runtime.geometry.box import Box
from toonfilter.runtime.geometry.warp import FaceWarp, coarse_displacement, warp_points
from toonfilter.runtime.render.blending import Region, face_hull
from toonfilter.runtime.render.gpu_chain import ChainFactory, FaceInputs, GpuChain
from toonfilter.runtime.render.guidance import draw_guidance
from toonfilter.runtime.render.renderer import AlignedFace, check_drawings, far_to_near


class GpuRenderer:
    """See `toonfilter.runtime.render.renderer.Renderer`. chains: makes the chain for a size."""

    draws_whole_frame: Literal[False] = False

    def __init__(self, bundle: Bundle, device: Device, chains: ChainFactory, region: Region = "head") -> None:
        self._device, self._make, self._region = device, chains, region
        self._has_guidance = bundle.input.guidance_channels > 0
        self._is_for_drawings = bundle.input.domain == "drawing"
        self._warp = FaceWarp.from_dict(dict(bundle.warp)) if bundle.warp else None
        self._chains: dict[int, GpuChain] = {}

    def prepare(
        self,
        image: Image,  # noqa: ARG002
        faces: Sequence[AlignedFace],
        time_s: float | None = None,  # noqa: ARG002
        places: Sequence[Box] = (),  # noqa: ARG002
    ) -> FaceInputs:
        """What the CPU computes of each face."""
        fields, guidance, hulls = [], [], []
        for face, transform in far_to_near(faces):
            plain = transform.to_crop(face.landmarks)
            moved, field = plain, None
            if self._warp is not None:
                field = coarse_displacement(plain, transform.size, self._warp)
                moved = warp_points(plain, transform.size, self._warp)
            fields.append(field)
            guidance.append(draw_guidance(moved, transform.size) if self._has_guidance else None)
            hulls.append(face_hull(plain, moved, transform.size))
        return FaceInputs(fields, guidance, hulls)

    def render(
        self,
        image: Image,
        faces: Sequence[AlignedFace],
        time_s: float | None = None,  # noqa: ARG002 - drawings never leave the device, so none is kept for the next frame
        prepared: FaceInputs | None = None,
    ) -> None:
        """Draw the faces into the frame, in place, the smallest first so that near faces lie before far ones.

        image: uint8 [H, W, 3] RGB; untouched when this raises. All transforms have the same size.
        prepared: the result of `prepare` for the same faces, when it is at hand.

        Raises:
            BackendError: the GPU or the engine failed, or what came back is no drawing of its input.
        """
        if not faces:
            return
        ordered = far_to_near(faces)
        size = ordered[0][1].size
        plan = plan_regions([transform for _, transform in ordered], image.shape[0], image.shape[1])
        inputs = self.prepare(image, faces) if prepared is None else prepared
        with self._device.current():
            if size not in self._chains:
                self._chains[size] = self._make(size)
            chain = self._chains[size]
            crops, drawings = chain.draw(image, plan, inputs, self._region)
            check_drawings(crops, drawings, may_be_alike=self._is_for_drawings)
            chain.finish(image, plan)

    def forget(self) -> None:
        """Nothing is kept from frame to frame."""

    def close(self) -> None:
        """See `FrameRenderer`: nothing runs beside the caller."""
