"""`python -m memory_proxy.demo`: serve the demo model until SIGTERM or Ctrl-C."""

import argparse
import sys

from aiohttp import web

from memory_proxy.demo.server import create_demo


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m memory_proxy.demo",
        description="An OpenAI-compatible provider that answers by quoting; no language model.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8766)
    where = parser.parse_args()
    try:
        web.run_app(
            create_demo(),
            host=where.host,
            port=where.port,
            shutdown_timeout=0,
            access_log=None,
            print=None,
        )
    except OSError as error:
        sys.stderr.write(f"cannot listen on {where.host}:{where.port}: {error.strerror}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
