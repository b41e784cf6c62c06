"""What a published net of ten classes hears in the same clips: YAMNet-256 of STMicroelectronics, fine-tuned on ESC-10.

    beside.py DATA MODEL             DATA as for train.py, MODEL is yamnet_256_esc10_int8.tflite

Its front end, as its published configuration and feature extraction have it: silent stretches of 0.2 s, below -60 dBFS, are cut out;
log(1e-4 + m), m being sums of |X| in 64 HTK bands, 125 to 7500 Hz, of frames of 25 ms each 10 ms, Hann, 512 points; patches of 96 frames
that share 24 with the next.  The label of a clip is that of its mean.  Wants tflite_runtime.

The net has probably been trained on most of these clips: it was fine-tuned on all of ESC-10 but for a random part that is not published.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.signal import get_window
from train import ALERTS, RATE_HZ, read, share

from tinystream.stages.mel import triangles

NAMES = ("chainsaw", "clock_tick", "crackling_fire", "crying_baby", "dog", "helicopter", "rain", "rooster", "sea_waves", "sneezing")
MELS, PATCH, SHARED, SILENT = 64, 96, 24, 3200


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path, help="folder with esc10, background_noise, speech_commands and speech_other")
    options.add_argument("model", type=Path, help="yamnet_256_esc10_int8.tflite")
    told = options.parse_args()
    for name, figure in figures(told.data, told.model).items():
        print(f"| {name} | {figure} |")


def figures(data: Path, model: Path) -> dict[str, str]:
    judge, clips = Published(model), [clip for clip in read(data) if clip.kind in NAMES]
    right = [clip.kind == NAMES[judge(clip.samples).mean(axis=0).argmax()] for clip in clips]
    of_five = [hit for clip, hit in zip(clips, right) if clip.kind in ALERTS]
    return {
        "the published net, clips of its ten classes": share(sum(right), len(right)),
        "the published net, clips of our four": share(sum(of_five), len(of_five)),
    }


class Published:
    """Probabilities [patches, 10] of a clip."""

    def __init__(self, model: Path) -> None:
        from tflite_runtime.interpreter import Interpreter

        self.net = Interpreter(str(model))
        self.net.allocate_tensors()

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        (x,), (y,) = self.net.get_input_details(), self.net.get_output_details()
        scale, zero = x["quantization"]
        told = []
        for patch in patches(samples):
            self.net.set_tensor(x["index"], np.clip(np.rint(patch / scale + zero), -128, 127).astype(np.int8)[None, :, :, None])
            self.net.invoke()
            told.append(self.net.get_tensor(y["index"])[0].astype(np.float64))
        return np.array(told)


def patches(samples: np.ndarray) -> list[np.ndarray]:
    """[MELS, PATCH] each."""
    parts = samples[: len(samples) // SILENT * SILENT].reshape(-1, SILENT) / 2**15
    x = parts[(parts**2).mean(axis=1) > 1e-6].ravel()
    x = x if len(x) >= RATE_HZ else np.resize(x, RATE_HZ)
    window = np.pad(get_window("hann", 400), 56)
    frames = np.stack([x[begin : begin + 512] * window for begin in range(0, len(x) - 511, 160)])
    bands = triangles(MELS, 125, 7500, "htk", "none", np.arange(257) * RATE_HZ / 512)
    y = np.log(np.abs(np.fft.rfft(frames)) @ bands.T + 1e-4).T
    return [y[:, begin : begin + PATCH] for begin in range(0, y.shape[1] - PATCH + 1, PATCH - SHARED)]


if __name__ == "__main__":
    main()
