"""The recordings: which are the same, which part each belongs to, and speech made by machine where there is none.

A clip is in one of six parts.  Parts 0..3 are the folds of the cross-validation; part TRAIN is always trained on, part TEST never.
"""

import glob
import hashlib
import os
import pickle
import re
import shutil
import subprocess
import textwrap
import typing
import wave
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from scipy import fft, signal

RATE = 16_000
FOLDS = 4
TRAIN, TEST = 4, 5
SAME = 0.9  # normalised correlation above which two clips are one recording
KEYWORDS = ("alexa", "jarvis", "smart_mirror", "snowboy", "view_glass", "hey_jarvis", "hey_mycroft", "okay_nabu")
PACKAGES = (
    "asterisk-core-sounds-en-g722",
    "fillets-ng-data",
    "fillets-ng-data-cs",
    "fillets-ng-data-nl",
    "ktuberling-data",
    "pocketsphinx-testdata",
    "fortunes",
)
NEAR_WORDS = [
    word.strip()
    for word in """
    comp, compute, commuter, pewter, compound, company, complete, computing, competitor, computation, come pewter, the
    pewter jug, compare, compress, component, composer, compete, compiler, complain, compass, combine, commune,
    communicate, community, committee, common, comfort, tutor, suitor, neuter, scooter, shooter, router, looter, hooter,
    Peter, poker, putter, butter, Jupiter, repeater, teleporter, reporter, exporter, supporter, can, cam, come, come
    here, come to her, come put her down, can you tell her, compute her age, compute it, impute, dispute, amputate,
    repute, reputed, disputed, mute her, cute, beauty, duty, puma, pupil, future, feature, creature, Cupid, cucumber,
    Cumberland, camper, camera, Canberra, counter, encounter, conductor, contributor, conquer, consumer, customer,
    transmuter, minicomp, comput, puter, uter, kumquat, accomplice, accompany""".replace("\n", " ").split(",")
]
TONGUES = ["en-us", "en-gb", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-us-nyc", "en-gb-x-gbclan", "en-gb-x-gbcwmd"]
ACCENTS = ["de", "fr", "es", "it", "nl", "pl", "pt", "sv", "ru", "hi", "cmn", "tr", "ro", "hu", "fi", "da"]
VARIANTS = [
    "f1",
    "f2",
    "f3",
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "Alex",
    "Alicia",
    "Andrea",
    "Andy",
    "Annie",
    "Denis",
    "Gene",
    "Hugo",
    "Jacky",
    "Lee",
    "Marco",
    "Michael",
    "Mike",
    "Nguyen",
    "Storm",
    "adam",
    "anika",
    "antonio",
]
VARIANTS_TEST = [
    "f4",
    "f5",
    "m7",
    "m8",
    "aunty",
    "belinda",
    "david",
    "ed",
    "grandma",
    "linda",
    "max",
    "michel",
    "norbert",
    "pablo",
    "paul",
    "robert",
    "steph",
    "victor",
]


@dataclass(frozen=True)
class Clip:
    """One recording: int16 samples at 16 kHz, its kind, and the part (fold, TRAIN or TEST) it belongs to."""

    name: str
    kind: str  # computer keyword speech command ambient read near package made
    part: int
    samples: np.ndarray


def load(data, work, seed):
    """Every clip there is, from the cache in `work` when it was made before.  `data` holds audio/."""
    cache = Path(work) / f"corpus_{seed}.pickle"
    if not cache.exists():
        clips = recordings(data, seed) + packaged(Path(work) / "packages") + synthetic(Path(work) / "packages", seed)
        cache.write_bytes(pickle.dumps([vars(c) for c in clips], protocol=5))
    return [Clip(**c) for c in pickle.loads(cache.read_bytes())]


def recordings(data, seed):
    """The clips of audio/, folds drawn by recording; a second copy of a recording follows the first."""
    found = []
    for path in sorted(glob.glob(f"{data}/audio/**/*.wav", recursive=True)):
        folder = path.split("/audio/")[1].split("/")
        kind = {"speech_other": "speech", "speech_commands": "command", "esc10": "ambient", "background_noise": "ambient"}.get(folder[0])
        if folder[0] == "wakeword":
            kind = "computer" if folder[1] == "computer" else "keyword"
        if kind:
            found.append((path, kind, "/".join(folder[:-1]), read_wav(path)))
    rng, clips = np.random.default_rng(seed), []
    for folder in sorted({f[2] for f in found}):
        members = [f for f in found if f[2] == folder]
        group = same_recording([m[3] for m in members]) if members[0][1] in ("computer", "keyword") else np.arange(len(members))
        names = np.unique(group)
        fold = dict(zip(names, rng.permutation(np.arange(len(names)) + rng.integers(FOLDS)) % FOLDS))
        for g, (path, kind, _, x) in zip(group, members):
            if "background_noise" in path:  # a minute each: every fold gets a quarter
                clips += [Clip(f"{Path(path).stem}#{g}.{k}", kind, k, q) for k, q in enumerate(np.array_split(x, FOLDS))]
            else:
                clips.append(Clip(f"{folder}/{Path(path).stem}#{g}", kind, int(fold[g]), x))
    return clips


def same_recording(clips):
    """A group number a clip; two clips share it when their largest normalised cross-correlation, 150-6000 Hz, exceeds SAME."""
    sos = signal.butter(4, (150, 6000), "bandpass", fs=RATE, output="sos")
    n = fft.next_fast_len(2 * max(len(x) for x in clips), real=True)
    spectra = []
    for x in clips:
        y = signal.sosfiltfilt(sos, x.astype(np.float64))
        spectra.append(np.fft.rfft(y / (np.linalg.norm(y) + 1e-9), n).astype(np.complex64))
    spectra, group = np.array(spectra), np.arange(len(clips))
    for i in range(len(clips) - 1):
        peak = np.abs(fft.irfft(spectra[i + 1 :] * spectra[i].conj(), n, axis=1)).max(1)
        for j in np.flatnonzero(peak > SAME) + i + 1:
            group[group == group[j]] = group[i]
    return group


def packaged(folder):
    """Real speech out of Debian packages (fetched with apt, not installed); none, and a message, where apt is absent.

    A file whose name or transcript speaks of a computer is left out.  Dutch dialogues, half of the English prompts, ten of the
    languages and the read prose are TEST; the rest is TRAIN.
    """
    if not fetch(folder):
        return []
    told = re.compile("comput|kompj|komput|počíta", re.I)
    banned = {
        (Path(p).parent.name, told_id)
        for p in glob.glob(f"{folder}/fillets-ng-data/**/dialogs_*.lua", recursive=True)
        for told_id, text in re.findall(r'dialogId\("([^"]+)".*?"\s*,?\s*"?([^"]*)"\)', Path(p).read_text("utf-8", "replace"), re.S)
        if told.search(text)
    }
    banned_levels = {"computer", "floppy", "windoze"}
    clips = []
    for path in sorted(p for end in ("ogg", "wav", "g722", "raw", "opus") for p in glob.glob(f"{folder}/*/usr/**/*.{end}", recursive=True)):
        part, package = Path(path).parts, Path(path).relative_to(folder).parts[0]
        if told.search(Path(path).name) or package in ("fillets-ng-data",):
            continue
        if package.startswith("fillets") and (part[-3] in banned_levels or (part[-3], Path(path).stem) in banned):
            continue
        x = decode(path)
        if x is None or not 0.3 * RATE < len(x) < 40 * RATE or np.abs(x).max() < 300:
            continue
        odd = hashlib.sha1(Path(path).stem.encode()).digest()[0] & 1
        test = {
            "asterisk-core-sounds-en-g722": odd,
            "fillets-ng-data-nl": True,
            "pocketsphinx-testdata": True,
            "ktuberling-data": part[-2] in ("en", "da", "ca", "uk", "it", "sv", "gl", "pt", "es", "fi"),
        }.get(package, False)
        clips.append(Clip("/".join(part[-3:]), "package", TEST if test else TRAIN, x))
    return clips


def fetch(folder):
    """Download and unpack PACKAGES below `folder` when they are not there yet; False when that cannot be done."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        print("no apt-get here: training goes without packaged speech; it wants", " ".join(PACKAGES))
        return False
    for package in PACKAGES:
        if not (Path(folder) / package).exists():
            subprocess.run(["apt-get", "-q", "download", package], cwd=folder, check=True)
            subprocess.run(["dpkg-deb", "-x", glob.glob(f"{folder}/{package}_*.deb")[0], f"{folder}/{package}"], check=True)
    return True


def decode(path):
    """int16 samples at 16 kHz of a wav, ogg, opus, raw or G.722 file; None when it cannot be read."""
    try:
        if path.endswith(".g722"):
            import av

            frames = [f.to_ndarray().ravel() for f in av.open(path, format="g722").decode(audio=0)]
            return np.concatenate(frames).astype(np.int16)
        if path.endswith(".raw"):
            return np.fromfile(path, "<i2")
        import soundfile

        x, rate = soundfile.read(path, always_2d=True)
        return to_rate(x.mean(1) * 32767, rate)
    except Exception as error:
        print(f"left out {path}: {error}")
        return None


def synthetic(folder, seed):
    """Clips read by machines: long texts (kind read), words that come near (near), and the word itself (made).

    TEST has voices and texts of its own.
    """
    engines = [e for e in ("espeak-ng", "flite") if shutil.which(e)]
    if len(engines) < 2:
        print("synthetic speech wants both espeak-ng and flite (apt-get install espeak-ng flite); going on with", engines or "none")
    rng, jobs = np.random.default_rng(seed + 1), []
    texts = {TRAIN: prose(folder), TEST: manuals()}
    for part, minutes, variants, voices in ((TRAIN, 150, VARIANTS, ("awb", "kal16", "slt")), (TEST, 45, VARIANTS_TEST, ("rms",))):
        for _ in range(minutes):
            jobs.append(("read", part, passage(rng, texts[part], 900), voice(rng, engines, variants, voices)))
        for word in NEAR_WORDS:
            for _ in range(10 if part == TRAIN else 4):
                jobs.append(("near", part, word.strip(), voice(rng, engines, variants, voices)))
    for _ in range(200):
        jobs.append(("made", TRAIN, "computer", voice(rng, engines, VARIANTS, ("awb", "kal16", "slt"))))
    jobs = [j for j in jobs if j[3]]
    with Pool(2) as pool:
        said = pool.starmap(say, [(text, how) for _, _, text, how in jobs], chunksize=8)
    clips = [Clip(f"{kind}{i}: {text[:24]}", kind, part, x) for i, ((kind, part, text, _), x) in enumerate(zip(jobs, said))]
    return [c for c in clips if len(c.samples) > RATE // 5]


def prose(folder):
    """Sentences for training: fortunes."""
    raw = " ".join(
        Path(p).read_text("utf-8", "replace")
        for p in glob.glob(f"{folder}/fortunes/usr/share/games/fortunes/*")
        if "." not in Path(p).name and "art" not in Path(p).name
    )
    return sentences(raw) or sentences(" ".join(m.__doc__ or "" for m in (os, re, shutil, subprocess, textwrap, typing, wave)))


def manuals():
    """Sentences for the test: what the standard library and the common licences say of themselves."""
    library = Path(os.__file__).parent
    raw = " ".join(" ".join(re.findall(r'"""(.+?)"""', p.read_text("utf-8", "replace"), re.S)) for p in sorted(library.glob("*.py")))
    return sentences(raw + " ".join(Path(p).read_text("utf-8", "replace") for p in glob.glob("/usr/share/common-licenses/*")))


def sentences(raw):
    """The sentences of a text that hold 4 to 40 plain words and do not speak of computing."""
    found = re.split(r"(?<=[.!?;])\s+", re.sub(r"[^A-Za-z.,;!?' ]+", " ", raw))
    return [s for s in found if 4 <= len(s.split()) <= 40 and not re.search("comput", s, re.I)]


def passage(rng, texts, characters):
    """Random sentences, in a row, until there are enough characters."""
    start, out = int(rng.integers(len(texts))), ""
    while len(out) < characters:
        out, start = out + " " + texts[start % len(texts)], start + (1 if rng.random() < 0.7 else int(rng.integers(len(texts))))
    return out


def voice(rng, engines, variants, voices):
    """A command line that reads standard input aloud into {out}, with a random engine, voice, speed and pitch."""
    if not engines:
        return None
    if "flite" in engines and rng.random() < 0.45:
        return [
            "flite",
            "-voice",
            str(rng.choice(voices)),
            "--setf",
            f"duration_stretch={rng.uniform(0.75, 1.3):.2f}",
            "--setf",
            f"int_f0_target_mean={rng.uniform(75, 240):.0f}",
            "-f",
            "{text}",
            "-o",
            "{out}",
        ]
    tongue = str(rng.choice(TONGUES if rng.random() < 0.65 else ACCENTS))
    return [
        "espeak-ng",
        "-v",
        f"{tongue}+{rng.choice(variants)}",
        "-s",
        str(rng.integers(115, 230)),
        "-p",
        str(rng.integers(15, 85)),
        "-f",
        "{text}",
        "-w",
        "{out}",
    ]


def say(text, command):
    """int16 samples at 16 kHz of a text read by a command of `voice`."""
    base = f"/tmp/say_{os.getpid()}"
    Path(base + ".txt").write_text(text)
    subprocess.run([a.format(text=base + ".txt", out=base + ".wav") for a in command], check=True, capture_output=True)
    with wave.open(base + ".wav") as file:
        x = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return to_rate(x.astype(np.float64), file.getframerate())


def to_rate(x, rate):
    """Samples at any rate as int16 at 16 kHz."""
    g = np.gcd(RATE, rate)
    y = x if rate == RATE else signal.resample_poly(x, RATE // g, rate // g)
    return np.clip(np.rint(y), -32768, 32767).astype(np.int16)


def read_wav(path):
    """int16 samples of a mono 16 kHz wav."""
    with wave.open(path) as file:
        assert file.getframerate() == RATE and file.getsampwidth() == 2, f"{path}: 16 kHz s16 promised by INDEX.csv"
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")[:: file.getnchannels()].copy()
