"""One line per metric: what it is called on the page, its unit, and what it means.

The names are those of metrics.jsonl and evals.jsonl (TRL's where TRL has the thing).
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """A metric in words. A unit of "%" means: the value is a share of 1 and is shown times 100."""

    label: str
    meaning: str
    unit: str = ""
    better: int = 0
    """1: higher is better; -1: lower is better; 0: it depends."""


EVALUATION = {
    "greedy_accuracy": Term(
        "Greedy accuracy", "Share of held-out problems whose most likely answer is right.", "%", 1
    ),
    "sampled_accuracy": Term(
        "Sampled accuracy",
        "Share of right answers when answers are drawn at random, as in training; mean over problems.",
        "%",
        1,
    ),
    "format_rate": Term(
        "Format rate", "Share of sampled answers in the layout that the format reward demands.", "%", 1
    ),
    "mean_length": Term("Mean length", "Tokens of a sampled answer, on average.", "tokens"),
    "accuracy": Term("Accuracy", "Share of pairs whose chosen side the reward model prefers.", "%", 1),
    "score_mean": Term("Score, mean", "Mean score of held-out responses, in -1..1."),
    "score_std": Term("Score, spread", "Standard deviation of the scores; near 0 they say nothing."),
    "saturated": Term(
        "Saturated", "Share of scores beyond 0.98 either way: they cannot rise or fall.", "%", -1
    ),
    "calibration_error": Term(
        "Calibration error", "Mean distance between stated confidence and share of right verdicts.", "%", -1
    ),
    "open_closed_distance": Term(
        "Open against closed", "Kolmogorov-Smirnov distance of the scores on open- and closed-ended prompts."
    ),
    "u_std": Term(
        "Utility, spread", "Standard deviation of u itself on held-out responses, before squashing."
    ),
    "reward_health/sample_score_mean": Term(
        "Samples, mean", "Mean score of the policy's samples; far off 0, all lie at one end."
    ),
    "reward_health/sample_score_std": Term(
        "Samples, spread", "Standard deviation of the scores of the policy's samples."
    ),
    "reward_health/sample_saturated": Term(
        "Samples, saturated", "Share of the policy's samples that score beyond 0.98 either way.", "%", -1
    ),
    "reward_health/sample_u_std": Term(
        "Samples, utility spread", "Standard deviation of u itself on the policy's samples."
    ),
    "reward_health/sample_open_closed_distance": Term(
        "Samples, open against closed",
        "Kolmogorov-Smirnov distance of the scores of the policy's samples on open- and closed-ended prompts.",
    ),
}

TRAINING = {
    "reward": Term("Reward", "Weighted sum of all parts, averaged over the step's rollouts.", better=1),
    "reward_std": Term(
        "Reward spread", "Standard deviation of the reward; 0 within a group teaches nothing."
    ),
    "frac_reward_zero_std": Term(
        "Groups without spread", "Share of groups whose rollouts all got the same reward.", "%", -1
    ),
    "loss": Term(
        "Loss",
        "What the optimiser descends. In GRPO its level means little: read it beside the effective samples.",
    ),
    "margin": Term("Margin", "By how much the chosen side's utility exceeds the rejected one's, on average."),
    "mean_reward": Term(
        "Mean utility", "Mean u of the batch; only its differences within a prompt mean anything."
    ),
    "reward_health/u_std": Term("Utility spread", "Standard deviation of u itself over the batch."),
    "reward_health/score_std": Term("Score spread", "Running standard deviation of the squashed scores."),
    "reward_health/saturated": Term("Saturated scores", "Share of scores beyond 0.98 either way.", "%", -1),
    "policy_loss": Term("Policy loss", "The surrogate without KL and entropy terms."),
    "kl": Term("KL", "How far the policy has moved from its reference, per token.", "nats"),
    "entropy": Term(
        "Entropy", "How undecided the policy is about the next token; a fall to 0 ends exploration.", "nats"
    ),
    "completions/mean_length": Term("Completion length", "Tokens of a rollout, on average.", "tokens"),
    "completions/clipped_ratio": Term(
        "Cut off", "Share of rollouts that ran into the token limit and may lack an answer.", "%", -1
    ),
    "clip_ratio/region_mean": Term(
        "Clipped tokens", "Share of tokens whose update the clip bound stopped.", "%"
    ),
    "grad_norm": Term("Gradient norm", "Length of the gradient before clipping; spikes are a warning."),
    "learning_rate": Term("Learning rate", "Step size of the optimiser at each step."),
    "num_tokens": Term("Tokens so far", "Prompt and completion tokens the stage has seen.", "tokens"),
    "step_time": Term("Step time", "Wall-clock time of one whole step.", "s", -1),
    "signal/effective_samples": Term(
        "Effective samples", "Rollouts of the step whose advantage is not zero: these alone move the weights."
    ),
    "signal/prompts_cut": Term(
        "Cut prompts", "Prompts that lost their beginning so that the response fits.", better=-1
    ),
    "signal/pairs_too_long": Term(
        "Too long", "Pairs, lists and answers left out because a response does not fit.", better=-1
    ),
    "signal/groups_learning": Term(
        "learning", "Groups whose rollouts earned different rewards: these teach."
    ),
    "signal/unverified_samples": Term("Unverified", "Rollouts whose reward could not be determined."),
    "signal/failures": Term("Failures", "Rollouts and rewards of the step that broke.", better=-1),
    "signal/nonfinite_updates": Term(
        "Skipped updates", "Optimiser steps left out because a gradient was not finite.", better=-1
    ),
    "signal/groups_all_right": Term(
        "all right", "Groups in which every rollout earned the same high reward."
    ),
    "signal/groups_all_wrong": Term(
        "all wrong", "Groups in which the heaviest part said wrong of every rollout."
    ),
    "signal/groups_all_equal": Term("all equal", "Groups in which every rollout earned the same reward."),
    "signal/groups_unverifiable": Term("unverifiable", "Groups in which no reward could be determined."),
    "signal/groups_truncated": Term("truncated", "Groups that lost their signal to the token limit."),
    "signal/groups_failed": Term("failed", "Groups whose rollouts or rewards broke."),
    "signal/groups_refilled": Term("refilled", "Groups replaced by new problems for lack of a signal."),
    "completions/distinct_2": Term(
        "Distinct pairs", "Share of different pairs of tokens among all of the answers to a problem.", "%"
    ),
    "completions/repetition": Term(
        "Repetition", "Share of an answer's pairs of tokens that it has said before.", "%"
    ),
    "monitor/alarm": Term("Alarms", "Probes that fell while the reward rose, newly found in this step."),
    "monitor/beta": Term("Beta", "Weight of the KL term."),
    "reward_health/renormalised": Term(
        "Renormalised", "Share of rollouts in which a missing part left its weight to the others.", "%", -1
    ),
    "cost/tokens_per_s": Term("Sampling speed", "Completion tokens sampled per second.", "tokens/s", 1),
    "cost/sampled_tokens": Term("Sampled tokens", "Completion tokens sampled in the step.", "tokens"),
    "memory/peak_rss_gb": Term("Peak memory", "Most main memory the process has held so far.", "GB", -1),
    "sampling/sampling_logp_difference/mean": Term(
        "Sampler gap",
        "Mean difference of sampler and learner log-probabilities; near 0 is healthy.",
        "nats",
        -1,
    ),
    "sampling/staleness/mean": Term(
        "Staleness", "Updates between the weights that answered and those that learn from it.", "updates"
    ),
    "timing_s/wait": Term("Waiting", "Time the learner waited for a step's scored answers.", "s", -1),
}

_PATTERNS = (
    (
        re.compile(r"pass@(\d+)"),
        "Pass@{0}",
        "Share of problems with a right answer among {0} samples.",
        "%",
        1,
    ),
    (
        re.compile(r"greedy_accuracy/(.+)"),
        "Greedy accuracy, {0}",
        "Share of held-out problems of the set “{0}” whose most likely answer is right.",
        "%",
        1,
    ),
    (
        re.compile(r"sampled_accuracy/(.+)"),
        "Sampled accuracy, {0}",
        "Share of right answers to problems of the set “{0}”, drawn at random.",
        "%",
        1,
    ),
    (
        re.compile(r"sampled_value/(.+)"),
        "Value, {0}",
        "Mean value of the part that says what is right, on the set “{0}”: more than right or wrong, where it has grades.",
        "",
        1,
    ),
    (
        re.compile(r"pass@(\d+)/(.+)"),
        "Pass@{0}, {1}",
        "Share of problems of the set “{1}” with a right answer among {0} samples.",
        "%",
        1,
    ),
    (re.compile(r"accuracy/(.+)"), "Accuracy, {0}", "Accuracy on a part of the pairs: {0}.", "%", 1),
    (re.compile(r"loss/(.+)"), "Loss: {0}", "A part of the loss: {0}.", "", 0),
    (re.compile(r"rewards/(.+)/mean"), "{0}, mean", "Mean value of the reward part “{0}”.", "", 0),
    (re.compile(r"rewards/(.+)/std"), "{0}, spread", "Standard deviation of the reward part “{0}”.", "", 0),
    (
        re.compile(r"rewards/(.+)/disagreement"),
        "{0}, disagreement",
        "Mean deviation of the members of the ensemble “{0}”: high where they have no data.",
        "",
        0,
    ),
    (
        re.compile(r"monitor/(.+)_z"),
        "{0}, monitored",
        "“{0}” in standard deviations from the first steps.",
        "",
        0,
    ),
    (
        re.compile(r"rewards/(.+)/unverified"),
        "{0}, unverified",
        "Share of rollouts that the part “{0}” was asked about and could not judge.",
        "%",
        -1,
    ),
    (re.compile(r"timing_s/(.+)"), "{0}", "Seconds spent in the station “{0}”.", "s", -1),
)


def term(name: str) -> Term:
    """What a metric means; an unknown one is called by its own name.

    >>> term("pass@8").label, term("rewards/math/mean").label, term("no/such").label
    ('Pass@8', 'math, mean', 'no/such')
    """
    known = EVALUATION.get(name) or TRAINING.get(name)
    if known:
        return known
    for pattern, label, meaning, unit, better in _PATTERNS:
        found = pattern.fullmatch(name)
        if found:
            return Term(label.format(*found.groups()), meaning.format(*found.groups()), unit, better)
    return Term(name, "")
