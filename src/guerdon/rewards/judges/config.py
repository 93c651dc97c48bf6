"""The recipe's tables of judges behind HTTP. Torch-free; each config *is* its plug-in."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from guerdon.core.types import Judge
from guerdon.rewards.config import Runs, VerifierConfig
from guerdon.rewards.http import Patience


class ServedConfig(VerifierConfig):
    """What every served judge needs."""

    runs: ClassVar[Runs] = "elsewhere"
    when_missing: Literal["mask", "skip"] = "mask"
    """As for every verifier: an answer that the server could not score is left out of its group (`mask`), or the other
    parts decide (`skip`)."""
    api_key_env: str = ""
    """Environment variable that holds the key; empty: none is sent."""
    timeout_s: float = Field(default=60.0, gt=0.0, le=3600.0)
    """Hard wall-clock limit of one request."""
    limit_s: float = Field(default=600.0, gt=0.0, le=86400.0)
    """Hard wall-clock limit of one group, from its first request on, further tries included; past it, what is missing is
    unverifiable."""
    max_retries: int = Field(default=4, ge=0, le=20)
    """Further tries after a lost connection, a time-out, or a server that is busy (429) or broken (5xx); the wait doubles
    with each."""
    concurrency: int = Field(default=8, ge=1)
    """Most requests under way at once."""
    seed: int = 0
    """Of the jitter between tries, and of sampled votes."""
    version: str = ""
    """The version of the model that must answer; empty: the first one that answers in this run."""
    on_version_change: Literal["refuse", "record"] = "refuse"
    """What happens when another version answers during a run: `refuse` stops it, `record` goes on and says so in the
    evidence. Within one group every score is refused either way."""
    cache_size: int = Field(default=100_000, ge=0)
    """Scores kept in memory, so that the same answer is not asked about again; 0: none."""
    cache_file: str = ""
    """SQLite file that keeps them beyond the run and may be shared by several; empty: none."""

    def patience(self) -> Patience:
        """How the client asks."""
        return Patience(
            api_key_env=self.api_key_env,
            timeout_s=self.timeout_s,
            retries=self.max_retries,
            concurrency=self.concurrency,
            seed=self.seed,
        )


class RemoteConfig(ServedConfig):
    """What a reward model behind HTTP says of an answer."""

    kind: Literal["remote"] = "remote"
    url: str = Field(pattern=r"^https?://[^\s/@]+(/\S*)?$")
    """Where the server answers. `openrlhf`: the whole address (`.../get_reward`); else the server's, with or without
    `/v1`."""
    model: str = ""
    """The model's name there; vLLM wants one."""
    protocol: Literal["openrlhf", "vllm_score", "vllm_classify", "pooling", "guerdon"]
    """`guerdon serve`, OpenRLHF's remote reward model, or one of vLLM's routes: `/score` (a cross-encoder), `/classify`,
    `/pooling`."""
    prompt_format: Literal["messages", "plain", "chatml"] = "messages"
    """How the conversation goes out. `messages`: as such, and the server applies its chat template (`openrlhf` and
    `vllm_score` have no word for it and get `plain`); `plain`: texts with an empty line between; `chatml`: between
    `<|im_start|>` and `<|im_end|>`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further fields of the request, such as { use_activation = false } for vLLM."""
    batch_size: int = Field(default=16, ge=1, le=1024)
    """Answers in one request, where the protocol has room for several."""
    scale: Literal["none", "tanh", "sigmoid"] = "none"
    """How the model's score becomes a value: as it is; by tanh into [-1, 1]; by the logistic function into [0, 1]."""
    width: float = Field(default=1.0, gt=0.0)
    """The score is divided by this before tanh or sigmoid."""

    def build(self) -> Judge:
        """The judge."""
        from guerdon.rewards.judges.remote import RemoteJudge

        return RemoteJudge(self)


class LlmJudgeConfig(ServedConfig):
    """What a chat model says of an answer: a critique, then a score, brought from its range into [-1, 1].

    A judge can be talked into a score. Compare it with labels of yours before the weight is more than 0.
    """

    kind: Literal["llm_judge"] = "llm_judge"
    url: str = Field(pattern=r"^https?://[^\s/@]+(/\S*)?$")
    """Where an OpenAI-compatible server answers, up to `/v1`; `/chat/completions` is added."""
    model: str = Field(min_length=1)
    """The model's name there."""
    rubric: str = "How well does the response answer the question? Is it correct, complete, honest and clear?"
    """What to judge by, in words."""
    low: int = Field(default=1, ge=-1000, le=1000)
    """The worst score; becomes -1."""
    high: int = Field(default=10, ge=-1000, le=1000)
    """The best score; becomes 1."""
    seal: bool = True
    """Whether the judge must write a code beside its score that nobody else knows: a judge that repeats the response, fake
    score included, then has given none. Switch it off for a small model that cannot copy six letters."""
    show_reference: bool = True
    """Whether the judge sees the problem's target."""
    show_thinking: bool = True
    """Whether the judge sees what stands before `</think>`, in a field of its own."""
    num_votes: int = Field(default=1, ge=1, le=64)
    """How often it is asked; the value is the mean of the votes that could be read."""
    min_votes: int = Field(default=1, ge=1)
    """With fewer readable votes there is no value."""
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    """Of the judge's sampling; several votes need more than 0."""
    max_tokens: int = Field(default=512, ge=8)
    """Longest critique and score; past it there is no score."""
    max_chars: int = Field(default=20_000, ge=16)
    """A longer response (or question, or target) is not shown, never cut: it could not be judged."""

    @model_validator(mode="after")
    def _fits(self) -> LlmJudgeConfig:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} must be less than high = {self.high}")
        if self.min_votes > self.num_votes:
            raise ValueError(
                f"min_votes = {self.min_votes} of num_votes = {self.num_votes}: more than there are"
            )
        if self.num_votes > 1 and self.temperature == 0.0:
            raise ValueError(
                f"num_votes = {self.num_votes} at temperature = 0 asks for the same vote again; set a temperature"
            )
        return self

    def build(self) -> Judge:
        """The judge."""
        from guerdon.rewards.judges.llm import LlmJudge

        return LlmJudge(self)
