"""Figures of int8 nets as the device would hear: whole clips and long streams, each from a fresh start, reference kernels.

    evaluate.py --data DATA --work WORK f0:0 f1:1      each net on the fold it was not trained on, and on TEST
    evaluate.py --data DATA --work WORK final:-1 --limit 190     a net trained on all folds, on what no net was trained on

A net is WORK/<name>.tflite.  An alert: the sum of the last MEAN_OF int8 logits reaches the limit, and none was within QUIET_S before.
"""

import argparse
import json
from pathlib import Path

import augment
import corpus
import numpy as np
from corpus import FOLDS, RATE, TEST
from scipy import stats

WINDOW, STRIDE, STEP_S = 101, 3, 0.03
MEAN_OF, QUIET_S = 3, 1.0
FALSE_AN_HOUR = 12  # half of the anchor's: 16 in 0.68 h
NOISES = ("white", "babble", "ambient", "exercise_bike")
CONDITIONS = ("clean", "+10 dB", "0 dB")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("nets", nargs="+", metavar="NAME:FOLD")
    options.add_argument("--data", required=True)
    options.add_argument("--work", required=True)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--limit", type=int, help="sum of int8 logits; otherwise chosen by the rule of choose()")
    options.add_argument("--json", help="file that takes the figures up")
    told = options.parse_args()
    trials = load(told.data, told.work, told.seed)
    heard = [
        t | scores
        for name, fold in (n.split(":") for n in told.nets)
        for t, scores in listen(Path(told.work) / f"{name}.tflite", [t for t in trials if t["fold"] in (int(fold), TEST)])
    ]
    limit = told.limit if told.limit is not None else choose(heard)
    for other in sorted({limit - 48, limit - 24, limit - 12, limit, limit + 12, limit + 24, limit + 48}):
        print(brief(heard, other))
    figures = report(heard, limit)
    print(table(figures))
    if told.json:  # beside what the file already tells
        path = Path(told.json)
        known = json.loads(path.read_text()) if path.exists() else {}
        known["all_folds" if told.nets[0].endswith(":-1") else "held_out_folds"] = figures
        path.write_text(json.dumps(known, indent=1))


def load(data, work, seed):
    """All trials: dicts of name, fold, kind, condition, noise and features."""
    cache = Path(work) / f"trials_{seed}.npz"
    if not cache.exists():
        clips = corpus.load(data, work, seed)
        made = words(clips, seed) + streams(clips, seed)
        info = json.dumps([{k: t[k] for k in t if k != "v"} for t in made])
        np.savez(cache, info=info, lengths=[len(t["v"]) for t in made], v=np.concatenate([t["v"] for t in made]))
    with np.load(cache) as file:
        parts = np.split(file["v"], np.cumsum(file["lengths"])[:-1])
        return [t | {"v": v} for t, v in zip(json.loads(str(file["info"])), parts)]


def words(clips, seed):
    """One clip of each distinct recording of the word, clean and in each noise at each level."""
    rng, out, seen = np.random.default_rng(seed), [], set()
    for clip in clips:
        if clip.kind != "computer" or clip.name.split("#")[1] in seen:
            continue
        seen.add(clip.name.split("#")[1])
        out.append(dict(name=clip.name, fold=clip.part, kind="computer", condition="clean", noise="", v=augment.features(clip.samples)))
        for condition, snr in (("+10 dB", 10), ("0 dB", 0)):
            for noise in NOISES:
                y = mixed(clip.samples, background(rng, clips, noise, clip.part, len(clip.samples)), snr)
                out.append(dict(name=clip.name, fold=clip.part, kind="computer", condition=condition, noise=noise, v=augment.features(y)))
    return out


