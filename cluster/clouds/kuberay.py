"""Any Kubernetes cluster with the KubeRay operator."""

from cluster.clouds.base import Cloud

KUBERAY = Cloud(
    name="kuberay",
    title="Kubernetes with the KubeRay operator",
    kind="kuberay",
    template="kuberay.yaml.j2",
    bucket_example="s3://my-sweeps",
    installed="kubectl with a context, and in the cluster the KubeRay operator 1.6 or newer and NVIDIA's device plugin",
    head_disk_gb=40,
    worker_disk_gb=100,
    programs=("kubectl",),
    credentials=("$KUBECONFIG", "$KUBERNETES_SERVICE_HOST", "~/.kube/config"),
)
