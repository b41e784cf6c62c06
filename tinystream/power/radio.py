"""What one alert takes from the supply, and how long it is on the air."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil

from tinystream.power.figure import Figure
from tinystream.power.files import PowerError
from tinystream.power.interval import Interval, together
from tinystream.power.parts import Radio, find_part

HEADER_BYTES = 13
"""Of a LoRaWAN uplink beside its payload: header, address, control, counter, port, integrity (LoRaWAN 1.0.4 §4)."""

PREAMBLE_SYMBOLS = 8 + 4.25

MOST_BYTES = {7: 222, 8: 222, 9: 115, 10: 51, 11: 51, 12: 51}
"""Payload of an uplink by spreading factor at 125 kHz, EU868 (LoRaWAN Regional Parameters RP002, maximum payload size N)."""

DUTY_LIMIT = 0.01
"""Of the air time in most of EU868's sub-bands (ERC Recommendation 70-03)."""


@dataclass(frozen=True)
class Alert:
    """One alert by one radio.

    charge_uc: of one attempt.
    attempts:  until it is through.
    air_s:     of one attempt, where the protocol limits it.
    """

    radio: Radio
    payload_bytes: int
    spreading_factor: int | None
    charge_uc: Interval
    attempts: Interval
    figures: tuple[tuple[str, str, Figure], ...]  # that the charge comes from: what, unit, figure
    air_s: float | None = None


def find_alert(spec: str, payload_bytes: int) -> Alert:
    """The radio that a word names, with an alert of so many bytes: "ble_advertise", "lorawan_sx1262:sf9"."""
    name, _, option = spec.partition(":")
    radio = find_part(Radio, name)
    if radio.lora is None and option:
        raise PowerError(f"{name} has no spreading factor, and '{spec}' names one", name)
    return alert_by(radio, payload_bytes, spreading_factor(name, option) if radio.lora else None)


def alert_by(radio: Radio, payload_bytes: int, factor: int | None = None) -> Alert:
    """PowerError where so many bytes do not fit."""
    most = MOST_BYTES[factor] if factor else radio.max_bytes
    if not 0 <= payload_bytes <= most:
        where = f"{radio.name} at SF{factor}" if factor else radio.name
        roomy = [f for f, n in MOST_BYTES.items() if factor and payload_bytes <= n]
        help = f"{radio.name}:sf{max(roomy)}" if roomy else f"--payload {most}"
        raise PowerError(f"a payload of {payload_bytes} bytes does not fit {where}: it takes 0 to {most}", help)
    loss = radio.loss.interval
    attempts = Interval(1 / (1 - loss.low), 1 / (1 - loss.nominal), 1 / (1 - loss.high))
    told: tuple[tuple[str, str, Figure], ...]
    if radio.lora and factor:
        air_s = lora_air_s(payload_bytes + HEADER_BYTES, factor, radio.lora.bandwidth_hz)
        transmit, receive, windows = radio.lora.transmit_ua, radio.lora.receive_ua, radio.lora.receive_windows_s
        charge = together([transmit.interval * air_s, receive.interval * windows.interval])
        told = (("transmission", "µA", transmit), ("reception", "µA", receive), ("reception windows", "s", windows))
        return Alert(radio, payload_bytes, factor, charge, attempts, told, air_s)
    assert radio.charge_uc, "a radio without [lora] tells its charge"
    charge, told = radio.charge_uc.interval, (("charge of an alert", "µC", radio.charge_uc),)
    if radio.byte_uc and payload_bytes > radio.free_bytes:
        charge = together([charge, radio.byte_uc.interval * (payload_bytes - radio.free_bytes)])
        told = (*told, ("charge of a byte more", "µC", radio.byte_uc))
    return Alert(radio, payload_bytes, None, charge, attempts, told)


def spreading_factor(name: str, option: str) -> int:
    match = re.fullmatch(r"sf(\d+)", option.lower())
    if not match or int(match[1]) not in MOST_BYTES:
        said = f"'{option}' is none" if option else "none is named"
        raise PowerError(f"{name} needs a spreading factor from sf7 to sf12, {said}", f"{name}:sf9")
    return int(match[1])


def lora_air_s(phy_bytes: int, factor: int, bandwidth_hz: float) -> float:
    """Time on air with explicit header, CRC and coding rate 4/5 (Semtech SX1276 data sheet rev. 7, §4.1.1.7).

    >>> round(1000 * lora_air_s(33, 7, 125_000), 1), round(1000 * lora_air_s(33, 12, 125_000), 1)
    (71.9, 1810.4)
    """
    symbol_s = 2**factor / bandwidth_hz
    slow = 2 if symbol_s > 0.016 else 0
    symbols = 8 + max(0, ceil((8 * phy_bytes - 4 * factor + 28 + 16) / (4 * (factor - slow))) * 5)
    return (PREAMBLE_SYMBOLS + symbols) * symbol_s
