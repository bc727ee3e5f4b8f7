"""The history of generated pictures that the discriminators of CycleGAN are shown (Shrivastava et al. 2017)."""

from typing import Any

import torch
from torch import Tensor


class ImagePool:
    """Up to `capacity` earlier pictures; half of the answers come from there (Zhu et al. 2017, section 4).

    Draws from torch's global generator, so that a resumed run repeats the same choices; the pictures are part of
    the state.
    """

    def __init__(self, capacity: int = 50) -> None:
        self.capacity = capacity
        self._pictures: list[Tensor] = []

    def __len__(self) -> int:
        return len(self._pictures)

    def exchange(self, batch: Tensor) -> Tensor:
        """Return a batch of the same shape, detached: each picture is the given one, or an earlier one.

        While the pool fills, pictures are kept and returned. Then each picture is, with probability 1/2, swapped
        for a random one of the pool. A capacity of 0 returns the batch.
        """
        batch = batch.detach()
        if self.capacity == 0:
            return batch
        answer = []
        for picture in batch:
            if len(self._pictures) < self.capacity:
                self._pictures.append(picture.clone())
                answer.append(picture)
            elif float(torch.rand(())) < 0.5:
                place = int(torch.randint(self.capacity, ()))
                answer.append(self._pictures[place])
                self._pictures[place] = picture.clone()
            else:
                answer.append(picture)
        return torch.stack(answer)

    def state_dict(self) -> dict[str, Any]:
        """Return the pictures, oldest place first."""
        return {"pictures": [picture.cpu() for picture in self._pictures]}

    def load_state_dict(self, state: dict[str, Any], device: torch.device | str = "cpu") -> None:
        """Put back what `state_dict` returned, on `device`."""
        self._pictures = [picture.to(device) for picture in state["pictures"]]