def streams(clips, seed):
    """Everything else, back to back: each fold's real clips in the three conditions, the TEST clips clean."""
    rng, out = np.random.default_rng(seed + 1), []
    for part, kinds in [(f, ("keyword", "speech", "command", "ambient")) for f in range(FOLDS)] + [(TEST, ("read", "package", "near"))]:
        for kind in kinds:
            members = [c.samples for c in clips if c.kind == kind and c.part == part]
            members = [members[k] for k in rng.permutation(len(members))]
            for condition, snr in (("clean", None), ("+10 dB", 10), ("0 dB", 0)):
                if not members or (snr is not None and kind == "ambient"):
                    continue
                y = [
                    x if snr is None else mixed(x, background(rng, clips, NOISES[k % 4], part % TEST, len(x)), snr)
                    for k, x in enumerate(members)
                ]
                y = np.concatenate(y)
                y = y[: len(y) if snr is None or part != TEST else 1200 * RATE]
                out.append(dict(name=f"{kind} {part}", fold=part, kind=kind, condition=condition, noise="", v=augment.features(y)))
    return out


def background(rng, clips, noise, part, n):
    """n samples of a noise; ambient sounds of the same fold, babble of five talkers that no net was trained on."""
    if noise == "white":
        return rng.normal(size=n)
    if noise == "babble":
        pool = [c.samples for c in clips if c.part == TEST and c.kind in ("read", "package") and len(c.samples) > 2 * RATE]
        return sum(cut(rng, pool[rng.integers(len(pool))], n) for _ in range(5))
    pool = [
        c.samples
        for c in clips
        if c.part == part and c.kind == "ambient" and ("exercise_bike" in c.name) == (noise == "exercise_bike") and "white" not in c.name
    ]
    return cut(rng, pool[rng.integers(len(pool))], n)


def cut(rng, x, n):
    """n samples from a random place of x on, round its end, at level one."""
    y = np.resize(np.roll(x, -rng.integers(len(x))), n).astype(np.float64)
    return y / (np.sqrt((y**2).mean()) + 1.0)


def mixed(x, noise, snr):
    """A clip in noise, int16: snr is the level of the clip's active part over the noise's RMS, in dB; 6 dB quieter if it would clip."""
    y = x + noise * (augment.level(x) / np.sqrt((noise**2).mean() + 1e-12) * 10 ** (-snr / 20))
    y = y * min(1.0, 32000 / np.abs(y).max())
    return np.rint(y).astype(np.int16)


class Net:
    """The integer net under tflite_runtime's reference kernels (tensorflow's own, where that is absent)."""

    def __init__(self, path):
        try:
            from tflite_runtime import interpreter as lite
        except ImportError:
            from tensorflow.lite.python import interpreter as lite
        self.run = lite.Interpreter(str(path), experimental_op_resolver_type=lite.OpResolverType.BUILTIN_REF)
        self.into, self.out, self.rows = self.run.get_input_details()[0], self.run.get_output_details()[0], 0
        assert abs(self.into["quantization"][0] - 26 / 255) < 1e-8 and self.into["quantization"][1] == -128, self.into["quantization"]

    def logits(self, v):
        """int8 logits of a stream of uint16 features, one each STRIDE frames from the first full WINDOW on.

        Nothing is padded in time, so one long run gives the very numbers that a run a window would.
        """
        rows = WINDOW + (len(v) - WINDOW) // STRIDE * STRIDE
        if rows != self.rows:
            self.run.resize_tensor_input(self.into["index"], [1, rows, 1, 40])
            self.run.allocate_tensors()
            self.rows = rows
        x = augment.quantised(v[:rows]).astype(np.int16) - 128
        self.run.set_tensor(self.into["index"], x.astype(np.int8)[None, :, None, :])
        self.run.invoke()
        return self.run.get_tensor(self.out["index"]).ravel().astype(np.int32)


def listen(path, trials):
    """(trial without its features, scores): the sums of each MEAN_OF logits in a row, and the hours heard."""
    net = Net(path)
    for t in sorted(trials, key=lambda t: len(t["v"])):
        z = net.logits(t["v"])
        yield (
            {k: t[k] for k in ("name", "fold", "kind", "condition", "noise")},
            dict(net=path.stem, sums=np.convolve(z, np.ones(MEAN_OF, int), "valid"), hours=len(t["v"]) / 360e3),
        )


def alerts(sums, limit):
    """How many alerts a stream of sums gives."""
    count, free = 0, 0
    for t in np.flatnonzero(sums >= limit):
        if t >= free:
            count, free = count + 1, t + int(np.ceil(QUIET_S / STEP_S))
    return count


