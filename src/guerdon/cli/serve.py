"""`guerdon serve`: a rubric over HTTP. Loopback unless told otherwise, and then with a token."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING

from guerdon.cli.command import Command, add_overrides
from guerdon.core.errors import MissingExtraError, UserError

if TYPE_CHECKING:
    from guerdon.interop.server_gate import Gate, Limits

TOKEN = "GUERDON_TOKEN"
MEBI = 1 << 20


def _configure(parser: argparse.ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--recipe", metavar="R", help="serve the [rewards] of a recipe (file or shipped name)")
    how.add_argument(
        "--verifier", metavar="A,B", help="serve these: a kind, math_verify, or file.py:function"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; another than loopback needs a token"
    )
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free")
    parser.add_argument("--token", help=f"asked of every client; better in the environment variable {TOKEN}")
    parser.add_argument(
        "--without", metavar="PART", action="append", default=[], help="leave a part of the recipe out"
    )
    parser.add_argument("--workers", metavar="N", type=int, help="processes; as many as there are processors")
    parser.add_argument(
        "--row-timeout",
        metavar="SECONDS",
        type=float,
        default=30.0,
        help="past it, a row could not be verified",
    )
    parser.add_argument(
        "--request-timeout", metavar="SECONDS", type=float, default=300.0, help="past it, a request is ended"
    )
    parser.add_argument("--max-body", metavar="MIB", type=int, default=8, help="largest request")
    parser.add_argument(
        "--max-pending",
        metavar="MIB",
        type=int,
        default=128,
        help="all requests under way together; a host has half",
    )
    add_overrides(parser)
    parser.set_defaults(compare=None)


def _run(args: argparse.Namespace) -> int:
    for name in ("fastapi", "uvicorn", "prometheus_client"):
        if find_spec(name) is None:
            raise MissingExtraError("guerdon serve", "serve")
    from guerdon.cli.score import choose_rewards
    from guerdon.cli.table import write_line
    from guerdon.interop.server import create_app
    from guerdon.run.score import available_cpus
    from guerdon.run.served import pinned, served_version

    token = checked_token(args.host, args.token or os.environ.get(TOKEN))
    rewards = pinned(choose_rewards(args)[0])
    limits = _limits(args)
    app = create_app(
        rewards,
        limits=limits,
        token=token,
        num_workers=args.workers or available_cpus(),
        row_timeout_s=args.row_timeout,
        served=served_version(rewards),
    )
    listening = listen(args.host, args.port)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    write_line(
        f"serving {', '.join(rewards.rewards)} on http://{shown}:{port}  (/score, /get_reward, /health, /metrics)"
    )
    _serve(app, listening, limits)
    return 0


def checked_token(host: str, token: str | None) -> str | None:
    """The token to ask for.

    Raises:
        UserError: others can reach this server and no token is set.
    """
    if token and (not token.isascii() or not token.isprintable() or " " in token):
        raise UserError("guerdon serve: the token must be printable ASCII without spaces")
    if not token and not _is_loopback(host):
        raise UserError(
            f"guerdon serve: --host {host} can be reached by others, so it needs a token; set {TOKEN} or give --token"
        )
    return token or None


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        UserError: the address cannot be had.
    """
    if not 0 <= port <= 65535:
        raise UserError(f"guerdon serve: --port {port}: expected 0 to 65535")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as error:
        raise UserError(f"guerdon serve: cannot listen on {host}, port {port}: {error.strerror}") from None


def _serve(app: Gate, listening: socket.socket, limits: Limits) -> None:
    import uvicorn

    from guerdon.interop.server_gate import patient_protocol

    config = uvicorn.Config(
        app,
        http=patient_protocol(limits),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    with listening:
        uvicorn.Server(config).run(sockets=[listening])


def _limits(args: argparse.Namespace) -> Limits:
    from guerdon.interop.server_gate import Limits

    for name in ("max_body", "max_pending", "row_timeout", "request_timeout"):
        if getattr(args, name) <= 0:
            raise UserError(f"guerdon serve: --{name.replace('_', '-')}: expected more than 0")
    return Limits(
        max_body_bytes=args.max_body * MEBI,
        max_pending_bytes=max(args.max_pending, args.max_body) * MEBI,
        request_timeout_s=args.request_timeout,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


COMMAND = Command(
    summary="a recipe's rubric over HTTP, for trainers in other processes or on other machines",
    details=(
        "Routes: POST /score, POST /get_reward (OpenRLHF's remote reward), GET /health, GET /metrics (Prometheus).\n"
        "Answers are scored in batches by processes of their own; one that hangs or crashes costs one row.\n"
        "Every score says its version: a hash of the settings, and of the weights of reward models and the files named."
    ),
    examples=(
        ("guerdon serve --recipe mine.toml", "on http://127.0.0.1:8000"),
        ("guerdon serve --verifier math,format --port 9000", "without a recipe"),
        ("GUERDON_TOKEN=... guerdon serve --recipe mine.toml --host 0.0.0.0", "for other machines"),
    ),
    configure=_configure,
    run=_run,
)
