"""Where a server listens: checked before anything slow is started."""

import errno
import ipaddress
import socket

from trainers.errors import UserError, shortened


def reserve(host: str, port: int) -> socket.socket:
    """A socket that is bound to the port, and does not listen yet: connections are refused.

    Raises:
        UserError: the port is taken or not for this user, or `host` is no address of this machine.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise UserError(f"--host {shortened(host)}: no address of this machine: {error}") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(place)
    except OSError as error:
        bound.close()
        match error.errno:
            case errno.EADDRINUSE:
                raise UserError(f"port {port} is taken: give another with --port") from None
            case errno.EACCES:
                raise UserError(f"port {port} is for the administrator: give one from 1024 with --port") from None
            case _:
                raise UserError(f"--host {shortened(host)}: no address of this machine: {error.strerror}") from None
    return bound


def is_loopback(bound: socket.socket) -> bool:
    """Whether only this machine reaches it."""
    return ipaddress.ip_address(bound.getsockname()[0]).is_loopback


def url_of(bound: socket.socket) -> str:
    """The address of the page."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
