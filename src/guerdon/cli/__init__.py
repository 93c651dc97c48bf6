"""Words on the terminal: the `guerdon` command. Each command is one module with one `COMMAND`; nothing computes here."""

__all__: list[str] = []
