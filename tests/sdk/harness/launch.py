"""Runs the harness's command line with its mock server on the loopback interface alone."""

from posthog_test_harness import cli
from posthog_test_harness.mock_server import MockServer

run = MockServer.run


def run_on_loopback(self, host="127.0.0.1", port=8081, debug=False):
    run(self, host="127.0.0.1", port=port, debug=debug)


MockServer.run = run_on_loopback
cli.main() if hasattr(cli, "main") else cli.cli()
