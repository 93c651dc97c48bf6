"""The algorithm and the optimiser. Torch-free. Names and defaults as TRL's where TRL has the thing."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from guerdon.core.config import Config

AdvantageName = Literal[
    "group_zscore",
    "group_center",
    "batch_std",
    "leave_one_out",
    "opo",
    "reinforce_plus_plus",
    "gdpo",
    "rejection",
    "constant",
]
RatioName = Literal["token", "sequence"]
SurrogateName = Literal["reinforce", "clip", "cispo", "gmpo", "sapo"]
AggregateName = Literal["sequence_mean", "token_mean", "constant_length", "prompt_mean"]
KlName = Literal["k1", "k2", "k3", "k3_unbiased"]


class AlgorithmConfig(Config):
    """A row of the algorithm table, and what of it is changed."""

    name: str = "grpo"
    """Row of the table: grpo, gdpo, grpo_v32, dr_grpo, dapo, gspo, cispo, rloo, reinforce_plus_plus, gmpo, sapo, rft."""
    advantage: AdvantageName | None = None
    """Replaces the row's advantage estimator."""
    ratio: RatioName | None = None
    """Replaces the row's ratio (TRL: importance_sampling_level)."""
    surrogate: SurrogateName | None = None
    """Replaces the row's surrogate."""
    aggregate: AggregateName | None = None
    """Replaces the row's aggregation (TRL folds it into loss_type)."""
    epsilon: float | None = Field(default=None, gt=0.0)
    """Lower clip bound of the surrogate."""
    epsilon_high: float | None = Field(default=None, gt=0.0)
    """Upper clip bound; for cispo the cap of the ratio itself, as in TRL."""
    delta: float | None = Field(default=None, gt=1.0)
    """Dual clip: bounds the loss of negative advantages at delta * |A|."""
    beta: float | None = Field(default=None, ge=0.0)
    """Weight of the KL term; above 0 a reference policy is kept."""
    kl: KlName | None = None
    """Replaces the row's KL estimator."""
    entropy_coef: float = Field(default=0.0, ge=0.0)
    """Weight of an entropy bonus."""
    off_policy_mask_threshold: float | None = Field(default=None, gt=0.0)
    """OPSM (DeepSeek-V3.2): drop sequences with A < 0 whose mean log(behavior/now) exceeds this."""
    importance_sampling_correction: Literal["none", "truncate", "mask"] | None = None
    """Correct old against behavior log-probs: truncated or masked importance sampling."""
    importance_sampling_cap: float = Field(default=2.0, gt=1.0)
    """Upper bound of that correction weight; "mask" also drops tokens whose weight is below 1 / cap."""
    mask_truncated_completions: bool = False
    """Leave truncated rollouts out of the loss (DAPO's overlong filter); they stay in the group's mean."""
    sync_ref_model: bool = False
    """Refresh the reference policy from the current one."""
    ref_model_sync_steps: int = Field(default=400, ge=1)
    """Steps between refreshes."""
    ref_model_mixup_alpha: float = Field(default=1.0, gt=0.0, le=1.0)
    """ref = alpha * policy + (1 - alpha) * ref at a refresh."""


