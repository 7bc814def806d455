"""What the figures can and cannot tell, in sentences for people who look after the objects."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from patina.compare.ranking import Entry, Ranking
from patina.compare.settings import CompareConfig
from patina.core.evaluation import EvaluationSummary


def is_generated(source: str) -> bool:
    """Whether the `source` of the raw artifact's report says that a programme drew the pictures."""
    return source.startswith("generated")


def percent(value: float) -> str:
    """0.3124 -> `31.2 %`, its parts never torn apart by a line's end."""
    return f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def points(value: float, sign: bool = False) -> str:
    """A difference in percentage points: 0.0312 -> `3.1`, with `sign` `+3.1`; the minus is a typographic one."""
    text = f"{100 * value:+.1f}" if sign else f"{100 * value:.1f}"
    return text.replace("-", "−")


def headline(ranking: Ranking) -> str:
    """The result in one line."""
    winner, models = ranking.winner, len(ranking.entries)
    if winner.low is None:
        return f"Too few test pictures to {'rank the models' if models > 1 else 'judge the model'}"
    if not _beats_clean(winner):
        return "No model is shown to find damage" if models > 1 else "The model is not shown to find damage"
    match ranking.resolved:
        case None:
            return f"{winner.name} finds damage; there was nothing to compare it with"
        case True:
            return f"{winner.name} maps the damage best of {models} models"
        case _:
            return f"{winner.name} leads, but not by enough to call it the best"


def conclude(ranking: Ranking, generated: bool) -> list[str]:
    """Two to four sentences: what was found, whether the order can be believed, and what that is worth."""
    sentences = [_result(ranking), _order(ranking), _against_clean(ranking)]
    if generated:
        sentences.append("The pictures are generated: this shows that the programme works, and says nothing about real collections.")
    return [sentence for sentence in sentences if sentence]


def _result(ranking: Ranking) -> str:
    winner = ranking.winner
    start = f"On {ranking.pictures} test picture{'s' * (ranking.pictures != 1)}, {winner.name} "
    start += f"{'scored highest with' if len(ranking.entries) > 1 else 'scored'} an mIoU of {percent(winner.miou)}"
    if winner.low is None or winner.high is None:
        return f"{start}; from {_groups(ranking)} no interval can be given."
    return f"{start} ({100 * ranking.confidence:.0f} % interval {percent(winner.low)} to {percent(winner.high)})."


def _order(ranking: Ranking) -> str:
    if len(ranking.entries) == 1:
        return ""
    winner, second = ranking.winner, ranking.entries[1]
    if second.behind_low is None or second.behind_high is None or second.behind is None:
        return "So few pictures cannot tell the order of the models from chance."
    lead = f"{points(second.behind)} points, interval {points(second.behind_low)} to {points(second.behind_high)}"
    if ranking.resolved:
        more = "over the next one, " if len(ranking.entries) > 2 else "over "
        return f"Its lead {more}{second.name} ({lead}), is larger than chance explains: with other pictures of this kind it should hold."
    rivals = _listed([entry.name for entry in ranking.rivals])
    losers = [entry.name for entry in ranking.entries[1:] if entry not in ranking.rivals]
    tail = f" It is shown to be better than {_listed(losers)}." if losers else ""
    if second in ranking.rivals:
        return (
            f"Its lead over {second.name} ({lead}) is within chance: these pictures do not show which of "
            f"{_listed([winner.name, *(entry.name for entry in ranking.rivals)])} is better.{tail}"
        )
    return f"It is not shown to be better than {rivals}.{tail}"


def _against_clean(ranking: Ranking) -> str:
    winner, baseline = ranking.winner, percent(ranking.clean_miou)
    if _beats_clean(winner) and winner.gain_low is not None:
        return (
            f"Calling every pixel Clean would score {baseline}; {winner.name} gains {points(winner.gain_over_clean)} points on that, "
            f"at least {points(winner.gain_low)} allowing for chance."
        )
    if winner.gain_low is None:
        return f"Calling every pixel Clean would score {baseline} on them ({points(-winner.gain_over_clean, sign=True)} points)."
    nobody = "no model is" if len(ranking.entries) > 1 else "the model is not"
    return f"Calling every pixel Clean would score {baseline}: {nobody} shown to do better than that."


def _groups(ranking: Ranking) -> str:
    return f"{ranking.groups} group{'s' * (ranking.groups != 1)} of related pictures"


def _beats_clean(entry: Entry) -> bool:
    return entry.gain_low is not None and entry.gain_low > 0


def warn(
    ranking: Ranking,
    truth: NDArray[np.int64],
    test: EvaluationSummary,
    validation: int,
    quarantined: int,
    generated: bool,
    config: CompareConfig,
) -> list[str]:
    """What limits the conclusion, the gravest first.

    Args:
        ranking: the ranking.
        truth: int64 [pictures, C], labelled pixels of each test picture and class.
        test: summary of any evaluation, for what all have in common.
        validation: pictures in the validation part.
        quarantined: pictures set aside before the division.
        generated: whether the pictures are generated.
        config: thresholds.
    """
    absent = [score.name for score in test.classes if score.pictures == 0]
    rare = [score.name for score in test.classes if 0 < score.pictures < 3]
    share = float(truth.sum() / test.pixels)
    unlabelled = len(test.unlabelled)
    found: list[str] = []
    if generated:
        found.append("The pictures are generated by a programme. They are no evidence about real collections.")
    if ranking.pictures < config.few_pictures:
        found.append(
            f"Only {ranking.pictures} test picture{'s' * (ranking.pictures != 1)} could be judged. With fewer than {config.few_pictures}, "
            "a ranking is no more than an indication."
        )
    if ranking.winner.low is None:
        found.append(f"The test pictures come from {_groups(ranking)} only: no interval can be given.")
    elif ranking.groups < config.few_groups:
        found.append(f"The test pictures come from {_groups(ranking)} only: the intervals are rough, and tend to be too narrow.")
    if absent:
        found.append(f"Not in the test pictures: {_listed(absent)}. Nothing is known about how well these are found.")
    if rare:
        found.append(
            f"In one or two test pictures only: {_listed(rare)}. Such scores rest on single cases, yet weigh as much as all others."
        )
    if share < 0.5:
        found.append(f"Only {percent(share)} of the test pixels are labelled; the rest does not count.")
    if unlabelled:
        found.append(f"{unlabelled} test picture{'s have' if unlabelled > 1 else ' has'} no labelled pixel and could not be judged.")
    if validation < config.few_validation:
        found.append(f"The best epoch of each model was chosen on {validation} validation picture{'s' * (validation != 1)} only.")
    if quarantined:
        found.append(
            f"{quarantined} picture{'s were' if quarantined > 1 else ' was'} set aside as unreadable or inconsistent before the division."
        )
    return found


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
