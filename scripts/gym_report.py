"""The Markdown tables of reasoning_gym.py: what its samples say. Pure functions."""

import random
import statistics
from typing import Any, NamedTuple

Sample = dict[str, Any]


class Interval(NamedTuple):
    mean: float
    low: float  # 95 %
    high: float

    def percent(self, sign: str = "") -> str:
        mean, low, high = (f"{100 * value:{sign}z.1f}" for value in self)
        return f"{mean} ({low} to {high})"


def bootstrap(values: list[float], resamples: int = 2000, seed: int = 1) -> Interval:
    """Percentile bootstrap (Efron 1979) of the mean; of paired differences it is the paired one."""
    chance = random.Random(seed)
    means = [statistics.fmean(chance.choices(values, k=len(values))) for _ in range(resamples)]
    cuts = statistics.quantiles(means, n=40, method="inclusive")
    return Interval(statistics.fmean(values), cuts[0], cuts[-1])


def score(sample: Sample) -> float:
    return sample["score"]


def is_right(sample: Sample) -> float:
    return float(sample["score"] >= 1)


def arm_row(arm: str, mine: dict[Any, Sample], first: dict[Any, Sample]) -> list[str]:
    """`mine` and `first`: problem -> sample, of this arm and of the one it is compared with."""
    samples = mine.values()
    pairs = [(mine[problem], first[problem]) for problem in mine if problem in first]
    row = [arm, str(len(mine))]
    for value in (is_right, score):
        row.append(bootstrap([value(sample) for sample in samples]).percent())
        gains = [value(one) - value(other) for one, other in pairs]
        row.append(bootstrap(gains).percent("+") if gains and mine is not first else "")
    tokens = [sample["tokens"] for sample in samples if sample["tokens"] is not None]
    row.append(f"{100 * statistics.fmean(sample['stated'] for sample in samples):.0f}")
    row.append(f"{statistics.fmean(tokens):.0f}" if tokens else "")
    row.append(f"{statistics.median(sample['seconds'] for sample in samples):.1f}")
    return row


def task_cell(samples: list[Sample]) -> str:
    if not samples:
        return ""
    right, mean = statistics.fmean(map(is_right, samples)), statistics.fmean(map(score, samples))
    return f"{100 * right:.0f} / {100 * mean:.0f}"


def table(*rows: list[str]) -> str:
    head, *body = rows
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *body))


def report(configuration: dict[str, Any], samples: list[Sample]) -> str:
    """Every arm, compared in pairs with the first one; then right and score by task."""
    arms: dict[str, dict[Any, Sample]] = {arm: {} for arm in configuration["arms"]}
    for sample in samples:
        arms[sample["arm"]][sample["task"], sample["index"]] = sample
    arms = {arm: of_arm for arm, of_arm in arms.items() if of_arm}
    baseline, first = next(iter(arms.items()))
    against = f"against {baseline}, points"
    head = ["arm", "problems", "right, % (95 %)", against, "score, % (95 %)", against]
    head += ["stated, %", "tokens", "seconds"]

    tasks = []
    for task in configuration["tasks"]:
        of_task = [sample for sample in samples if sample["task"] == task]
        problems = {sample["index"] for sample in of_task}
        cells = [task_cell([sample for sample in of_task if sample["arm"] == arm]) for arm in arms]
        tasks.append([task, str(len(problems)), *cells])
    return (
        table(head, *(arm_row(arm, of_arm, first) for arm, of_arm in arms.items()))
        + "\nRight / score, %:\n\n"
        + table(["task", "problems", *arms], *tasks)
    )
