"""Machines of your own that answer to SSH, by Ray's cluster launcher."""

from cluster.clouds.base import Cloud

LOCAL = Cloud(
    name="local",
    title="a list of SSH hosts",
    kind="ray",
    template="local.yaml.j2",
    bucket_example="/shared/sweeps",
    installed="an SSH key that opens every host, and curl and rsync on the hosts",
    programs=("ssh", "rsync"),
)