class OptimConfig(Config):
    """AdamW, its schedule, and how much is computed at once."""

    learning_rate: float = Field(default=1e-6, gt=0.0)
    """Peak learning rate."""
    lr_scheduler_type: Literal["constant", "linear", "cosine"] = "linear"
    """Decay after the warm-up."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps from 0 to the peak."""
    max_steps: int = Field(default=100, ge=1)
    """Steps of this stage."""
    adam_beta1: float = Field(default=0.9, ge=0.0, lt=1.0)
    """First moment decay."""
    adam_beta2: float = Field(default=0.999, ge=0.0, lt=1.0)
    """Second moment decay."""
    adam_epsilon: float = Field(default=1e-8, gt=0.0)
    """Denominator floor."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """Decoupled weight decay."""
    max_grad_norm: float = Field(default=1.0, gt=0.0)
    """Clip the global gradient norm here."""
    max_tokens_per_microbatch: int = Field(default=2048, ge=16)
    """Token budget of one forward and backward pass; memory grows with it, the gradient does not change."""


class MonitorConfig(Config):
    """Watches for reward hacking: the reward goes up while a probe that it does not contain goes down."""

    probes: tuple[str, ...] = Field(min_length=1)
    """Parts of `rewards` with weight 0: a rule, a second reward model, a judge; higher is better."""
    action: Literal["warn", "raise_beta", "roll_back", "stop"] = "warn"
    """What an alarm does. `roll_back`: the weights at the best probe come back; then beta is raised, or where beta is 0 or
    `max_beta` already the stage stops, since the same would happen again."""
    warmup: int = Field(default=20, ge=4)
    """First steps, which give the spread of reward and probes; also the width of the window whose mean is a level."""
    threshold: float = Field(default=5.0, gt=0.0)
    """Alarm where both sums exceed this many standard deviations; lower is earlier, and wrong more often."""
    slack: float = Field(default=0.75, ge=0.0)
    """Standard deviations a step that are noise and not counted; a level is the best of many, and so a little too high."""
    min_deviation: float = Field(default=0.01, gt=0.0)
    """Least standard deviation of one step: a probe that was constant in the warm-up may move a little."""
    beta_factor: float = Field(default=4.0, gt=1.0)
    """An alarm multiplies algorithm.beta by this,"""
    max_beta: float = Field(default=1.0, gt=0.0)
    """up to this: more than that, and the KL term drowns the reward."""


class TrainConfig(OptimConfig):
    """The reinforcement-learning stage."""

    num_iterations: int = Field(default=1, ge=1)
    """Passes over the rollouts of one step (TRL's num_iterations)."""
    steps_per_generation: int = Field(default=1, ge=1)
    """Optimiser updates per pass: the step's groups are split into so many minibatches."""
    monitor: MonitorConfig | None = None
    """Whether and how to watch for reward hacking."""


class SftConfig(OptimConfig):
    """The supervised stage: worked solutions (column `solution`), loss on the solution only."""

    learning_rate: float = Field(default=2e-5, gt=0.0)
    """Peak learning rate."""
    batch_size: int = Field(default=16, ge=1)
    """Examples of one step."""


class RewardLossConfig(Config):
    """What a reward model learns from; each weight multiplies a mean over the items that have such a label.

    The losses stand in `losses.py`; a key that none of those turned on would read is refused.
    """

    ranking: Literal["bradley_terry", "prompt_aware", "none"] = "bradley_terry"
    """What pairs teach: `prompt_aware` uses a utility of its own for open-ended prompts (arXiv:2305.17608)."""
    use_margin: bool = False
    """The chosen response must be better by the pair's margin (Llama 2); pairs without one have margin 0."""
    label_smoothing: float = Field(default=0.0, ge=0.0, le=0.5)
    """Share of labels taken to be wrong."""
    listwise: float = Field(default=0.0, ge=0.0)
    """Weight of the Plackett-Luce loss of lists with ranks or scores; above 0, lists are trained on whole, not as pairs."""
    pointwise: float = Field(default=0.0, ge=0.0)
    """Weight of the loss between scores and overall ratings, which each set's own scale takes to [-1, 1]; above 0, rated
    answers without a partner are trained on too."""
    centering: float = Field(default=0.01, ge=0.0)
    """Weight of (u_w + u_l - 2 b)^2: holds u at b(x)."""
    bias: float = Field(default=0.1, ge=0.0)
    """Weight of the regression of b(x) on the mean u of its responses."""
    variance_floor: float = Field(default=0.1, ge=0.0)
    """Weight of max(0, min_std - std of the scores)^2."""
    min_std: float = Field(default=0.3, gt=0.0, lt=1.0)
    """The deviation below which scores are pushed apart."""
    critique: float = Field(default=0.5, ge=0.0)
    """Weight of the negative log-likelihood of the critiques, a mean over their tokens; read with input.critique only."""


class RewardTrainConfig(OptimConfig):
    """The training of a reward model."""

    learning_rate: float = Field(default=2e-5, gt=0.0)
    """Peak learning rate."""
    batch_size: int = Field(default=32, ge=1)
    """Pairs, lists and single answers of one optimiser step."""
    num_train_epochs: float | None = Field(default=None, gt=0.0)
    """Passes over the training data, in place of max_steps."""
    too_long: Literal["leave_out", "refuse"] = "leave_out"
    """A pair or list with a response that does not fit into input.max_length: counted and left out, or an error."""
    collapse: Literal["warn", "stop"] = "warn"
    """What happens when the scores collapse, in an evaluation (held-out responses and samples of the policy) or in
    training: nearly constant, far off 0, nearly all at -1 or 1, u shrunk to nothing, or the same for open-ended prompts
    and closed ones."""