def choose(heard):
    """The lowest limit at which all held-out negatives together, clean and noisy, near words apart, give at most FALSE_AN_HOUR."""
    others = [h for h in heard if h["kind"] not in ("computer", "near")]
    hours = sum(h["hours"] for h in others)
    return next(
        limit for limit in range(-128 * MEAN_OF, 128 * MEAN_OF) if sum(alerts(h["sums"], limit) for h in others) <= FALSE_AN_HOUR * hours
    )


def brief(heard, limit):
    """One line about a limit."""
    missed = [
        np.mean([h["sums"].max() < limit for h in heard if h["kind"] == "computer" and h["condition"] == c] or [np.nan]) for c in CONDITIONS
    ]
    false = [
        sum(alerts(h["sums"], limit) for h in heard if h["kind"] in k and h["condition"] == c)
        for k in (("keyword", "speech", "command", "ambient"), ("read", "package"), ("near",))
        for c in CONDITIONS
    ]
    return (
        f"limit {limit:4}  missed "
        + " ".join(f"{m:6.3f}" for m in missed)
        + f"   false alarms real {false[:3]}  TEST speech {false[3:6]}  near words {false[6:]}"
    )


def report(heard, limit):
    """All figures at a limit, as plain data."""
    figures = dict(limit=limit, threshold=limit / MEAN_OF * 12 / 128, mean_of=MEAN_OF, quiet_s=QUIET_S, missed=[], false_alarms=[])
    for condition in CONDITIONS:
        for noise in [""] if condition == "clean" else ["all", *NOISES]:
            tried = [
                h["sums"].max() < limit
                for h in heard
                if h["kind"] == "computer" and h["condition"] == condition and noise in ("all", h["noise"])
            ]
            if tried:
                k, n = int(sum(tried)), len(tried)
                figures["missed"].append(
                    dict(condition=condition, noise=noise, missed=k, of=n, percent=100 * k / n, interval=[100 * p for p in binomial(k, n)])
                )
    for condition in CONDITIONS:
        for kinds in (
            ["keyword"],
            ["speech"],
            ["command"],
            ["ambient"],
            ["keyword", "speech", "command", "ambient"],
            ["read"],
            ["package"],
            ["near"],
        ):
            some = [h for h in heard if h["kind"] in kinds and h["condition"] == condition]
            if some:
                repeats = len({h["net"] for h in some}) if some[0]["fold"] == TEST else 1
                k, hours = sum(alerts(h["sums"], limit) for h in some), sum(h["hours"] for h in some)
                low, high = poisson(k)
                figures["false_alarms"].append(
                    dict(
                        condition=condition,
                        kind=" + ".join(kinds),
                        alarms=k,
                        hours=hours,
                        nets=repeats,
                        per_hour=k / hours,
                        interval=[low / hours, high / hours],
                    )
                )
    return figures


def binomial(k, n):
    """Clopper-Pearson 95 % interval of a share."""
    return (float(stats.beta.ppf(0.025, k, n - k + 1)) if k else 0.0, float(stats.beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0)


def poisson(k):
    """Exact (Garwood) 95 % interval of a count."""
    return (float(stats.chi2.ppf(0.025, 2 * k) / 2) if k else 0.0, float(stats.chi2.ppf(0.975, 2 * k + 2) / 2))


def table(figures):
    """The figures as Markdown."""
    lines = ["| condition | noise | missed | % | 95 % |", "|---|---|---|---|---|"]
    for m in figures["missed"]:
        low, high = m["interval"]
        lines.append(f"| {m['condition']} | {m['noise']} | {m['missed']} of {m['of']} | {m['percent']:.1f} | {low:.1f} - {high:.1f} |")
    lines += ["", "| condition | heard | false alarms | hours | an hour | 95 % |", "|---|---|---|---|---|---|"]
    for f in figures["false_alarms"]:
        low, high = f["interval"]
        rate = f"{f['per_hour']:.1f} | {low:.1f} - {high:.1f}"
        lines.append(f"| {f['condition']} | {f['kind']} | {f['alarms']} | {f['hours']:.2f} | {rate} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
