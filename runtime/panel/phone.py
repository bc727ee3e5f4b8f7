"""A phone as a second screen over its USB cable: the address that it opens, once, and the QR code of it."""

from dataclasses import dataclass

import cv2

from toonfilter.runtime.panel.access import OneTimeKeys
from toonfilter.runtime.panel.running import page_address


@dataclass(frozen=True, slots=True)
class Invitation:
    """address: on the phone, where the port of this machine is reversed. code: its QR code, a text for each row of
    modules, `1` where it is dark, without the quiet zone. valid_s: how long it opens the page.
    """

    address: str
    port: int
    code: tuple[str, ...]
    valid_s: float


def invite(port: int, keys: OneTimeKeys) -> Invitation:
    """An address for one phone. port: where the page is served."""
    address = page_address(port, keys.make())
    return Invitation(address, port, qr_code(address), keys.valid_s)


def qr_code(text: str) -> tuple[str, ...]:
    """See `Invitation.code`."""
    params = cv2.QRCodeEncoder.Params()
    params.correction_level = cv2.QRCodeEncoder_CORRECT_LEVEL_M
    dark = cv2.QRCodeEncoder.create(params).encode(text) == 0
    columns, rows = dark.any(axis=0).nonzero()[0], dark.any(axis=1).nonzero()[0]
    inner = dark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return tuple("".join("1" if module else "0" for module in row) for row in inner)
