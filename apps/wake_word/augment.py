"""From clips to a bank of features: the word in many settings, and long streams of everything else."""

from multiprocessing import Pool

import numpy as np
from corpus import RATE, TEST, TRAIN
from scipy import fft
from scipy.ndimage import uniform_filter1d

from tinystream.stages.micro_frontend import features

FRAMES = 300  # of a training item: 3 s
HOP = 160
STREAM_S = 20
ROOM_DB = 60


def quantised(v):
    """uint8 [..., 40]: what the device feeds the net, plus 128; 255 stands for 26.0 (v = 665.6)."""
    return np.minimum((v.astype(np.uint32) * 256 + 333) // 666, 255).astype(np.uint8)


def build(clips, seed, processes=1):
    """The bank: words [n, FRAMES, 40] uint8 with their kinds, parts and clip numbers, streams (uint8 arrays) with parts and kinds."""
    jobs, rng = [], np.random.default_rng(seed)
    for i, c in enumerate(clips):
        if c.part == TEST:
            continue
        if c.kind == "computer":
            jobs += [("word", (i,), c.part)] * 44 + [("near", (i,), c.part)] * 4
        if c.kind == "made":
            jobs += [("made", (i,), c.part)] * 8
    for part in range(TRAIN + 1):
        for kinds, times in (("keyword speech command ambient", 7), ("read", 1.5), ("package", 2), ("near", 3)):
            pool = [i for i, c in enumerate(clips) if c.part == part and c.kind in kinds.split()]
            while pool and times > 0:
                order, group, filled = rng.permutation(pool)[: int(np.ceil(len(pool) * min(times, 1)))], [], 0
                for i in order:
                    group.append(int(i))
                    filled += min(len(clips[i].samples), STREAM_S * RATE) / RATE + 0.5
                    if filled > STREAM_S or i == order[-1]:
                        jobs.append((kinds.split()[0], tuple(group), part))
                        group, filled = [], 0
                times -= 1
    seeds = np.random.SeedSequence(seed).spawn(len(jobs))
    global CLIPS
    CLIPS = clips  # inherited by the forked workers: too large to send
    with Pool(processes) as pool:
        made = pool.starmap(one, [(*j, s) for j, s in zip(jobs, seeds)], chunksize=32)
    word = [k for k, j in enumerate(jobs) if j[0] in ("word", "made")]
    rest = [k for k, j in enumerate(jobs) if j[0] not in ("word", "made") and len(made[k]) >= FRAMES]
    return dict(
        words=np.stack([made[k] for k in word]),
        word_clip=np.array([jobs[k][1][0] for k in word]),
        word_part=np.array([jobs[k][2] for k in word]),
        word_kind=np.array([jobs[k][0] for k in word]),
        streams=[made[k] for k in rest],
        stream_part=np.array([jobs[k][2] for k in rest]),
        stream_kind=np.array([jobs[k][0] for k in rest]),
    )


def one(kind, members, part, seed):
    """uint8 features of one job of `build`."""
    rng, clips = np.random.default_rng(seed), [CLIPS[i] for i in members]
    if kind in ("word", "made"):
        return word(rng, clips[0])
    if clips[0].kind == "computer":
        return mutilated(rng, clips[0])
    return stream(rng, clips, kind)


def word(rng, clip):
    """FRAMES of features that hold one whole "computer"; the stream before it may be long, or may have just begun."""
    y = stretched(rng, clip.samples)
    first, last = active(y)
    power = level(y)
    before, after = (context(rng, clip.part, power) for _ in range(2))
    y = np.concatenate([before, y, after])
    first, last = first + len(before), last + len(before)
    length = FRAMES * HOP + 320
    if rng.random() < 0.25:  # the stream begins just before the word
        begin = first - int(rng.uniform(0.1, 0.7) * RATE)
        lead = 0
    else:  # the stream ends soon after it
        begin = last + int(rng.choice([rng.uniform(0.09, 0.4), rng.uniform(0.3, 1.5)]) * RATE) - length
        lead = 0 if rng.random() < 0.3 else int(rng.uniform(0.3, 2.5) * RATE)
    begin -= lead
    y = np.pad(y, (max(0, -begin), length + lead))[max(0, begin) :][: length + lead]
    y = disturbed(rng, y, clip.part, power, snr=(-3, 30))
    return quantised(features(y))[-FRAMES:]


def mutilated(rng, clip):
    """A word that is none any more: reversed, or only one half of it."""
    y, (first, last) = clip.samples.astype(np.float64), active(clip.samples)
    if rng.random() < 0.35:
        y = y[::-1]
    else:
        cut, keep = first + int(rng.uniform(0.42, 0.55) * (last - first)), np.ones(len(y))
        keep[slice(cut, None) if rng.random() < 0.5 else slice(0, cut)] = 0
        y = y * uniform_filter1d(keep, 160)
    y = np.pad(y, RATE // 2)
    y = disturbed(rng, y, clip.part, level(y), snr=(6, 30))
    return quantised(features(np.pad(y, (RATE // 2, RATE // 2), mode="wrap")))


def stream(rng, clips, kind):
    """Clips one after the other as one long recording; one in six goes undisturbed, as a test would play it."""
    plain, pieces = rng.random() < 1 / 6, []
    for clip in clips:
        x = clip.samples
        if len(x) > STREAM_S * RATE:
            at = rng.integers(len(x) - STREAM_S * RATE)
            x = x[at : at + STREAM_S * RATE]
        y = x.astype(np.float64) if plain else stretched(rng, x)
        if not plain:
            y = y * 10 ** (rng.uniform(-9, 6) / 20)
            y = np.concatenate([y, np.zeros(int(rng.exponential(0.25) * RATE))])
        pieces.append(y)
    y = np.concatenate(pieces)
    if not plain:
        y = disturbed(rng, y, clips[0].part, level(y), snr=(8, 30) if kind == "near" else (-3, 30))
    return quantised(features(np.clip(np.rint(y), -32768, 32767).astype(np.int16)))


def disturbed(rng, y, part, power, snr):
    """Samples through a random room, equaliser, noise and gain, as int16."""
    size = fft.next_fast_len(len(y) + RATE // 2, real=True)
    spectrum, f = np.fft.rfft(y, size), np.linspace(0, 1, size // 2 + 1)
    if rng.random() < 0.5:
        spectrum *= 10 ** (np.interp(f, np.linspace(0, 1, 7) ** 1.5, rng.uniform(-7, 7, 7)) / 20)
    if rng.random() < 0.4:
        spectrum *= np.fft.rfft(room(rng), size)
    y = np.fft.irfft(spectrum, size)[: len(y)]
    if rng.random() < 0.75:
        noise = some_noise(rng, part, len(y))
        y = y + noise * (max(power, 30) / (np.sqrt((noise**2).mean()) + 1e-9) * 10 ** (-rng.uniform(*snr) / 20))
    y = y * 10 ** ((rng.uniform(-30, -10) if rng.random() < 0.25 else rng.uniform(-20, 6)) / 20)
    y = y + rng.normal(0, 10 ** rng.uniform(-0.5, 1.3), len(y))
    return np.clip(np.rint(y), -32768, 32767).astype(np.int16)


def some_noise(rng, part, n):
    """n samples of noise out of the same part (so that no fold hears another's), coloured noise, or a few talkers at once."""
    draw = rng.random()
    if draw < 0.35:
        colour = rng.normal(size=(2, n // 2 + 1)) * (np.arange(n // 2 + 1) + 20.0) ** -rng.uniform(0, 1)
        return np.fft.irfft(colour[0] + 1j * colour[1], n)
    if draw < 0.55:
        return sum(looped(rng, "read package", TRAIN, n) for _ in range(rng.integers(3, 7)))
    return looped(rng, "ambient", part if part < TRAIN else int(rng.integers(TRAIN)), n)


def looped(rng, kinds, part, n):
    """n samples of a random clip at level one, from a random place on, repeated when it is short."""
    pool = POOLS.get((kinds, part)) or [c for c in CLIPS if c.part == part and c.kind in kinds.split()]
    POOLS[kinds, part] = pool
    if not pool:
        return rng.normal(size=n)
    x = pool[rng.integers(len(pool))].samples
    x = np.resize(np.roll(x, -rng.integers(len(x))) if len(x) < 2 * n else x[rng.integers(len(x) - n) :], n)
    return x / (level(x) + 1.0)


def context(rng, part, power):
    """What is heard beside the word: mostly nothing, at times other speech."""
    if rng.random() < 0.7:
        return np.zeros(int(rng.uniform(0, 1.5) * RATE))
    pool = "keyword speech command" if part < TRAIN else "read"
    speech = looped(rng, pool, part, int(rng.uniform(0.4, 1.5) * RATE))
    speech[-400:] *= np.linspace(1, 0, 400)
    speech[:400] *= np.linspace(0, 1, 400)
    gap = np.zeros(int(rng.uniform(0.05, 0.5) * RATE))
    return np.concatenate([gap, speech * power * 10 ** (rng.uniform(-12, 3) / 20), gap])


def room(rng):
    """An impulse response of a small room: exponentially fading noise after the direct sound."""
    n = int(RATE * rng.uniform(0.05, 0.35))
    tail = rng.normal(size=n) * 10 ** (-ROOM_DB / 20 * np.arange(n) / n)
    tail *= rng.uniform(0.1, 0.7) / np.linalg.norm(tail)
    tail[0] = 1
    return tail


def stretched(rng, x):
    """Samples played faster or slower by up to an eighth, pitch and all."""
    ratio = rng.uniform(0.88, 1.13)
    return np.interp(np.arange(int(len(x) / ratio)) * ratio, np.arange(len(x)), x)


def envelope(x):
    """Mean power of each 20 ms."""
    n = len(x) // 320
    return (np.asarray(x[: n * 320], np.float64).reshape(n, 320) ** 2).mean(1) + 1e-9


def level(x):
    """RMS of the active part: of the 20 ms frames within 25 dB of the loudest."""
    e = envelope(x)
    return float(np.sqrt(e[e > e.max() * 10**-2.5].mean())) if len(e) else 1.0


def active(x):
    """First and last sample of the word: of the longest run within 22 dB of the loudest 60 ms, gaps to 0.2 s allowed."""
    e = uniform_filter1d(envelope(x), 3)
    loud = np.flatnonzero(e > e.max() * 10**-2.2)
    runs = np.split(loud, np.flatnonzero(np.diff(loud) > 10) + 1)
    run = max(runs, key=lambda r: e[r].sum())
    return int(run[0]) * 320, min(len(x), int(run[-1] + 1) * 320)


CLIPS, POOLS = [], {}
