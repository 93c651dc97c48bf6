import pytest

from guerdon.cli import extras as module
from guerdon.cli.extras import extras, need_training
from guerdon.core.errors import MissingExtraError


def test_what_an_extra_lacks_is_read_from_our_own_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "pydantic>=2",
        "pytest>=8 ; extra == 'train'",
        'no-such-package-here>=1.0; extra == "train"',
        "hypothesis>=6; python_version >= '3.11' and extra == 'sinks'",
    ]
    monkeypatch.setattr(module, "requires", lambda name: lines)
    assert extras() == {"train": ["no-such-package-here>=1.0"], "sinks": []}


def test_the_installed_package_has_its_extras() -> None:
    assert {"train", "gym", "wandb", "mlflow", "tensorboard"} <= set(extras())


def test_training_needs_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"guerdon train needs .* pip install 'guerdon\[train\]'"):
        need_training("guerdon train")
