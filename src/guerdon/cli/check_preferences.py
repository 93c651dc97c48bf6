"""`guerdon check` of preferences: rows that cannot be used, what contradicts itself, what length alone explains.

rows --read--> bad rows, each by its place --audit--> repetitions, contradictions, disagreement, length bias
--against: prompts and pairs on both sides            --audit: labels that a second judgement overturns
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guerdon.core.types import Preference, Problem
    from guerdon.data.preferences.audit import Audit
    from guerdon.data.preferences.config import PreferenceTableConfig
    from guerdon.data.preferences.reading import PreferenceSet

MAX_SHOWN = 10
LENGTH_SKEW = 0.6
"""A judge of length alone that is surely right more often has found most of what there is to learn."""
MIN_UNEVEN = 20
"""Fewer pairs of different length say nothing of a whole set."""


def has_preferences(row: Mapping[str, Any]) -> bool:
    """Whether the first row of a file holds a preference, by its columns."""
    from guerdon.data.preferences.columns import recognise_layout

    return recognise_layout(row, {}, {}) is not None


def check_preferences(path: str, against: str | None, audit: str | None) -> int:
    """Tell all that is found; how many problems there are among it.

    Args:
        path: a file of preferences.
        against: a file of held-out preferences.
        audit: a file of the same preferences, judged again.

    Raises:
        DataError: a file cannot be read.
    """
    found = _scan(path)
    failed = check_set("data", path, found)
    if against:
        failed += _write_leaks(path, against, found)
    return failed + (_write_noise(audit, found.pairs) if audit else 0)


def check_set(side: str, what: str, found: PreferenceSet, *, alone: bool = False) -> int:
    """Tell of one set: its rows, what contradicts itself, what length alone explains; how many problems.

    Args:
        side: what lines begin with, such as `data.train.people`.
        what: where the set is from.
        found: the set, read so that bad rows are left out.
        alone: whether rated answers without a partner are of use.
    """
    from guerdon.cli.table import write_line
    from guerdon.data.preferences.audit import Audit

    failed = _write_rows(side, what, found)
    seen = Audit()
    places = found.places or [f"pair {number}" for number in range(1, len(found.pairs) + 1)]
    for pair, place in zip(found.pairs, places, strict=True):
        seen.add(pair, place)
    failed += _write_conflicts(side, seen)
    if seen.num_pairs:
        _write_length(seen)
    if not found.pairs:
        rated = sum(answer.score is not None for one in found.lists for answer in one.answers)
        single = f"{rated} rated answers without a partner, from which loss.pointwise learns" if rated else ""
        write_line(f"{side}  {single if alone and rated else 'no pair of answers; expected at least one'}")
        failed += not found.bad_rows and not (alone and rated)
    return failed


def _config(path: str) -> PreferenceTableConfig:
    from guerdon.data.preferences.config import JsonlPreferencesConfig, ParquetPreferencesConfig

    if path.endswith(".parquet"):
        return ParquetPreferencesConfig(path=path, bad_rows="leave_out")
    return JsonlPreferencesConfig(path=path, bad_rows="leave_out")


def _scan(path: str) -> PreferenceSet:
    from guerdon.data.preferences.reading import scan_preferences

    return scan_preferences(_config(path), 0)


def _write_rows(side: str, what: str, found: PreferenceSet) -> int:
    from guerdon.cli.table import write_line, write_table

    layout = f"layout {found.layout}, {found.num_rows} rows, " if found.layout else ""
    write_line(f"{side}  {what}: {layout}{len(found.pairs)} pairs")
    if found.left_out:
        counts = ", ".join(f"{count} {reason}" for reason, count in found.left_out.most_common())
        write_line(f"{side}  left out: {counts}")
    if found.bad_rows:
        write_line(
            f"{side}  {len(found.bad_rows)} rows cannot be used (bad_rows = 'leave_out' trains on the others)"
        )
        write_table(["row", "problem"], found.bad_rows[:MAX_SHOWN])
    if len(found.bad_rows) > MAX_SHOWN:
        write_line(f"... and {len(found.bad_rows) - MAX_SHOWN} more")
    return len(found.bad_rows)


def _write_conflicts(side: str, seen: Audit) -> int:
    """Contradictions are problems; the rest is told."""
    from guerdon.cli.table import write_line, write_table
    from guerdon.data.preferences.audit import CONTRADICTION

    by_source = ", ".join(f"{count} by {source}" for source, count in seen.sources.most_common())
    write_line(
        f"{side}  {seen.num_prompts} prompts, {seen.ties} ties, {seen.with_margin} with a margin; {by_source or 'none'}"
    )
    if seen.counts:
        counts = ", ".join(f"{count} {how}s" for how, count in sorted(seen.counts.items()))
        write_line(f"{side}  pairs that stood before: {counts}")
        examples = sorted(seen.examples, key=lambda item: item.how != CONTRADICTION)
        write_table(["row", "the pair of", ""], examples[:MAX_SHOWN])
    if (agreement := seen.agreement()).num:
        write_line(f"{side}  annotators agree on {agreement} of {agreement.num} pairs judged again")
    if cycles := len(seen.cyclic_prompts()):
        write_line(f"{side}  {cycles} prompts whose answers are preferred in a circle")
    if seen.num_inverted:
        write_line(f"{side}  {seen.num_inverted} chosen answers have the lower rating")
    return seen.counts[CONTRADICTION]


def _write_length(seen: Audit) -> None:
    from guerdon.cli.table import write_line

    sources = sorted(seen.sources) if len(seen.sources) > 1 else []
    for name in (None, *sources):
        share = seen.length_bias(name)
        if not share.num:
            continue
        count = seen.sources.total() if name is None else seen.sources[name]
        skew = max(share.low, 1 - share.high)
        tells = skew > LENGTH_SKEW and share.num >= max(MIN_UNEVEN, count / 2)
        state = ": length alone explains most of it" if tells else ""
        whose = f" of {name}" if name else ""
        write_line(f"length  the chosen side{whose} is the longer one in {share} of {share.num} pairs{state}")


def _write_leaks(path: str, against: str, found: PreferenceSet) -> int:
    from guerdon.cli.check import write_leaks
    from guerdon.data.twins import find_leaks

    held = {problem.messages: problem for problem in _by_place(_scan(against))}
    return write_leaks(f"leaks  of {against} into {path}", find_leaks(_by_place(found), list(held.values())))


def _by_place(found: PreferenceSet) -> Iterator[Problem]:
    """The prompts, named by where they stand: ids of preferences are often hashes."""
    for pair, place in zip(found.pairs, found.places, strict=True):
        yield dataclasses.replace(pair.problem, id=place)


def _write_noise(audit: str, pairs: Sequence[Preference]) -> int:
    from guerdon.cli.table import write_line
    from guerdon.data.preferences.audit import label_noise
    from guerdon.data.preferences.config import MAX_LABEL_NOISE

    noise = label_noise(pairs, _scan(audit).pairs)
    if not noise.num_audited:
        write_line(
            f"audit  no pair of {audit} stands in the data; expected some of the same pairs, judged again"
        )
        return 1
    is_noise = noise.share > MAX_LABEL_NOISE
    limit = (
        f"; expected at most {100 * MAX_LABEL_NOISE:.0f} %: these labels teach nothing" if is_noise else ""
    )
    write_line(f"audit  {noise}{limit}")
    return int(is_noise)
