"""The recipe's table of the code verifier. Torch-free; the config *is* the plug-in."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from guerdon.core.types import Judge
from guerdon.rewards.config import Runs, VerifierConfig


class CodeVerifierConfig(VerifierConfig):
    """1 if the program passes every test, in a sandbox; a share of `partial` if it passes some."""

    wrong = 0.0
    runs: ClassVar[Runs] = "elsewhere"
    kind: Literal["code"] = "code"
    language: Literal["python", "c", "cpp", "javascript", "bash"] = "python"
    """What candidates are written in; others than Python are tested by standard input and output."""
    isolation: Literal["strict", "weak"] = "strict"
    """`strict`: namespaces, system-call filter, limits, or no verdict at all. `weak`: what this kernel has, at least limits
    and a user that is nobody; names of files and numbers of processes outside can then be seen."""
    block: Literal["auto", "last", "first", "longest", "all"] = "auto"
    """Which fenced block is the program. `auto`: the last that defines what is asked for, else the last."""
    imports: Literal["as_is", "usual"] = "as_is"
    """A program that forgot its imports: it fails, or it gets those of the standard library that such programs use."""
    partial: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Credit for passing some tests: this times the share passed. Always below full credit."""
    timeout_s: float = Field(default=5.0, gt=0.0, le=600.0)
    """Wall-clock limit of loading a program and of each test; a program that exceeds it fails the test."""
    memory_mb: int = Field(default=512, ge=64)
    """Memory of a job, all its processes together."""
    scratch_mb: int = Field(default=32, ge=1)
    """Size of the folder in which a job may write."""
    num_processes: int = Field(default=32, ge=1)
    """Processes and threads of a job."""
    num_files: int = Field(default=64, ge=16)
    """Open files of a process."""
    output_kb: int = Field(default=4096, ge=1)
    """Output of a test, and size of a result; more is wrong."""
    max_tests: int = Field(default=100, ge=1)
    """Tests of one problem that are run, from the first."""
    tolerance: float = Field(default=0.0, ge=0.0, lt=0.1)
    """Difference, relative and absolute, up to which two floating-point numbers are the same."""
    ordered: bool = True
    """Whether the elements of a returned list must come in the expected order."""
    compare: Literal["tokens", "exact", "lines"] = "tokens"
    """Standard output: by words, character by character, or line by line without trailing blanks."""
    concurrency: int = Field(default=0, ge=0)
    """Programs judged at once; 0: one for each core."""

    def build(self) -> Judge:
        """The judge."""
        from guerdon.rewards.code.judge import CodeJudge

        return CodeJudge(self)
