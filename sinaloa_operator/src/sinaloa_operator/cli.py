"""The `veracruz-operator` command."""

import logging

import click

from sinaloa_operator.cluster import Cluster, log_in
from sinaloa_operator.handlers import OperatorSettings, Reconciler, registry_of
from sinaloa_operator.leading import lead
from veracruz_shells.console import command_group, log_option


@command_group(
    "veracruz-operator",
    distribution="veracruz-operator",
    help="Place computations and attestation services in a Kubernetes cluster.",
)
def main() -> None:
    """Be the group of the commands below."""


@main.command()
@click.option("--image", required=True, help="Container image of Sonora, Sinaloa and Tabasco.")
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    help="Namespace to look after. May be repeated.  [default: all of them]",
)
@click.option(
    "--quota",
    type=click.IntRange(1, 10_000),
    help="Computations of one namespace that may be under way at once.  [default: any number]",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.2, 3600),
    default=5.0,
    show_default=True,
    help="Seconds between two looks at an object.",
)
@click.option("--lease", default="veracruz-operator", show_default=True, help="Name of the lease.")
@click.option(
    "--lease-namespace", default="veracruz", show_default=True, help="Namespace of the lease."
)
@click.option(
    "--lease-seconds",
    type=click.IntRange(6, 3600),
    default=15,
    show_default=True,
    help="How long a leader that is not heard of is waited for.",
)
@log_option
def run(  # noqa: PLR0917 - click gives them by name
    image: str, namespaces: tuple[str, ...], quota: int | None, interval: float, lease: str,
    lease_namespace: str, lease_seconds: int,
) -> None:  # fmt: skip
    """Wait for the lease, and look after computations while it is held.

    Ends with status 1 when the lease is lost. May be killed at any time: all it knows is in the
    cluster.
    """
    for name in ("kopf", "leaderelection"):
        logging.getLogger(name).setLevel(logging.WARNING)  # a line for every look at an object
    log_in()
    settings = OperatorSettings(image, quota, interval)
    registry = registry_of(lambda: Reconciler(Cluster(), settings), settings)
    lead(
        registry,
        lease=lease,
        lease_namespace=lease_namespace,
        lease_s=lease_seconds,
        namespaces=namespaces,
    )
