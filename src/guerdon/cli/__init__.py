"""Words on the terminal: the `guerdon` command. Each command is one module with one `COMMAND`."""

__all__: list[str] = []
